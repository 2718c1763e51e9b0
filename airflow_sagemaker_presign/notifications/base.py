"""The base of the ready-made notifiers: one object sends links, stop warnings and, as a callback, failures."""

from __future__ import annotations

import copy
import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_sagemaker_presign.delivery.render_and_notify import render_and_notify
from airflow_sagemaker_presign.notifications.callback_kind import has_link, has_stop_warning, nothing_to_send
from airflow_sagemaker_presign.notifications.rendering import TemplatedNotifier, as_text
from airflow_sagemaker_presign.notifications.times import default_zone, zone_of
from airflow_sagemaker_presign.validation import is_template, reject

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import Context
    from airflow_sagemaker_presign.notifications.failure_message import FailureMessage
    from airflow_sagemaker_presign.notifications.link_message import LinkMessage
    from airflow_sagemaker_presign.notifications.stop_warning_message import StopWarningMessage

log = logging.getLogger(__name__)


class _NotAwaitable:
    """
    Replaces ``__await__`` in a class that is not awaitable although its base class is.

    Airflow's ``AsyncCallback``, the callback of a deadline, then rejects the class when the DAG file is parsed.
    """

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} sends links and failures, not missed deadlines; it is not awaitable")


class NotebookUrlNotifier(TemplatedNotifier):
    """
    Sends a notebook's link or a stop warning if the context has one; as ``on_failure_callback``, why a task or a DAG
    run failed.

    As any other callback it sends nothing, and logs why.

    :param note: the DAG author's own words in the message with the link, or in the stop warning (templated).
    :param timezone: the IANA time zone of the times in the message (templated); default: Airflow's
        ``core.default_timezone``.
    """

    template_fields: Sequence[str] = ("note", "timezone")
    link_fields: tuple[str, ...] = ("note", "timezone")
    """Template fields that a failure message does not have. They may refer to the link or the stop, so they are not
    rendered for it."""
    optional_fields: tuple[str, ...] = ("note", "timezone")
    failures_only = True
    """Makes the operators of this package reject the notifier as any callback other than ``on_failure_callback``."""
    __await__: Any = _NotAwaitable()

    def __init__(self, *, note: str | None = None, timezone: str | None = None) -> None:
        super().__init__()
        if timezone is not None and not is_template(timezone):
            zone_of(timezone)
        self.note = optional_text("note", note)
        self.timezone = timezone

    def __call__(self, *args: Any) -> None:
        """
        Send the link or the stop warning, or report the failure, depending on the context.

        With ``stop_warning`` or a link (``presigned_url`` or ``launch_url``) in the context the object itself renders
        and sends. As a callback it works on a copy: a callback may be called more than once, and rendering changes a
        notifier for good.
        """
        # Airflow 2 passes several arguments when an SLA was missed.
        context: Any = args[0] if len(args) == 1 else {"blocking_tis": args}
        if has_stop_warning(context) or has_link(context):
            render_and_notify(self, context)
        elif why := nothing_to_send(context, self):
            log.warning(
                "%s sent nothing: it is for links and failures only, and %s. Use it as on_failure_callback only.",
                type(self).__name__,
                why,
            )
        else:
            from airflow_sagemaker_presign.notifications.failure_callback import send_failure_notification

            notifier = copy.copy(self)
            for name in self.link_fields:
                setattr(notifier, name, None)
            send_failure_notification(notifier, context)

    def prepare(self, context: Mapping[str, Any]) -> None:
        """
        Check everything that can be known without sending, and load what the send needs.

        Templates that refer to the notebook's description, the URL or the stop warning are not checked: they can be
        rendered only once the notebook is InService, or about to be stopped.

        :param context: Airflow's context, with ``recipient``; the notifier stays unchanged.
        :raises ValueError: if a template cannot be rendered, or the message has no recipient.
        :raises AirflowException: if the provider or its connection is missing, or cannot be used to send.
        """
        ready = copy.copy(self)
        known = {**context, **{name: getattr(self, name) for name in self.template_fields}}
        later = {name for name in self.template_fields if not ready.render_before_start(name, known)}
        if ready.timezone and "timezone" not in later:
            zone_of(ready.timezone)
        recipient_is_known = later.isdisjoint(self.recipient_fields)
        if recipient_is_known:
            ready.check_recipient()
        if not any(name.endswith("_conn_id") for name in later):
            ready.load_provider()
            if recipient_is_known:
                ready.check_service()

    @abstractmethod
    def check_recipient(self) -> None:
        """Raise a ``ValueError`` if the rendered message has no recipient."""

    @abstractmethod
    def load_provider(self) -> None:
        """Import the provider, and check that there is a connection to send with."""

    def check_service(self) -> None:
        """Check what the service can confirm without sending a message; a transient outage is not an error."""

    def notify(self, context: Context) -> None:
        """Write the message, then send it."""
        known: Mapping[str, Any] = {**context}
        if has_stop_warning(known):
            from airflow_sagemaker_presign.notifications.stop_warning_message import stop_warning_message

            note = as_text(self.note)
            self.send_warning(stop_warning_message(known, note=note, zone=self._zone(), now=datetime.now(UTC)))
        elif has_link(known):
            from airflow_sagemaker_presign.notifications.link_message import link_message

            self.send_link(link_message(known, note=as_text(self.note), zone=self._zone()))
        else:
            from airflow_sagemaker_presign.notifications.failure_message import failure_message

            self.send_failure(failure_message(known))

    def _zone(self) -> tzinfo:
        return zone_of(self.timezone) if self.timezone else default_zone()

    @abstractmethod
    def send_link(self, message: LinkMessage) -> None:
        """Send the message with the link, once."""

    def send_warning(self, message: StopWarningMessage) -> None:
        """Send the message that the notebook will be stopped, once; a subclass for links alone need not define it."""
        raise NotImplementedError(f"{type(self).__name__} sends no stop warnings; define send_warning")

    @abstractmethod
    def send_failure(self, message: FailureMessage) -> None:
        """Send the message about the failure, once."""


def optional_text(name: str, value: object) -> Any:
    """Check a parameter that takes a text, a template or ``None``."""
    if value is not None and not isinstance(value, str) and not is_template(value):
        reject(name, value, "a string or None")
    return value
