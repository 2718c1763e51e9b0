"""Each mint and start through the launch page is a row of Airflow's audit log, before it happens: no row, no URL."""

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
DENIED_EVENT = "{}_refused"
"""What was refused: by SageMaker, as a second row after the one that announced it; or by the launch page."""


@dataclass(frozen=True)
class Limit:
    """
    How often something may be done with a task instance.

    :param event: what.
    :param times: so often ...
    :param per: ... in this time.
    :param is_personal: whether by each person, or by all together.
    """

    event: str
    times: int
    per: timedelta
    is_personal: bool


MINTS = Limit(OPEN, 6, timedelta(minutes=1), is_personal=True)
"""How many URLs a person gets for a task instance."""
STARTS = Limit(START, 1, timedelta(seconds=2), is_personal=False)
"""Another api-server may have sent a start that AWS does not show yet."""

MAX_DENIALS_PER_MINUTE = 20
"""How many refusals of a person at a task instance one api-server writes down within a minute: enough to see it."""


def record(
    event: str, key: TaskKey, current_user: CurrentUser, session: Any, task: RenderedTask | None = None, **more: str
) -> None:
    """
    Write a row of the audit log, for good.

    https://airflow.apache.org/docs/apache-airflow/stable/security/audit_logs.html

    :param event: what happened, or is about to.
    :param key: the task instance.
    :param current_user: who does it.
    :param session: of Airflow's database.
    :param task: what the task instance rendered, where that was read.
    :param more: more to say.
    """
    session.add(_row(event, key, current_user, task, more))
    session.commit()


def claim(limit: Limit, task: RenderedTask, current_user: CurrentUser, now: datetime, session: Any) -> int:
    """
    Write down what is about to happen, unless that was too often already.

    The audit log is the memory of it, so that it holds for all api-servers together.

    :param limit: what, and how often.
    :param task: the task instance whose notebook it is about.
    :param current_user: who does it.
    :param now: the time.
    :param session: of Airflow's database.
    :return: for how many seconds the person has to wait; 0: it may happen, and its row is there.
    """
    from airflow.models.log import Log

    _queue_up(task.key, session)
    row = _row(limit.event, task.key, current_user, task, {})
    session.add(row)
    # Written before the count: whoever comes at the same moment counts this one.
    session.flush()
    same = [*_of(Log, task.key), Log.event == limit.event, Log.dttm > now - limit.per]
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
    # The oldest may be younger than now, which was before the others' turns.
    return max(1, math.ceil(min(oldest + limit.per - now, limit.per).total_seconds()))


class DenialLog:
    """
    Writes down what the launch page refuses, but not without end.

    :param session: makes a session of Airflow's database.
    :param timer: counts seconds; for tests.
    """

    def __init__(self, session: Callable[[], Any], timer: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._timer = timer
        self._counts: LruDict[object, Iterator[int]] = LruDict(4096)

    def record(
        self, event: str, key: TaskKey, current_user: CurrentUser, why: str, task: RenderedTask | None = None
    ) -> None:
        """
        Write down that somebody was refused, where there is such a task instance.

        :param event: what they asked for: an opening or a start.
        :param key: the task instance.
        :param current_user: the person.
        :param why: why it was refused.
        :param task: what the task instance rendered, where that was read.
        """
        from airflow.models.taskinstance import TaskInstance

        with self._lock:
            counted = current_user.user_id, key, self._timer() // 60
            number = next(self._counts.setdefault(counted, itertools.count(1)))
        if number > MAX_DENIALS_PER_MINUTE:
            if number == MAX_DENIALS_PER_MINUTE + 1:
                log.warning(
                    "%s is refused so often at %s that the rest of the minute is not written down",
                    current_user.name,
                    key,
                )
            return
        with self._session() as session:
            if session.scalar(select(TaskInstance.task_id).where(*_of(TaskInstance, key))) is not None:
                record(DENIED_EVENT.format(event), key, current_user, session, task, error=why)


def _queue_up(key: TaskKey, session: Any) -> None:
    """
    Have those who come for the same task instance at once go one after the other.

    Nobody but its task writes what a task rendered, so that nobody else waits. SQLite knows no such lock; there the
    first write of a transaction is one.
    """
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    session.execute(
        select(RenderedTaskInstanceFields.task_id).where(*_of(RenderedTaskInstanceFields, key)).with_for_update()
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


def _of(model: Any, key: TaskKey) -> list[Any]:
    return [
        model.dag_id == key.dag_id,
        model.run_id == key.run_id,
        model.task_id == key.task_id,
        model.map_index == key.map_index,
    ]
