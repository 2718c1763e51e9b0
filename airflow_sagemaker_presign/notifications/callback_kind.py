"""Decides what a ready-made notifier was called for: a link, a stop warning, a failure, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_sagemaker_presign.compat import is_created_from_mapped
from airflow_sagemaker_presign.validation import reject

_ALLOWED = "another callback; a {notifier} sends only links and failures, so use it in notifiers and {only} only"

ON_FAILURE, ON_RETRY = "on_failure_callback", "on_retry_callback"
OTHER_CALLBACKS = ("on_success_callback", "on_execute_callback", "on_skipped_callback", ON_RETRY)
"""A task's callbacks that are not about a failure."""

_OTHER_STATES = ("success", "skipped", "up_for_retry", "up_for_reschedule", "deferred")
_DEADLINE_KEYS = ("deadline", "slas", "blocking_tis", "task_list")


def reject_other_callbacks(task: Any) -> None:
    """
    Check the callbacks of a task, and of its DAG as far as they are known when the task is created.

    A notifier that is not checked here, such as in a callback of another operator, sends nothing when it is called, and
    logs why.

    :raises ValueError: if a ready-made notifier is in a callback that is not about a failure.
    """
    if is_created_from_mapped(task):
        # The task of a mapped row is created when it runs. An error would be too late, and the notifier does no harm.
        return
    for owner, prefix, names in (
        (task, "", OTHER_CALLBACKS),
        (task.get_dag(), "DAG.", ("on_success_callback", "sla_miss_callback")),
    ):
        for name in names:
            for callback in callbacks_of(owner, name):
                if getattr(callback, "failures_only", False):
                    notifier = type(callback).__name__
                    reject(f"{prefix}{name}", notifier, _ALLOWED.format(notifier=notifier, only=ON_FAILURE))


def has_link(context: Mapping[str, Any]) -> bool:
    """Return whether the context has a link: the presigned URL, or the launch page's."""
    return context.get("presigned_url") is not None or bool(context.get("launch_url"))


def has_stop_warning(context: Mapping[str, Any]) -> bool:
    """Return whether the context announces a stop; such a context may have a launch page's URL as well."""
    return context.get("stop_warning") is not None


def nothing_to_send(context: Mapping[str, Any], callback: object) -> str:
    """
    Return why a callback has no failure to send, as a clause for the log; empty if it is about a failure.

    Airflow does not pass the kind of callback that it runs, so this derives it from the context: a DAG's callback has
    a ``reason``, a task's has the state and the exception. If these are missing (Airflow 3 passes neither for a task
    whose process was killed), it uses the task's lists of callbacks that contain the notifier.

    :param callback: the notifier, the same object as in those lists.
    """
    if "reason" in context:
        return _of_a_dag(context, callback)
    if any(key in context for key in _DEADLINE_KEYS):
        return "a deadline or an SLA was missed"
    return _of_a_task(context, callback)


def _of_a_dag(context: Mapping[str, Any], callback: object) -> str:
    lists = _lists_with(callback, context.get("dag"), (ON_FAILURE, "on_success_callback"))
    if context["reason"] == "success" or lists == {"on_success_callback"}:
        return "the DAG run succeeded"
    return ""


def _of_a_task(context: Mapping[str, Any], callback: object) -> str:
    ti, task = context.get("ti"), context.get("task")
    state = str(getattr(getattr(ti, "state", None), "value", None) or getattr(ti, "state", None) or "")
    if state == "failed":
        return ""
    if state in _OTHER_STATES:
        return f"the task is {state}"
    lists = _lists_with(callback, task, (ON_FAILURE, *OTHER_CALLBACKS))
    is_retry = ON_RETRY in lists and (ON_FAILURE not in lists or _will_be_retried(ti))
    retried = "the task will be retried"
    if context.get("exception"):
        return retried if is_retry else ""
    if "exception" in context:
        return "the task ended without an error"
    if ti is None and task is None:
        return "the context has no task that failed"
    if hasattr(ti, "start_date"):
        return "the task is still running"
    # What remains is Airflow 3's DAG processor, which runs the callbacks of tasks whose process was killed: it does not
    # know when the task started, so its task instance has no such attribute.
    if is_retry:
        return retried
    if (lists and ON_FAILURE not in lists) or not getattr(task, ON_FAILURE, True):
        return "it is not in the task's on_failure_callback"
    return ""


def _lists_with(callback: object, owner: object, names: tuple[str, ...]) -> set[str]:
    """Return which of a task's or a DAG's lists of callbacks contain the notifier."""
    return {name for name in names if any(other is callback for other in callbacks_of(owner, name))}


def callbacks_of(owner: object, name: str) -> tuple[Any, ...]:
    """Return a task's or a DAG's callbacks of a kind; on Airflow 2 a single one need not be in a list."""
    value = getattr(owner, name, None)
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _will_be_retried(ti: Any) -> bool:
    max_tries, try_number = getattr(ti, "max_tries", None), getattr(ti, "try_number", None)
    return isinstance(max_tries, int) and isinstance(try_number, int) and 0 < try_number <= max_tries
