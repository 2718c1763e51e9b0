"""The ready-made notifiers as ``on_failure_callback``: send the failure, or raise an error that says why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_sagemaker_presign.delivery.render_and_notify import render_and_notify
from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.notifications.failed_task import value_of
from airflow_sagemaker_presign.notifications.rendering import TemplatedNotifier

_ADVICE = (
    "Give the notifier in on_failure_callback a fixed recipient: a templated one may be unknown if the task fails "
    "before its templates are rendered, or if a whole DAG run fails."
)


def send_failure_notification(notifier: TemplatedNotifier, context: Mapping[str, Any]) -> None:
    """
    Render and send. A recipient that is not known is left out as long as there is another one.

    :param notifier: a copy of the notifier; it changes.
    :raises SendFailed: if the message was sent to nobody, with the intended recipient and the reason.
    """
    known = {**context, "recipient": _recipient(context)}
    unknown: list[str] = []

    def render(rendering_context: Mapping[str, Any]) -> None:
        written = {name: getattr(notifier, name) for name in notifier.template_fields}
        errors = notifier.render_known_fields(rendering_context)
        unknown.extend(
            f"{name}={written[name]!r} cannot be rendered ({type(error).__name__})" for name, error in errors.items()
        )
        for name, error in errors.items():
            if name not in notifier.recipient_fields:
                raise _nobody_notified(context, unknown) from error

    try:
        render_and_notify(notifier, known, render=render)
    except ValueError as error:
        raise _nobody_notified(context, [*unknown, str(error).rstrip(".")]) from None


def _nobody_notified(context: Mapping[str, Any], reasons: list[str]) -> SendFailed:
    from airflow_sagemaker_presign.minting.redaction import redact
    from airflow_sagemaker_presign.notifications.failure_message import failure_message

    title = failure_message(context).title
    return SendFailed(redact(f"Nobody was notified of “{title}”: {'; '.join(reasons)}. {_ADVICE}"))


def _recipient(context: Mapping[str, Any]) -> Any:
    """Return the recipient of the failed task's link; ``None`` if it is not known any more."""
    if (recipient := context.get("recipient")) is not None:
        return recipient
    return value_of(context, "recipient")
