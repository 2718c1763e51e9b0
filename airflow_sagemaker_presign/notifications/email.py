"""The notifier that sends the notebook's link by e-mail."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.compat import AirflowException
from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.notifications.base import NotebookUrlNotifier, optional_text
from airflow_sagemaker_presign.notifications.email_addresses import mailboxes_of
from airflow_sagemaker_presign.validation import is_template

if TYPE_CHECKING:
    import smtplib

    from airflow.providers.smtp.hooks.smtp import SmtpHook

    from airflow_sagemaker_presign.notifications.email_addresses import Mailbox
    from airflow_sagemaker_presign.notifications.email_message import Message
    from airflow_sagemaker_presign.notifications.failure_message import FailureMessage
    from airflow_sagemaker_presign.notifications.link_message import LinkMessage
    from airflow_sagemaker_presign.notifications.stop_warning_message import StopWarningMessage

__all__ = ["NotebookUrlSmtpNotifier"]

log = logging.getLogger(__name__)

_SENDER = "from_email (of the notifier, or in the extra of the connection)"


class _LoginRefused(SendFailed):
    """The mail server does not accept the connection's login."""


class NotebookUrlSmtpNotifier(NotebookUrlNotifier):
    """
    Sends a notebook's link or a stop warning by e-mail, with a button; as ``on_failure_callback``, what went wrong.

    The connection is Airflow's SMTP connection; its TLS, login, timeout and ``from_email`` apply. If a mail service
    between it and the recipients tracks clicks, turn that off there: it would see, and store, the link.

    :param to: the recipients (templated): an address, several in one text, or a list. The default is the operator's
        ``recipient``; without one the notifier raises an error.
    :param cc: the recipients of a copy, in the same forms; the link gives them access, too.
    :param from_email: the sender (templated); default: the connection's ``from_email``.
    :param subject: the subject of the message with the link (templated); default: the notebook's name and how long,
        or how, to open it. A failure has its own subject.
    :param note: your own words in the message with the link (templated); addresses in it become links.
    :param timezone: the IANA time zone of the times in the message (templated); default: Airflow's
        ``core.default_timezone``.
    :param smtp_conn_id: the Airflow connection (templated).
    :raises ValueError: if a parameter is not valid.
    """

    template_fields: Sequence[str] = (
        *NotebookUrlNotifier.template_fields,
        "to",
        "cc",
        "from_email",
        "subject",
        "smtp_conn_id",
    )
    link_fields = (*NotebookUrlNotifier.link_fields, "subject")
    optional_fields = (*NotebookUrlNotifier.optional_fields, "subject", "from_email")
    native_fields = ("to", "cc")
    recipient_fields = ("to", "cc", "from_email")

    def __init__(
        self,
        *,
        to: str | Iterable[str] = "{{ recipient }}",
        cc: str | Iterable[str] | None = None,
        from_email: str | None = None,
        subject: str | None = None,
        note: str | None = None,
        timezone: str | None = None,
        smtp_conn_id: str = "smtp_default",
    ) -> None:
        super().__init__(note=note, timezone=timezone)
        self.to = _checked_addresses("to", to)
        self.cc = None if cc is None else _checked_addresses("cc", cc)
        self.from_email = None if from_email is None else _checked_addresses("from_email", from_email)
        self.subject = optional_text("subject", subject)
        self.smtp_conn_id = smtp_conn_id

    def send_link(self, message: LinkMessage) -> None:
        """Mail the message with the link."""
        self._send(message, *self._recipients())

    def send_warning(self, message: StopWarningMessage) -> None:
        """Mail the message that the notebook will be stopped."""
        self._send(message, *self._recipients())

    def send_failure(self, message: FailureMessage) -> None:
        """Mail the message about the failure to all recipients with a valid address."""
        unreachable: list[str] = []
        to = mailboxes_of("to", self.to, unreachable=unreachable)
        cc = mailboxes_of("cc", self.cc, unreachable=unreachable)
        if not to and not cc:
            mailboxes_of("to", self.to)
        if unreachable:
            log.warning("Skipped recipients that are not e-mail addresses: %s", ", ".join(map(repr, unreachable)))
        self._send(message, to or cc, cc if to else ())

    def check_recipient(self) -> None:
        """Raise a ``ValueError`` if an address is not valid, or the rendered message has no recipient."""
        self._recipients()
        if self.from_email is not None and not is_template(self.from_email):
            mailboxes_of("from_email", self.from_email)

    def load_provider(self) -> None:
        """Import the SMTP provider, and check that its connection has everything that a mail needs."""
        from airflow_sagemaker_presign.notifications import email_message, smtp_transaction  # noqa: F401
        from airflow_sagemaker_presign.notifications.connection_checks import check_smtp_connection

        connection = self._hook().get_connection(self.smtp_conn_id)
        check_smtp_connection(self.smtp_conn_id, connection, fewest_retries=fewest_retries())
        if not is_template(self.from_email):
            mailboxes_of(_SENDER, self.from_email or connection.extra_dejson.get("from_email"))

    def check_service(self) -> None:
        """Log in to the mail server: nothing else shows whether it accepts the password."""
        try:
            with self._connected():
                pass
        except _LoginRefused:
            raise
        except SendFailed as error:
            log.warning(
                "The mail server could not be checked before the notebook starts; this may be transient: %s", error
            )

    def _recipients(self) -> tuple[tuple[Mailbox, ...], tuple[Mailbox, ...]]:
        no_cc = self.cc is None or (isinstance(self.cc, (str, list, tuple)) and not self.cc)
        return mailboxes_of("to", self.to), () if no_cc else mailboxes_of("cc", self.cc)

    def _send(self, message: Message, to: tuple[Mailbox, ...], cc: tuple[Mailbox, ...]) -> None:
        from airflow_sagemaker_presign.notifications.email_message import build_mail
        from airflow_sagemaker_presign.notifications.rendering import as_text
        from airflow_sagemaker_presign.notifications.smtp_transaction import send_once

        with self._connected() as hook:
            sender = mailboxes_of(_SENDER, self.from_email or hook.from_email)[0]
            mail = build_mail(message, sender=sender, to=to, cc=cc, subject=as_text(self.subject))
            recipients = tuple(dict.fromkeys(mailbox.spec for mailbox in (*to, *cc)))
            send_once(_client_of(hook), mail, sender.spec, recipients)

    def _hook(self) -> SmtpHook:
        try:
            from airflow.providers.smtp.hooks.smtp import SmtpHook
        except ImportError as error:
            raise SendFailed(
                "The SMTP provider is not installed. Install airflow-sagemaker-presign[smtp] where the tasks run."
            ) from error
        return SmtpHook(smtp_conn_id=self.smtp_conn_id)

    def _connected(self) -> SmtpHook:
        """Connect, encrypt and log in with the provider's hook."""
        import smtplib

        hook = self._hook()
        try:
            hook.get_conn()
        except smtplib.SMTPAuthenticationError as error:
            # A 4xx is a temporary error: the server may accept the login later.
            kind = SendFailed if 400 <= error.smtp_code < 500 else _LoginRefused
            raise kind(
                f"The mail server does not accept the login of the Airflow connection {self.smtp_conn_id!r} "
                f"({error.smtp_code}). Check its login and password."
            ) from None
        except UnicodeError as error:
            if getattr(error, "encoding", None) != "ascii":
                raise SendFailed(
                    f"The host of the Airflow connection {self.smtp_conn_id!r} is not a server's name. Correct it."
                ) from None
            # The error holds the whole password, hence `from None`.
            raise _LoginRefused(
                f"The login or password of the Airflow connection {self.smtp_conn_id!r} has non-ASCII letters, "
                "which Python's smtplib cannot send. Use a mail account whose login and password are in ASCII."
            ) from None
        except (smtplib.SMTPException, OSError, AirflowException, RuntimeError, ValueError) as error:
            reason = str(error).rstrip(".")
            raise SendFailed(
                f"The mail server of the Airflow connection {self.smtp_conn_id!r} could not be reached: {reason}. "
                "Check its host and port, and `disable_ssl` and `disable_tls` in its extra."
            ) from error
        _client_of(hook)
        return hook


