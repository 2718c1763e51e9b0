"""Refuse a ready-made notifier as a callback that tells of no failure, where the DAG is written."""

from __future__ import annotations

from typing import Any

from airflow_sagemaker_presign.notifications.occasion import OTHER_CALLBACKS, callbacks_of
from airflow_sagemaker_presign.parameters import refuse

_ALLOWED = "no {notifier} here: it tells of a link or a failure, so it can be in notifiers and on_failure_callback only"


def refuse_other_callbacks(task: Any) -> None:
    """
    Check the callbacks of a task, and of its DAG as far as they are known when the task is made.

    What cannot be seen here (callbacks of other operators) sends nothing when it is called, and logs why.

    :raises ValueError: when a ready-made notifier is among those that tell of no failure.
    """
    if getattr(task, "_BaseOperator__from_mapped", False):
        # A mapped task is made when it runs: too late to refuse what does no harm.
        return
    for owner, prefix, names in (
        (task, "", OTHER_CALLBACKS),
        (task.get_dag(), "DAG.", ("on_success_callback", "sla_miss_callback")),
    ):
        for name in names:
            for callback in callbacks_of(owner, name):
                if getattr(callback, "tells_failures_only", False):
                    notifier = type(callback).__name__
                    refuse(f"{prefix}{name}", notifier, _ALLOWED.format(notifier=notifier))
