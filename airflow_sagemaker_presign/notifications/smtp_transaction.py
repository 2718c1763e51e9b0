"""
One SMTP transaction, step by step, so that an error shows whether the message may have arrived.

``smtplib.SMTP.sendmail`` raises the same error for a connection that broke before the message was sent and for one
that broke after it, and reports no refused recipients as long as one was accepted.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Sequence
from email.message import EmailMessage

from airflow_sagemaker_presign.delivery.send_errors import SendFailed, SendOutcomeUnknown, SentToSomeOnly
from airflow_sagemaker_presign.minting.redaction import redact


def send_once(client: smtplib.SMTP, mail: EmailMessage, sender: str, recipients: Sequence[str]) -> None:
    """
    Send a mail, once, with a client that is connected and logged in.

    :param sender: the envelope's sender, without a name, like the recipients.
    :raises SendFailed: if it reached no recipient.
    :raises SentToSomeOnly: if the server refused some of the recipients.
    :raises SendOutcomeUnknown: if the server got the whole message and did not reply.
    """
    content = mail.as_bytes()
    try:
        refused = _envelope(client, content, sender, recipients)
    except (smtplib.SMTPException, OSError) as error:
        raise SendFailed(f"The connection to the mail server broke before the message was sent: {error}.") from None
    accepted = tuple(recipient for recipient in recipients if recipient not in refused)
    _body(client, content, accepted)
    if refused:
        raise SentToSomeOnly(accepted, refused)


def _envelope(client: smtplib.SMTP, content: bytes, sender: str, recipients: Sequence[str]) -> dict[str, str]:
    """Send the commands before the message, and return the refused recipients, each with the reason."""
    client.ehlo_or_helo_if_needed()
    _expect(client.mail(sender, _mail_options(client, content, sender, recipients)), 250, f"the sender {sender}")
    refused = {}
    for recipient in recipients:
        code, reply = client.rcpt(recipient)
        if code not in (250, 251):
            refused[recipient] = _reply_text(code, reply)
    if len(refused) == len(recipients):
        reasons = "; ".join(f"{recipient}: {reason}" for recipient, reason in refused.items())
        raise SendFailed(f"The mail server refused every recipient. {reasons}.")
    _expect(client.docmd("DATA"), 354, f"a message for {', '.join(recipients)}")
    return refused


def _mail_options(client: smtplib.SMTP, content: bytes, sender: str, recipients: Sequence[str]) -> list[str]:
    """
    Return the option SMTPUTF8 if an address anywhere in the message needs it, even one that will be refused.

    Everything else in the message is ASCII: the body is quoted-printable, names and subject are encoded words.
    """
    non_ascii = [address for address in dict.fromkeys((sender, *recipients)) if not address.isascii()]
    if not non_ascii and content.isascii():
        return []
    if not client.has_extn("smtputf8"):
        raise SendFailed(
            "The mail server does not accept addresses with non-ASCII letters (it lacks SMTPUTF8): "
            f"{', '.join(non_ascii)}. Use an address in ASCII, or another mail server."
        )
    return ["SMTPUTF8", "BODY=8BITMIME"]


def _body(client: smtplib.SMTP, content: bytes, recipients: Sequence[str]) -> None:
    """Send the message itself; once it is sent, only the reply shows whether it was accepted."""
    names = ", ".join(recipients)
    dotted = re.sub(rb"(?m)^\.", b"..", content)
    try:
        client.send(dotted + (b".\r\n" if dotted.endswith(b"\r\n") else b"\r\n.\r\n"))
    except (smtplib.SMTPException, OSError):
        # The end of the message was never sent, and a server discards a message without its end.
        raise SendFailed(f"The connection to the mail server broke while the message for {names} was sent.") from None
    try:
        code, reply = client.getreply()
    except (smtplib.SMTPException, OSError) as error:
        raise SendOutcomeUnknown(
            f"The mail server got the whole message for {names} and did not reply ({error}): it may have arrived. "
            "Ask the recipients before you clear the task."
        ) from None
    if code == -1:
        raise SendOutcomeUnknown(
            f"The mail server's reply to the message for {names} cannot be read: it may have arrived."
        )
    # A spam filter may quote the link that it refuses, broken into lines that no redaction recognises: drop the rest.
    _expect((code, reply.partition(b"http")[0]), 250, f"the message for {names}")


def _expect(reply: tuple[int, bytes], code: int, what: str) -> None:
    if reply[0] != code:
        raise SendFailed(f"The mail server refused {what}: {_reply_text(*reply)}.")


def _reply_text(code: int, reply: bytes) -> str:
    # Redact first, then cut: the redaction does not recognise half a token.
    text = redact(" ".join(reply.decode("utf-8", "replace").split()))
    return f"{code} {text[:300]}".rstrip(". ")
