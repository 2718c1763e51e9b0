"""Which notebook a task instance opens: what Airflow keeps of it says, never the request and never XCom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from airflow_sagemaker_presign import validation
from airflow_sagemaker_presign.allowed_users import EDITORS
from airflow_sagemaker_presign.launch_page import current_dag
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.wording import format_duration
from airflow_sagemaker_presign.workspaces.base import Workspace
from airflow_sagemaker_presign.workspaces.kinds import workspace_of

ABOUT_TO_BEGIN = frozenset({None, "scheduled", "queued", "restarting"})
"""States of a task instance that has been cleared, or waits for its next try, or goes on after it was deferred."""

_FORMER_FIELDS = {"door_open_for": "launch_page_valid_for"}
"""Runs from before an upgrade keep what they rendered then: the links that they sent still open."""


@dataclass(frozen=True)
class TaskKey:
    """Which task instance. ``map_index`` is -1 for a task that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1


@dataclass(frozen=True)
class RenderedTask:
    """
    What a task instance rendered for itself.

    :param workspace: what it opens.
    :param allowed_users: who may open; ``None``: all who may edit the task instance.
    :param team_name: the team whose connections the task has.
    :param allowed_now: the same as ``allowed_users``, as the DAG says it now; nothing where only a run can tell.
    """

    key: TaskKey
    try_number: int
    workspace: Workspace
    session_expiration_duration: timedelta
    landing: str | None
    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    allowed_users: current_dag.AllowedUsers
    team_name: str | None = None
    allowed_now: tuple[current_dag.AllowedUsers, ...] = ()


def read(key: TaskKey, now: datetime, session: Any) -> RenderedTask:
    """
    Read what a task instance rendered.

    :param key: the task instance.
    :param now: the time.
    :param session: of Airflow's database.
    :raises HttpError: 404 when there is none, or it is of another operator; 409 when it has not begun, or not
        again; 410 when it is too old, its DAG is gone, or Airflow has pruned what it rendered; 500 when what it
        rendered makes no sense.
    """
    from airflow.models.dag import DagModel
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    task_began, try_number, state, next_method, run_began, run_after = _task_instance(key, session)
    allowed_now = current_dag.allowed_now(key.dag_id, key.task_id, session)
    fields = RenderedTaskInstanceFields.get_templated_fields(key, session=session)  # type: ignore[arg-type]
    if (fields is None and task_began is None) or (state in ABOUT_TO_BEGIN and not next_method):
        # What a cleared task rendered before is of the past: the DAG's author may have cleared it for that.
        raise HttpError(409, "Not yet", "This task has not begun; its notebook opens here once it has. Reload then.")
    if fields is None:
        raise _gone("Airflow keeps what a task rendered for its latest runs only, and has dropped this run's.")
    task = rendered_task_of(key, fields, try_number=try_number, began=task_began or run_began or run_after, now=now)
    return replace(task, team_name=DagModel.get_team_name(key.dag_id, session=session), allowed_now=allowed_now)


def rendered_task_of(
    key: TaskKey, fields: Mapping[str, Any], *, try_number: int, began: datetime, now: datetime
) -> RenderedTask:
    """
    Take what the launch page needs out of a task's rendered fields.

    :param key: the task instance.
    :param fields: the rendered template fields.
    :param try_number: the task instance's.
    :param began: when the task began.
    :param now: the time.
    :raises HttpError: as in :func:`read`.
    """
    fields = {_FORMER_FIELDS.get(field, field): value for field, value in fields.items()}
    if "launch_page_valid_for" not in fields:
        raise HttpError(404, "No notebook here", "This task opens no notebook.")
    try:
        workspace = workspace_of(fields)
        if workspace is None:
            raise KeyError("what it opens")
        open_for = timedelta(seconds=float(fields["launch_page_valid_for"]))
        task = RenderedTask(
            key=key,
            try_number=try_number,
            workspace=workspace,
            session_expiration_duration=validation.session_expiration_duration_of(
                fields["session_expiration_duration"]
            ),
            landing=workspace.landing_of(fields["landing"]),
            aws_conn_id=_optional_text(fields["aws_conn_id"]),
            region_name=_optional_text(fields["region_name"]),
            verify=_verify_of(fields["verify"]),
            allowed_users=_allowed_users_of(fields["allowed_users"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise HttpError(
            500,
            "This task cannot be read",
            f"What Airflow keeps of it is not what the task rendered ({type(error).__name__}: {error}). "
            "Airflow cuts fields that are longer than [core] max_templated_field_length, and masks what it takes for "
            "a secret. Tell the DAG’s author, or whoever runs this Airflow.",
        ) from None
    if now - began > open_for:
        raise _gone(f"It was open for {format_duration(open_for)} from the start of the task.")
    return task


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
        .where(
            TaskInstance.dag_id == key.dag_id,
            TaskInstance.run_id == key.run_id,
            TaskInstance.task_id == key.task_id,
            TaskInstance.map_index == key.map_index,
        )
    ).one_or_none()
    if row is None:
        raise HttpError(404, "No such task", "Airflow has no task instance of this address. Is the whole link there?")
    return row


def _gone(why: str) -> HttpError:
    return HttpError(
        410, "This link has ended", f"{why} Ask whoever sent it for a new one: running its DAG again sends one."
    )


def _optional_text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _verify_of(value: object) -> bool | str | None:
    return value if isinstance(value, bool) else _optional_text(value)


def _allowed_users_of(value: object) -> tuple[str, ...] | None:
    """Read the list. Whatever is no list of names lets nobody in: a list that Airflow cut short is a text."""
    if value is None or value == EDITORS:
        return None
    if isinstance(value, list) and value and all(isinstance(user, str) and user.strip() for user in value):
        return tuple(value)
    raise ValueError("allowed_users is no list of names")
