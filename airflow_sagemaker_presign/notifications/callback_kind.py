"""For what a notifier is called: to bring a link, to tell of a failure, or for something that is not its to tell."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from airflow_sagemaker_presign.validation import reject

_ALLOWED = (
    "another callback: {notifier} tells of a link or a failure, so it can be in notifiers and on_failure_callback only"
)


def reject_other_callbacks(task: Any) -> None:
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
                if getattr(callback, "failures_only", False):
                    notifier = type(callback).__name__
                    reject(f"{prefix}{name}", notifier, _ALLOWED.format(notifier=notifier))


ON_FAILURE, ON_RETRY = "on_failure_callback", "on_retry_callback"
OTHER_CALLBACKS = ("on_success_callback", "on_execute_callback", "on_skipped_callback", ON_RETRY)
"""A task's callbacks that tell of no failure."""

_ENDED_OTHERWISE = ("success", "skipped", "up_for_retry", "up_for_reschedule", "deferred")
_DEADLINES = ("deadline", "slas", "blocking_tis", "task_list")


class CallbackKind(Enum):
    """What there is to tell."""

    LINK = auto()
    TASK_FAILED = auto()
    DAG_FAILED = auto()
    NOTHING = auto()


class Called(NamedTuple):
    """
    For what a notifier was called.

    :param kind: what there is to tell.
    :param why: for ``NOTHING``: what it was called for instead.
    """

    kind: CallbackKind
    why: str = ""


def has_link(context: Mapping[str, Any]) -> bool:
    """Return whether the context brings a link: the presigned URL, or the launch page."""
    return context.get("presigned_url") is not None or bool(context.get("launch_url"))


def callback_kind_of(context: Mapping[str, Any], callback: object = None) -> Called:
    """
    Decide for what a notifier is called.

    Airflow does not say which callback it runs; this goes by what it puts into the context: a ``reason`` for a DAG's
    callback, and for a task's the state and the exception. Where these are missing (Airflow 3 tells of a task whose
    process was killed with neither) it goes by the lists of the task that the notifier is in.

    :param context: what Airflow calls with.
    :param callback: the notifier, as the DAG's author put it into such lists.
    """
    if has_link(context):
        return Called(CallbackKind.LINK)
    if "reason" in context:
        return _of_a_dag(context, callback)
    if any(key in context for key in _DEADLINES):
        return Called(CallbackKind.NOTHING, "a deadline or an SLA was missed")
    return _of_a_task(context, callback)


def _of_a_dag(context: Mapping[str, Any], callback: object) -> Called:
    lists = _lists_with(callback, context.get("dag"), (ON_FAILURE, "on_success_callback"))
    if context["reason"] == "success" or lists == {"on_success_callback"}:
        return Called(CallbackKind.NOTHING, "the DAG run succeeded")
    return Called(CallbackKind.DAG_FAILED)


def _of_a_task(context: Mapping[str, Any], callback: object) -> Called:
    ti, task = context.get("ti"), context.get("task")
    state = str(getattr(getattr(ti, "state", None), "value", None) or getattr(ti, "state", None) or "")
    if state == "failed":
        return Called(CallbackKind.TASK_FAILED)
    if state in _ENDED_OTHERWISE:
        return Called(CallbackKind.NOTHING, f"the task is {state}")
    lists = _lists_with(callback, task, (ON_FAILURE, *OTHER_CALLBACKS))
    is_retry = ON_RETRY in lists and (ON_FAILURE not in lists or _is_retried(ti))
    if context.get("exception"):
        return Called(CallbackKind.NOTHING, "the task is tried again") if is_retry else Called(CallbackKind.TASK_FAILED)
    if "exception" in context:
        return Called(CallbackKind.NOTHING, "the task ended without an error")
    if ti is None and task is None:
        return Called(CallbackKind.NOTHING, "nothing in the context speaks of a task that failed")
    if hasattr(ti, "start_date"):
        return Called(CallbackKind.NOTHING, "the task is still running")
    # What is left is Airflow 3's DAG processor, which runs the callbacks of tasks whose process was killed: it does
    # not know when the task began, so its task instance does not even have the attribute.
    if is_retry:
        return Called(CallbackKind.NOTHING, "the task is tried again")
    if (lists and ON_FAILURE not in lists) or not getattr(task, ON_FAILURE, True):
        return Called(CallbackKind.NOTHING, "it is not among the task's on_failure_callback")
    return Called(CallbackKind.TASK_FAILED)


def _lists_with(callback: object, owner: object, names: tuple[str, ...]) -> set[str]:
    """Return in which of a task's or a DAG's lists of callbacks the notifier is."""
    return {name for name in names if any(other is callback for other in callbacks_of(owner, name))}


def callbacks_of(owner: object, name: str) -> tuple[Any, ...]:
    """List a task's or a DAG's callbacks of a kind; on Airflow 2 it may be one that is in no list."""
    value = getattr(owner, name, None)
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _is_retried(ti: Any) -> bool:
    max_tries, try_number = getattr(ti, "max_tries", None), getattr(ti, "try_number", None)
    return isinstance(max_tries, int) and isinstance(try_number, int) and 0 < try_number <= max_tries
