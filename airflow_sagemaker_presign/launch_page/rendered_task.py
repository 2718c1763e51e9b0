"""
Which notebook a task instance opens, or watches until it is idle: read from its rendered fields in Airflow's database,
never from the request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from airflow_sagemaker_presign import validation
from airflow_sagemaker_presign.launch_page import current_dag
from airflow_sagemaker_presign.launch_page.http_errors import HttpError, gone
from airflow_sagemaker_presign.links import launch_path
from airflow_sagemaker_presign.validation import EDITORS
from airflow_sagemaker_presign.wording import format_duration
from airflow_sagemaker_presign.workspaces.base import Workspace
from airflow_sagemaker_presign.workspaces.kinds import workspace_of

ABOUT_TO_BEGIN = frozenset({None, "scheduled", "queued", "restarting"})
"""States of a task instance that was cleared, waits for its next try, or resumes after a deferral."""

WATCHING = frozenset({"running", "deferred", "up_for_retry", *ABOUT_TO_BEGIN})
"""
States of a task instance that watches its notebook; those of ``ABOUT_TO_BEGIN`` if it resumes. The start of a retry
counts as use, so it keeps a promise that was made before.
"""

_FORMER_FIELDS = {"door_open_for": "launch_page_valid_for"}
"""Former names of template fields, so that links which were sent before an upgrade still open."""


@dataclass(frozen=True)
class TaskKey:
    """Identifies a task instance; ``map_index`` is -1 for a task that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @property
    def path(self) -> str:
        """The path of its launch page."""
        return launch_path(self.dag_id, self.run_id, self.task_id, self.map_index)

    def matches(self, model: Any) -> list[Any]:
        """Return the conditions for its rows in a table of Airflow's database."""
        return [getattr(model, field) == value for field, value in vars(self).items()]


@dataclass(frozen=True)
class Watch:
    """
    What a task that stops its notebook once it is idle rendered.

    :param idle_for: how long the notebook must be idle until the task stops it.
    :param at_latest: when it stops it in any case: a time of day, or a duration; Airflow stores both as the same text.
    """

    idle_for: timedelta
    at_latest: str | None


@dataclass(frozen=True)
class RenderedTask:
    """
    The rendered parameters of a task instance.

    :param session_expiration_duration: how long a session lasts; ``None`` for a task that watches.
    :param watch: ``None`` for a task that opens its notebook.
    :param allowed_users: the users who may open it; ``None``: all who may edit the task instance.
    :param team_name: the team whose connections the task uses.
    :param allowed_now: ``allowed_users`` of the latest version of the DAG; empty where only a run can determine it.
    """

    key: TaskKey
    try_number: int
    workspace: Workspace
    session_expiration_duration: timedelta | None
    landing: str | None
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    allowed_users: current_dag.AllowedUsers
    team_name: str | None = None
    allowed_now: tuple[current_dag.AllowedUsers, ...] = ()
    watch: Watch | None = None


def read(key: TaskKey, now: datetime, session: Any) -> RenderedTask:
    """
    Read what a task instance rendered.

    :raises HttpError: 404 when there is no such task instance, or it has another operator; 409 when it has not started
        yet; 410 when it is too old, its watch has ended, its DAG is gone, or Airflow has pruned its rendered fields;
        500 when these are not readable.
    """
    from airflow.models.dag import DagModel
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    task_began, try_number, state, next_method, run_began, run_after = _task_instance(key, session)
    allowed_now = current_dag.allowed_now(key.dag_id, key.task_id, session)
    fields = RenderedTaskInstanceFields.get_templated_fields(key, session=session)  # type: ignore[arg-type]
    if (fields is None and task_began is None) or (state in ABOUT_TO_BEGIN and not next_method):
        # The fields of a cleared task are out of date: the DAG's author may have cleared it to change them.
        raise HttpError(409, "The task has not started yet", "Reload this page once it has.")
    if fields is None:
        raise gone("Airflow keeps the data of a task for its latest runs only, and this run is an older one.")
    task = rendered_task_of(key, fields, try_number=try_number, began=task_began or run_began or run_after, now=now)
    if task.watch is not None and state not in WATCHING:
        raise gone(
            "The task is not running, so Airflow no longer watches this notebook.",
            "If the notebook has stopped, start it as usual.",
        )
    return replace(task, team_name=DagModel.get_team_name(key.dag_id, session=session), allowed_now=allowed_now)


