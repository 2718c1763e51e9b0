"""
Determine whether a DAG run started a notebook instance: one that was running before may be in use.

Clearing a run resets its ``start_date`` and ``queued_at`` and raises its ``clear_number``; ``run_after`` (in Airflow 2:
the end of the data interval, or the logical date) does not change. A cleared task loses its XComs when it runs again;
tasks that are not cleared keep theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from airflow_sagemaker_presign.validation import is_template

RUN_BEGAN_KEY = "sagemaker_presign_dag_run_began"
"""The key of the XCom in which a task stores when the run first began."""


def first_start(dag_run: Any) -> datetime | None:
    """Return when a run first began; ``None``: the run was cleared, which overwrote it."""
    return None if getattr(dag_run, "clear_number", 0) else dag_run.start_date


def earliest_start(dag_run: Any) -> datetime | None:
    """Return the earliest time at which a cleared run may have begun: when it was due; ``None``: unknown."""
    due = getattr(dag_run, "run_after", None)
    if due is None:
        # Airflow 2. The data interval of a manually triggered run may have ended long before.
        names = ("logical_date", "data_interval_end")
        due = max(filter(None, (getattr(dag_run, name, None) for name in names)), default=None)
    # A logical date that a user chose may be in the future.
    return min(filter(None, (due, dag_run.start_date)), default=None)


def began(dag_run: Any, recorded: Iterable[object]) -> datetime | None:
    """
    Return when the run first began, or else was due: a later change of a notebook instance counts as the run's.

    :param recorded: the values that the run's other tasks stored under :data:`RUN_BEGAN_KEY`.
    """
    first = first_start(dag_run)
    if first is not None:
        return first
    moments = [datetime.fromisoformat(text) for text in recorded if isinstance(text, str)]
    return min(moments, default=None) or earliest_start(dag_run)


def was_not_started_by_run(
    notebook_instance_arn: str, starters: Sequence[Any], arns_of: Callable[[Any], Sequence[object]]
) -> bool:
    """
    Return whether the run has tasks to start a notebook instance, and none of them has begun.

    :param notebook_instance_arn: the notebook instance's ARN; its account is ignored.
    :param starters: the upstream tasks that start notebook instances, including mapped ones.
    :param arns_of: returns the ARNs that the instances of such a task stored when they began.
    """
    wanted = _without_account(notebook_instance_arn)
    not_begun = False
    for task in starters:
        begun = {_without_account(arn) for arn in arns_of(task) if isinstance(arn, str)}
        if wanted in begun:
            return False
        not_begun = not_begun or _may_be_about(task, wanted.rpartition("/")[2], begun=bool(begun))
    return not_begun


def _without_account(arn: str) -> str:
    parts = arn.split(":", 5)
    return ":".join((*parts[:4], parts[-1]))


def _may_be_about(task: Any, notebook_instance_name: str, *, begun: bool) -> bool:
    """Return whether a task should have started this notebook instance and has not begun."""
    written = getattr(task, "notebook_instance_name", None)
    if written is None:
        # Each instance of a mapped task has a name of its own, and some may not have begun.
        return True
    return not begun and (is_template(written) or str(written) == notebook_instance_name)
