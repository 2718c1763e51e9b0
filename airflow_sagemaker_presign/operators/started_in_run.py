"""
Whether a DAG run started a notebook instance: what ran before may be somebody's work.

Airflow sets a run's ``start_date`` anew when the run is cleared, and ``queued_at`` too; ``clear_number`` says that it
was, and ``run_after`` (in Airflow 2: the end of the data interval, or the logical date) stays. A task that is cleared
loses its XComs when it runs again; those of the tasks that are not cleared stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from airflow_sagemaker_presign.validation import is_template

RUN_BEGAN_KEY = "sagemaker_presign_dag_run_began"
"""The XCom by which a task tells those after it when the run first began."""


def first_beginning(dag_run: Any) -> datetime | None:
    """
    Return when a run first began.

    :param dag_run: the DAG run.
    :return: the moment; ``None``: the run was cleared since, and does not know it any more.
    """
    return None if getattr(dag_run, "clear_number", 0) else dag_run.start_date


def earliest_beginning(dag_run: Any) -> datetime | None:
    """
    Return before which moment a run that was cleared cannot have begun.

    :param dag_run: the DAG run.
    :return: when it was due; ``None``: it does not say.
    """
    due = getattr(dag_run, "run_after", None)
    if due is None:
        # Airflow 2. A run that somebody triggers has a data interval that may have ended long before.
        names = ("logical_date", "data_interval_end")
        due = max(filter(None, (getattr(dag_run, name, None) for name in names)), default=None)
    # A logical date can be in the future, if somebody chose it.
    return min(filter(None, (due, dag_run.start_date)), default=None)


def began(dag_run: Any, told: Iterable[object]) -> datetime | None:
    """
    Return since when a change of a notebook instance counts as the run's.

    :param dag_run: the DAG run.
    :param told: what tasks of the run that were not cleared wrote down under :data:`RUN_BEGAN_KEY`.
    :return: when the run first began; where nobody knows that any more, when it was due.
    """
    first = first_beginning(dag_run)
    if first is not None:
        return first
    moments = [datetime.fromisoformat(text) for text in told if isinstance(text, str)]
    return min(moments, default=None) or earliest_beginning(dag_run)


def is_somebody_elses(
    notebook_instance_arn: str, starters: Sequence[Any], arns_of: Callable[[Any], Sequence[object]]
) -> bool:
    """
    Return whether no task of this package can have started a notebook instance, although one was there to do it.

    :param notebook_instance_arn: the notebook instance; which account it is in makes no difference.
    :param starters: the tasks upstream that start notebook instances, mapped ones included.
    :param arns_of: the ARNs that the instances of such a task left behind as soon as they began.
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
    """Return whether a task was to start this notebook instance, and did not get to it."""
    written = getattr(task, "notebook_instance_name", None)
    if written is None:
        # A mapped task: each of its instances has a name of its own, and not all need have begun.
        return True
    return not begun and (is_template(written) or str(written) == notebook_instance_name)
