"""The notebook's link by e-mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

from airflow_sagemaker_presign.notifications.addresses import mailboxes_of
from airflow_sagemaker_presign.notifications.notifier import NotebookUrlNotifier, optional_text
from airflow_sagemaker_presign.notifications.outcome import SendFailed
from airflow_sagemaker_presign.parameters import is_template

if TYPE_CHECKING:
    import smtplib

    from airflow.providers.smtp.hooks.smtp import SmtpHook

    from airflow_sagemaker_presign.notifications.message import FailureMessage, LinkMessage


_SENDER = "from_email (of the notifier, or in the extra of the connection)"


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
        self._send(message)

    def send_failure(self, message: FailureMessage) -> None:
        """Mail why there is no link."""
        self._send(message)

    def _send(self, message: LinkMessage | FailureMessage) -> None:
        from airflow_sagemaker_presign.notifications.mail import build_mail
        from airflow_sagemaker_presign.notifications.smtp_transaction import send_once

        to = mailboxes_of("to", self.to)
        cc = mailboxes_of("cc", self.cc) if self.cc else ()
        with self._connected() as hook:
            sender = mailboxes_of(_SENDER, self.from_email or hook.from_email)[0]
            mail = build_mail(message, sender=sender, to=to, cc=cc, subject=self.subject)
            recipients = tuple(dict.fromkeys(mailbox.spec for mailbox in (*to, *cc)))
            send_once(_client_of(hook), mail, sender.spec, recipients)

    def check_recipient(self) -> None:
        """Raise a ``ValueError`` when the rendered message would go to nobody."""
        mailboxes_of("to", self.to)

    def load_provider(self) -> None:
        """Import the SMTP provider, and see that there is a connection."""
        from airflow_sagemaker_presign.notifications import mail, smtp_transaction  # noqa: F401

        self._hook().get_connection(self.smtp_conn_id)

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
            return hook.get_conn()
        except smtplib.SMTPAuthenticationError as error:
            raise SendFailed(
                f"The mail server does not accept the login of the Airflow connection {self.smtp_conn_id!r} "
                f"({error.smtp_code}). Check its login and password."
            ) from None
        except (smtplib.SMTPException, OSError, AirflowException) as error:
            reason = str(error).rstrip(".")
            raise SendFailed(
                f"The mail server of the Airflow connection {self.smtp_conn_id!r} could not be reached: {reason}. "
                "Check its host and port, and `disable_ssl` and `disable_tls` in its extra."
            ) from error


def _client_of(hook: SmtpHook) -> smtplib.SMTP:
    """
    Answer the hook's connected client.

    The hook has no public way to it, and its own ``send_email_smtp`` repeats a send whose outcome it does not know.
    """
    import smtplib

    client = getattr(hook, "_smtp_client", None)
    if not isinstance(client, smtplib.SMTP):
        raise SendFailed(
            "This version of the SMTP provider keeps its connection elsewhere. "
            "Install a version of airflow-sagemaker-presign that knows it."
        )
    return client


def _known(name: str, value: Any) -> Any:
    """Check the addresses that are known when the DAG file is parsed; keep a list where there was an iterable."""
    value = value if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    items = value if isinstance(value, list) else [value]
    if not any(map(is_template, items)):
        mailboxes_of(name, value)
    return value
