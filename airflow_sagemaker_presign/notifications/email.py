"""The notebook's link by e-mail."""

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
    from airflow_sagemaker_presign.notifications.message import FailureMessage, LinkMessage

log = logging.getLogger(__name__)

_SENDER = "from_email (of the notifier, or in the extra of the connection)"


class _LoginRefused(SendFailed):
    """The mail server does not accept the connection's login."""


class NotebookUrlSmtpNotifier(NotebookUrlNotifier):
    """
    Sends a notebook's link by e-mail, as a button; as ``on_failure_callback``, what went wrong and what to do.

    The connection is Airflow's SMTP connection (its TLS, login, timeout and ``from_email`` count). If a mail service
    between it and the people counts clicks, turn that off there: it would see, and keep, the link.

    :param to: to whom (templated): an address, several in one text, or a list. The default is the operator's
        ``recipient``; without one the notifier fails and says so.
    :param cc: likewise, for those who get a copy; the link lets them in too.
    :param from_email: the sender (templated); default: the connection's ``from_email``.
    :param subject: the subject of the message with the link (templated); default: the notebook's name, and by when
        or through what to open it. A failure has a subject of its own.
    :param note: words of your own in the message with the link (templated); addresses in it become links.
    :param timezone: the IANA time zone in which the message says times (templated); default: Airflow's
        ``core.default_timezone``.
    :param smtp_conn_id: the Airflow connection (templated).
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
        self.to = _known("to", to)
        self.cc = None if cc is None else _known("cc", cc)
        self.from_email = None if from_email is None else _known("from_email", from_email)
        self.subject = optional_text("subject", subject)
        self.smtp_conn_id = smtp_conn_id

    def send_link(self, message: LinkMessage) -> None:
        """Mail the link."""
        self._send(message, *self._recipients())

    def send_failure(self, message: FailureMessage) -> None:
        """Mail why there is no link, to all of the recipients who can be reached."""
        unreachable: list[str] = []
        to = mailboxes_of("to", self.to, unreachable=unreachable)
        cc = mailboxes_of("cc", self.cc, unreachable=unreachable)
        if not to and not cc:
            mailboxes_of("to", self.to)
        if unreachable:
            log.warning("These are no e-mail addresses, and are not told: %s", ", ".join(map(repr, unreachable)))
        self._send(message, to or cc, cc if to else ())

    def check_recipient(self) -> None:
        """Raise a ``ValueError`` when an address is none, or the rendered message would go to nobody."""
        self._recipients()
        if self.from_email is not None and not is_template(self.from_email):
            mailboxes_of("from_email", self.from_email)

    def load_provider(self) -> None:
        """Import the SMTP provider, and see that its connection has all that a mail needs."""
        from airflow_sagemaker_presign.notifications import email_message, smtp_transaction  # noqa: F401
        from airflow_sagemaker_presign.notifications.connection_checks import check_smtp_connection

        connection = self._hook().get_connection(self.smtp_conn_id)
        check_smtp_connection(self.smtp_conn_id, connection, fewest_retries=fewest_retries())
        if not is_template(self.from_email):
            mailboxes_of(_SENDER, self.from_email or connection.extra_dejson.get("from_email"))

    def check_service(self) -> None:
        """Log in to the mail server: it alone knows whether it takes the password."""
        try:
            with self._connected():
                pass
        except _LoginRefused:
            raise
        except SendFailed as error:
            log.warning("The mail server could not be asked before the notebook is there, which may pass: %s", error)

    def _recipients(self) -> tuple[tuple[Mailbox, ...], tuple[Mailbox, ...]]:
        no_cc = self.cc is None or (isinstance(self.cc, (str, list, tuple)) and not self.cc)
        return mailboxes_of("to", self.to), () if no_cc else mailboxes_of("cc", self.cc)

    def _send(self, message: LinkMessage | FailureMessage, to: tuple[Mailbox, ...], cc: tuple[Mailbox, ...]) -> None:
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
        """Let the provider's hook connect, encrypt and log in."""
        import smtplib

        hook = self._hook()
        try:
            hook.get_conn()
        except smtplib.SMTPAuthenticationError as error:
            # With a 4xx the server says that it may take the login later.
            kind = SendFailed if 400 <= error.smtp_code < 500 else _LoginRefused
            raise kind(
                f"The mail server does not accept the login of the Airflow connection {self.smtp_conn_id!r} "
                f"({error.smtp_code}). Check its login and password."
            ) from None
        except UnicodeError as error:
            if getattr(error, "encoding", None) != "ascii":
                raise SendFailed(
                    f"The host of the Airflow connection {self.smtp_conn_id!r} is no name of a server. Correct it."
                ) from None
            # It holds the whole password.
            raise _LoginRefused(
                f"The login or password of the Airflow connection {self.smtp_conn_id!r} has letters beyond ASCII, "
                "which Python's smtplib cannot send. Have the mail account changed to one in ASCII."
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
    """Return with which ``retry_limit`` the provider tries at all: before 3.0.2 it took 0 for no attempt."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = re.findall(r"\d+", version("apache-airflow-providers-smtp"))
    except PackageNotFoundError:
        return 0
    return 0 if tuple(map(int, found[:3])) >= (3, 0, 2) else 1


def _client_of(hook: SmtpHook) -> smtplib.SMTP:
    """
    Find the hook's connected client.

    The hook has no public way to it, and its own ``send_email_smtp`` repeats a send whose outcome it does not know.

    :raises SendFailed: when it has none, or keeps it where it is not looked for.
    """
    import smtplib

    # The name without an underscore is the provider's before 2.3.
    client = next((getattr(hook, name) for name in ("_smtp_client", "smtp_client") if hasattr(hook, name)), hook)
    if client is None:
        raise SendFailed(
            f"The Airflow connection {hook.smtp_conn_id!r} has a `retry_limit` in its extra with which this version of "
            "the SMTP provider does not even try once. Make it 1 or more."
        )
    if not isinstance(client, smtplib.SMTP):
        raise SendFailed(
            "This version of the SMTP provider keeps its connection elsewhere. "
            "Install a version of airflow-sagemaker-presign that knows it."
        )
    return client


def _known(name: str, value: Any) -> Any:
    """Check the addresses that are known when the DAG file is parsed; keep a list where there was an iterable."""
    if is_template(value):
        # Another task's output says that it is iterable, and is not.
        return value
    value = value if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    items = value if isinstance(value, list) else [value]
    if not any(map(is_template, items)):
        mailboxes_of(name, value)
    return value
