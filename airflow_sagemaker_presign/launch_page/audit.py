"""Audit log: each mint, start and keep is recorded there before it happens; without a row, it does not."""

from __future__ import annotations

import itertools
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from airflow_sagemaker_presign.launch_page.current_user import CurrentUser
from airflow_sagemaker_presign.launch_page.lru_dict import LruDict
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask, TaskKey

log = logging.getLogger(__name__)

OPEN = "open_sagemaker_notebook_instance"
START = "start_sagemaker_notebook_instance"
KEEP = "keep_sagemaker_notebook_instance_running"
DENIED_EVENT = "{}_refused"
"""The event of a denied action: by SageMaker, after the row of the attempt itself; or by the launch page."""


@dataclass(frozen=True)
class Limit:
    """
    A rate limit for one action on a task instance: at most ``times`` of it within ``per``.

    :param is_personal: whether the limit applies to each user, or to all together.
    """

    event: str
    times: int
    per: timedelta
    is_personal: bool


MINTS = Limit(OPEN, 6, timedelta(minutes=1), is_personal=True)
"""The limit of URLs for each user of a task instance."""
KEEPS = Limit(KEEP, 6, timedelta(minutes=1), is_personal=True)
"""The limit of each user for keeping the notebook of a task instance running."""
STARTS = Limit(START, 1, timedelta(seconds=2), is_personal=False)
"""Another api-server may have sent a start that AWS does not show yet."""

MAX_DENIALS_PER_MINUTE = 20
"""The number of denials per user and task instance that one api-server records within a minute."""


def record(
    event: str, key: TaskKey, current_user: CurrentUser, session: Any, task: RenderedTask | None = None, **more: str
) -> None:
    """
    Write and commit a row of the audit log; ``more`` are further values for its ``extra``.

    https://airflow.apache.org/docs/apache-airflow/stable/security/audit_logs.html
    """
    session.add(_row(event, key, current_user, task, more))
    session.commit()


def claim(limit: Limit, task: RenderedTask, current_user: CurrentUser, now: datetime, session: Any) -> int:
    """
    Record an action that is about to happen, unless it exceeds its limit.

    The limit counts rows of the audit log, so that it applies to all api-servers together.

    :return: the seconds until the user may try again; 0: the action is recorded and may happen.
    """
    from airflow.models.log import Log

    lock_rendered_fields(task.key, session)
    row = _row(limit.event, task.key, current_user, task, {})
    session.add(row)
    # Written before the count, so that a concurrent request counts this row.
    session.flush()
    same = [*task.key.matches(Log), Log.event == limit.event, Log.dttm > now - limit.per]
    if limit.is_personal:
        same.append(Log.owner == current_user.name)
    others = session.scalars(
        select(Log.dttm).where(*same, Log.id != row.id).order_by(Log.dttm.desc()).limit(limit.times)
    ).all()
    if len(others) < limit.times:
        session.commit()
        return 0
    session.rollback()
    oldest: datetime = others[-1]
    # The oldest row may be later than ``now``, which was taken before this request waited for others.
    return max(1, math.ceil(min(oldest + limit.per - now, limit.per).total_seconds()))


class DenialLog:
    """Records requests that the launch page denies, up to a limit."""

    def __init__(self, session: Callable[[], Any], timer: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._timer = timer
        self._counts: LruDict[object, Iterator[int]] = LruDict(4096)

    def record(self, event: str, key: TaskKey, current_user: CurrentUser, why: str) -> None:
        """Record a denied request for ``OPEN``, ``START`` or ``KEEP``, if the task instance exists."""
        from airflow.models.taskinstance import TaskInstance

        with self._lock:
            counted = current_user.user_id, key, self._timer() // 60
            number = next(self._counts.setdefault(counted, itertools.count(1)))
        if number > MAX_DENIALS_PER_MINUTE:
            if number == MAX_DENIALS_PER_MINUTE + 1:
                log.warning(
                    "%s was denied access to %s too often; further denials are not recorded in this minute",
                    current_user.name,
                    key,
                )
            return
        with self._session() as session:
            if session.scalar(select(TaskInstance.task_id).where(*key.matches(TaskInstance))) is not None:
                record(DENIED_EVENT.format(event), key, current_user, session, error=why)


def lock_rendered_fields(key: TaskKey, session: Any) -> None:
    """
    Lock the task instance's row of rendered fields, so that concurrent requests for it are serialized.

    Only the task itself writes this row, so nothing else waits for the lock. SQLite has no row locks; there, the first
    write of a transaction locks the database.
    """
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    session.execute(
        select(RenderedTaskInstanceFields.task_id).where(*key.matches(RenderedTaskInstanceFields)).with_for_update()
    )


def _row(event: str, key: TaskKey, current_user: CurrentUser, task: RenderedTask | None, more: dict[str, str]) -> Any:
    from airflow.models.log import Log

    about = (
        {}
        if task is None
        else {
            **task.workspace.as_dict(),
            "aws_conn_id": task.aws_conn_id,
            "region_name": task.region_name,
        }
    )
    return Log(
        event=event,
        owner=current_user.name,
        owner_display_name=current_user.name,
        extra=json.dumps({**about, "address": current_user.address, **more}),
        dag_id=key.dag_id,
        run_id=key.run_id,
        task_id=key.task_id,
        map_index=key.map_index,
        try_number=None if task is None else task.try_number,
    )
