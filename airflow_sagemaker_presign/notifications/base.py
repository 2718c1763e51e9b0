"""What the ready-made notifiers have in common: one object for the link, and for why there is none."""

from __future__ import annotations

import copy
import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_sagemaker_presign.compat import BaseNotifier
from airflow_sagemaker_presign.notifications.callback_kind import CallbackKind, callback_kind_of, has_link
from airflow_sagemaker_presign.notifications.times import default_zone, zone_of
from airflow_sagemaker_presign.validation import is_template, reject

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import Context
    from airflow_sagemaker_presign.notifications.message import FailureMessage, LinkMessage

log = logging.getLogger(__name__)


class _NotAwaitable:
    """
    What a class has in place of ``__await__`` when it is not awaitable, though its base is.

    So Airflow's ``AsyncCallback``, which a deadline takes, refuses it where the DAG is written.
    """

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} tells of a link or a failure, not of a deadline; it is not awaitable")


class NotebookUrlNotifier(BaseNotifier):
    """
    Sends a notebook's link where the context has one; as ``on_failure_callback`` why a task or a DAG failed.

    As any other callback it sends nothing, and logs why.

    :param note: the DAG author's own words in the message with the link (templated).
    :param timezone: the IANA time zone in which the message says times (templated); default: Airflow's
        ``core.default_timezone``.
    """

    template_fields: Sequence[str] = ("note", "timezone")
    link_fields: tuple[str, ...] = ("note", "timezone")
    """Template fields that only the message with the link has; they may speak of the link, so they are not rendered
    for a failure."""
    optional_fields: tuple[str, ...] = ("note", "timezone")
    """Template fields that may come to nothing: the word ``None``, which a missing value renders to, counts as that."""
    native_fields: tuple[str, ...] = ()
    """Template fields that may become a list, in a DAG that renders native objects; all others are texts."""
    recipient_fields: tuple[str, ...] = ()
    """Template fields that say who gets the message."""
    failures_only = True
    """For the operators, which refuse it as another callback where the DAG is written."""
    __await__: Any = _NotAwaitable()

    def __init__(self, *, note: str | None = None, timezone: str | None = None) -> None:
        super().__init__()
        if timezone is not None and not is_template(timezone):
            zone_of(timezone)
        self.note = optional_text("note", note)
        self.timezone = timezone

    def __call__(self, *args: Any) -> None:
        """
        Send the message that the context asks for.

        With a link (``presigned_url`` or ``launch_url``) in the context the object itself renders and sends. As a
        callback it is called maybe more than once; so that works on a copy, since rendering changes a notifier for
        good.
        """
        # With several arguments Airflow 2 tells of an SLA that was missed.
        context: Any = args[0] if len(args) == 1 else {"blocking_tis": args}
        kind, why = callback_kind_of(context, self)
        if kind is CallbackKind.LINK:
            # What Airflow's own call does, but for Airflow 2's, which logs why a send failed and goes on.
            context.update({name: getattr(self, name) for name in self.template_fields})
            self.render_template_fields(context)
            self.notify(context)
        elif kind is CallbackKind.NOTHING:
            log.warning(
                "%s has sent nothing: it tells of a link or a failure, and %s. Use it as on_failure_callback only.",
                type(self).__name__,
                why,
            )
        else:
            self._send_failure_notification(context)

    def _send_failure_notification(self, context: Mapping[str, Any]) -> None:
        from airflow_sagemaker_presign.notifications.failure_callback import send_failure_notification

        notifier = copy.copy(self)
        for name in self.link_fields:
            setattr(notifier, name, None)
        send_failure_notification(notifier, context)

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render the fields in place, for good; each by itself, so that an error can name it."""
        for name in self.template_fields:
            setattr(self, name, self.rendered(name, context))

    def rendered(self, name: str, context: Mapping[str, Any]) -> Any:
        """Render one field and leave it as it is."""
        from airflow_sagemaker_presign.notifications.rendering import environment_of

        written = getattr(self, name)
        if written is None or (isinstance(written, str) and "{" not in written):
            return written
        native = name in self.native_fields
        value = self.render_template(written, context, environment_of(self, context, native=native), set())  # type: ignore[arg-type]
        return None if name in self.optional_fields and value == "None" != written else value

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        from jinja2.nativetypes import NativeEnvironment

        # Airflow's own goes by the DAG's setting whatever the template's environment is.
        if isinstance(template.environment, NativeEnvironment):
            return super()._render(template, context, dag)
        return template.render(context)

    def prepare(self, context: Mapping[str, Any]) -> None:
        """
        Fail now rather than when the link is there, and load what the send will need.

        Everything is checked that can be known without sending; what speaks of the notebook's description or of the
        URL is left until there is one.

        :param context: Airflow's, with ``recipient``; the notifier stays as it is.
        :raises ValueError: when a template cannot be rendered, or the message would go to nobody.
        :raises AirflowException: when the provider or its connection is missing, or they are not fit to send with.
        """
        from airflow_sagemaker_presign.notifications.preparation import prepare

        prepare(self, context)

    @abstractmethod
    def check_recipient(self) -> None:
        """Raise a ``ValueError`` when the rendered message would go to nobody."""

    @abstractmethod
    def load_provider(self) -> None:
        """Import the provider, and see that there is a connection to send with."""

    def check_service(self) -> None:
        """Ask the service what it can say without a message; what may pass is not an error yet."""

    def notify(self, context: Context) -> None:
        """Write the message, then send it."""
        from airflow_sagemaker_presign.notifications.rendering import as_text

        known: Mapping[str, Any] = {**context}
        if has_link(known):
            from airflow_sagemaker_presign.notifications.message import link_message

            zone = zone_of(self.timezone) if self.timezone else default_zone()
            self.send_link(link_message(known, note=as_text(self.note), zone=zone))
            return
        from airflow_sagemaker_presign.notifications.failure_callback import message_of

        self.send_failure(message_of(known))

    @abstractmethod
    def send_link(self, message: LinkMessage) -> None:
        """Send the message with the link, once."""

    @abstractmethod
    def send_failure(self, message: FailureMessage) -> None:
        """Send the message that says why there is no link, once."""


def optional_text(name: str, value: object) -> Any:
    """Check a parameter that takes a text, a template or nothing."""
    if value is not None and not isinstance(value, str) and not is_template(value):
        reject(name, value, "a text or None")
    return value
