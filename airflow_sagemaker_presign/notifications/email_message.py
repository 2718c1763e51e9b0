"""A message as an e-mail: plain text and HTML with the same words."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid

from airflow_sagemaker_presign.notifications.email_addresses import Mailbox
from airflow_sagemaker_presign.notifications.email_headers import MAIL_POLICY, address_of
from airflow_sagemaker_presign.notifications.failure_message import FailureMessage
from airflow_sagemaker_presign.notifications.link_message import LinkMessage
from airflow_sagemaker_presign.notifications.stop_warning_message import StopWarningMessage

Message = LinkMessage | StopWarningMessage | FailureMessage
_TEMPLATES = {LinkMessage: "link", StopWarningMessage: "stop_warning", FailureMessage: "failure"}


def build_mail(
    message: Message,
    *,
    sender: Mailbox,
    to: tuple[Mailbox, ...],
    cc: tuple[Mailbox, ...] = (),
    subject: str | None = None,
) -> EmailMessage:
    """Return the e-mail, with the message's own subject unless it is given another."""
    mail = EmailMessage(policy=MAIL_POLICY)
    mail["Subject"] = _one_line(subject or message.subject)
    mail["From"] = address_of(sender, _one_line(sender.name))
    mail["To"] = tuple(address_of(mailbox, _one_line(mailbox.name)) for mailbox in to)
    if cc:
        mail["Cc"] = tuple(address_of(mailbox, _one_line(mailbox.name)) for mailbox in cc)
    mail["Date"] = datetime.now(UTC)
    # With the sender's domain: the default would reveal the worker's host name.
    mail["Message-ID"] = make_msgid(domain=sender.domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    # Quoted-printable keeps lines short: a server may break lines of over 998 characters, and the URL with them.
    text, html = render(message)
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    return mail


def render(message: Message) -> tuple[str, str]:
    """Return the message as plain text and as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("airflow_sagemaker_presign.notifications"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    kind = _TEMPLATES[type(message)]
    text = environment.get_template(f"{kind}.txt").render(message=message)
    html = environment.get_template(f"{kind}.html").render(message=message)
    return _encodable(text), _encodable(html)


def _encodable(text: str) -> str:
    """Replace lone surrogates, which a text cut elsewhere or a file's name may have and UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _one_line(text: str) -> str:
    """
    Return a text that is safe in a header, whatever a template rendered to.

    The standard library decodes a literal encoded word ("=?utf-8?q?…?=") and writes a line break in it to the header,
    which could inject another header. So the start of an encoded word is broken up.
    """
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.replace("=?", "= ?").split())