def rendered_task_of(
    key: TaskKey, fields: Mapping[str, Any], *, try_number: int, began: datetime, now: datetime
) -> RenderedTask:
    """Return what the launch page needs from a task's rendered fields; raises 404, 410 or 500, as :func:`read` does."""
    fields = {_FORMER_FIELDS.get(field, field): value for field, value in fields.items()}
    opens = "launch_page_valid_for" in fields
    if not opens and fields.get("idle_for") is None:
        raise HttpError(404, "There is no notebook here", "This task does not open a notebook.")
    try:
        # A task that watches has a page as long as it runs.
        valid_for = timedelta(seconds=float(fields["launch_page_valid_for"])) if opens else timedelta.max
        task = _task_from(fields, key, try_number, opens=opens)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise HttpError(
            500,
            "This task cannot be read",
            f"The page cannot use one of its fields: {said}. If its DAG rendered it like this, the task fails, too. "
            "Otherwise, Airflow’s copy of it differs: Airflow cuts fields that are longer than [core] "
            "max_templated_field_length, and masks what it takes for a secret. Tell the author of the DAG, or an "
            "administrator of Airflow.",
        ) from None
    if now - began > valid_for:
        raise gone(f"It was open for {format_duration(valid_for)} from the start of the task.")
    return task


def _task_from(fields: Mapping[str, Any], key: TaskKey, try_number: int, *, opens: bool) -> RenderedTask:
    workspace = workspace_of(fields)
    if workspace is None:
        raise KeyError("workspace")
    return RenderedTask(
        key=key,
        try_number=try_number,
        workspace=workspace,
        session_expiration_duration=_session_of(fields["session_expiration_duration"]) if opens else None,
        landing=workspace.landing_of(fields["landing"]) if opens else None,
        watch=None if opens else _watch_of(fields),
        # As the worker checks them, since Airflow stores the fields before the task runs.
        aws_conn_id=validation.text_of("aws_conn_id", fields["aws_conn_id"]),
        region_name=validation.text_of("region_name", fields["region_name"]),
        verify=validation.verify_of(fields["verify"]),
        allowed_users=_allowed_users_of(fields["allowed_users"]),
    )


def _task_instance(key: TaskKey, session: Any) -> Any:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

    row = session.execute(
        select(
            TaskInstance.start_date,
            TaskInstance.try_number,
            TaskInstance.state,
            TaskInstance.next_method,
            DagRun.start_date,
            DagRun.run_after,
        )
        .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
        .where(*key.matches(TaskInstance))
    ).one_or_none()
    if row is None:
        raise HttpError(404, "Task not found", "Airflow has no such task instance. Check that the link is complete.")
    return row


def _session_of(value: object) -> timedelta:
    return validation.session_expiration_duration_of(_timedelta_or(value))


def _watch_of(fields: Mapping[str, Any]) -> Watch:
    idle_for, at_latest = validation.idle_for_of(_timedelta_or(fields["idle_for"])), fields["at_latest"]
    if idle_for is None:
        raise KeyError("idle_for")
    if not isinstance(at_latest, str | None):
        raise ValueError("at_latest is not a text")
    return Watch(idle_for, at_latest)


def _timedelta_or(value: Any) -> Any:
    # A native template may render a timedelta, which Airflow stores as its text, such as "8:00:00".
    text = (
        re.fullmatch("(?:([0-9]+) days?, )?([0-9]+):([0-9]{2}):([0-9]{2})", value) if isinstance(value, str) else None
    )
    if text is None:
        return value
    days, hours, minutes, seconds = (int(number or 0) for number in text.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _allowed_users_of(value: object) -> tuple[str, ...] | None:
    """
    Return the list; ``None`` for editors.

    :raises ValueError: for anything else, such as a list that Airflow cut short and stored as text: no access then.
    """
    if value is None or value == EDITORS:
        return None
    if isinstance(value, list) and value and all(isinstance(user, str) and user.strip() for user in value):
        return tuple(value)
    raise ValueError("allowed_users is not a list of names")