def fewest_retries() -> int:
    """Return the lowest ``retry_limit`` with which the provider makes an attempt: before 3.0.2, 0 means none."""
    from importlib.metadata import PackageNotFoundError, version

    # `test_the_lowest_retry_limit_is_the_installed_providers` tries it with the provider of each Airflow.
    try:
        found = re.findall(r"\d+", version("apache-airflow-providers-smtp"))
    except PackageNotFoundError:
        return 0
    return 0 if tuple(map(int, found[:3])) >= (3, 0, 2) else 1


def _client_of(hook: SmtpHook) -> smtplib.SMTP:
    """
    Return the hook's connected client.

    The hook has no public name for it, and its own ``send_email_smtp`` repeats a send whose outcome is unknown.

    :raises SendFailed: if the hook has no client, or an unknown version of the provider keeps it elsewhere.
    """
    import smtplib

    # Before 2.3 the provider's name for it has no underscore. With the provider of each Airflow,
    # `test_the_providers_hook_still_keeps_its_client_where_we_look` fails if there is a third name.
    client = next((getattr(hook, name) for name in ("_smtp_client", "smtp_client") if hasattr(hook, name)), hook)
    if client is None:
        raise SendFailed(
            f"The Airflow connection {hook.smtp_conn_id!r} has a `retry_limit` in its extra with which this version of "
            "the SMTP provider makes no attempt at all. Set it to 1 or more."
        )
    if not isinstance(client, smtplib.SMTP):
        raise SendFailed(
            "This version of airflow-sagemaker-presign does not support the installed version of the SMTP provider. "
            "Install a newer version of airflow-sagemaker-presign."
        )
    return client


def _checked_addresses(name: str, value: Any) -> Any:
    """Check the addresses that are known when the DAG file is parsed; turn an iterable into a list."""
    if is_template(value):
        # Another task's output is registered as iterable, but cannot be iterated.
        return value
    value = value if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    items = value if isinstance(value, list) else [value]
    if not any(map(is_template, items)):
        mailboxes_of(name, value)
    return value
