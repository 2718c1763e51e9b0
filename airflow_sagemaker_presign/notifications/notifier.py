"""What the ready-made notifiers have in common: one object for the link, and for why there is none."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_sagemaker_presign.notifications.times import default_zone, zone_of
from airflow_sagemaker_presign.parameters import is_template, refuse

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_sagemaker_presign.notifications.message import FailureMessage, LinkMessage


class NotebookUrlNotifier(BaseNotifier):
    """
    Sends a notebook's link where the context has one, else (as ``on_failure_callback``) why there is none.

    :param note: the DAG author's own words in the message with the link (templated).
    :param timezone: the IANA time zone in which the message says times (templated); default: Airflow's
        ``core.default_timezone``.
    """

    template_fields: Sequence[str] = ("note", "timezone")
    link_fields: tuple[str, ...] = ("note",)
    """Template fields that only the message with the link has; they may speak of the link, so they are not rendered
    for a failure."""

    def __init__(self, *, note: str | None = None, timezone: str | None = None) -> None:
        super().__init__()
        if timezone is not None and not is_template(timezone):
            zone_of(timezone)
        self.note = optional_text("note", note)
        self.timezone = timezone

    def __call__(self, *args: Any) -> None:
        """
        Send the message that the context asks for.

        With a link (``presigned_url`` or ``door_url``) in the context the object itself renders and sends. As a
        callback it is called maybe more than once; so that works on a copy, since rendering changes a notifier for
        good.
        """
        (context,) = args
        if _has_link(context):
            self._render_and_notify(context)
            return
        notifier = copy.copy(self)
        for name in self.link_fields:
            setattr(notifier, name, None)
        notifier._render_and_notify({**context, "recipient": _recipient(context)})

    def _render_and_notify(self, context: Any) -> None:
        # What Airflow's own call does, but for Airflow 2's, which logs why a send failed and goes on as if it had not.
        context.update({name: getattr(self, name) for name in self.template_fields})
        self.render_template_fields(context)
        self.notify(context)

    def prepare(self, context: Mapping[str, Any]) -> None:
        """
        Fail now rather than when the link is there, and load what the send will need.

        :param context: Airflow's, with ``recipient``; the notifier stays as it is.
        :raises ValueError: when the message would go to nobody.
        :raises AirflowException: when the provider or its connection is missing.
        """
        from jinja2 import UndefinedError

        notifier = copy.copy(self)
        for name in self.link_fields:
            setattr(notifier, name, None)
        try:
            notifier.render_template_fields({**context})  # type: ignore[typeddict-item]
        except UndefinedError:
            # It speaks of what is known only later, such as the notebook's description.
            return
        if notifier.timezone:
            zone_of(notifier.timezone)
        notifier.check_recipient()
        notifier.load_provider()

    @abstractmethod
    def check_recipient(self) -> None:
        """Raise a ``ValueError`` when the rendered message would go to nobody."""

    @abstractmethod
    def load_provider(self) -> None:
        """Import the provider, and see that there is a connection."""

    def notify(self, context: Context) -> None:
        """Write the message, then send it."""
        from airflow_sagemaker_presign.notifications.message import failure_message, link_message

        known: Mapping[str, Any] = {**context}
        if not _has_link(known):
            self.send_failure(failure_message(known))
            return
        zone = zone_of(self.timezone) if self.timezone else default_zone()
        self.send_link(link_message(known, note=str(self.note or ""), zone=zone))

    @abstractmethod
    def send_link(self, message: LinkMessage) -> None:
        """Send the message with the link, once."""

    @abstractmethod
    def send_failure(self, message: FailureMessage) -> None:
        """Send the message that says why there is no link, once."""


def optional_text(name: str, value: object) -> Any:
    """Check a parameter that takes a text, a template or nothing."""
    if value is not None and not isinstance(value, str) and not is_template(value):
        refuse(name, value, "a text or None")
    return value


def no_recipient(value: object) -> bool:
    """Tell whether a rendered recipient is nobody: a missing one renders to ``None``."""
    return value is None or str(value).strip() in ("", "None")


def _has_link(context: Mapping[str, Any]) -> bool:
    return context.get("presigned_url") is not None or bool(context.get("door_url"))


def _recipient(context: Mapping[str, Any]) -> Any:
    """Whom the failed task would have sent its link to; ``None`` where that cannot be known any more."""
    recipient = context.get("recipient") or getattr(context.get("task"), "recipient", None)
    return None if is_template(recipient) else recipient
