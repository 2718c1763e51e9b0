"""A ready-made notifier as ``on_failure_callback``: tell somebody, or say in the log why nobody could be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.notifications.failed_task import value_of

if TYPE_CHECKING:
    from airflow_sagemaker_presign.notifications.base import NotebookUrlNotifier
    from airflow_sagemaker_presign.notifications.message import FailureMessage

_ADVICE = (
    "Give the notifier in on_failure_callback a fixed recipient: one that comes out of a template is not known when a "
    "task fails before its templates are rendered, nor for a whole DAG."
)


def send_failure_notification(notifier: NotebookUrlNotifier, context: Mapping[str, Any]) -> None:
    """
    Render and send.

    A recipient that cannot be known is left out as long as there is another.

    :param notifier: a copy, which changes.
    :param context: what Airflow gives a callback.
    :raises SendFailed: when nobody could be told, with whom it was to be and why not.
    """
    known = {**context, "recipient": _recipient(context)}
    known.update({name: getattr(notifier, name) for name in notifier.template_fields})
    unknown: list[str] = []
    for name in notifier.template_fields:
        written = getattr(notifier, name)
        try:
            setattr(notifier, name, notifier.rendered(name, known))
        except Exception as error:
            unknown.append(f"{name}={written!r} cannot be rendered ({type(error).__name__})")
            setattr(notifier, name, None)
            if name not in notifier.recipient_fields:
                raise _nobody_notified(context, unknown) from error
    try:
        notifier.notify(known)  # type: ignore[arg-type]
    except ValueError as error:
        raise _nobody_notified(context, [*unknown, str(error).rstrip(".")]) from None


def message_of(context: Mapping[str, Any]) -> FailureMessage:
    """Write the message about the DAG's run, or the task, that failed."""
    from airflow_sagemaker_presign.notifications.dag_message import dag_failure_message
    from airflow_sagemaker_presign.notifications.message import failure_message

    return dag_failure_message(context) if "reason" in context else failure_message(context)


def _nobody_notified(context: Mapping[str, Any], reasons: list[str]) -> SendFailed:
    from airflow_sagemaker_presign.minting.redaction import redact

    title = message_of(context).title
    return SendFailed(redact(f"Nobody was told “{title}”: {'; '.join(reasons)}. {_ADVICE}"))


def _recipient(context: Mapping[str, Any]) -> Any:
    """Whom the failed task would have sent its link to; ``None`` where that cannot be known any more."""
    if (recipient := context.get("recipient")) is not None:
        return recipient
    return value_of(context, "recipient")
