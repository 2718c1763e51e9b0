"""The received mails and Slack messages, kept in memory only."""

from __future__ import annotations

import itertools
import threading
from dataclasses import asdict, dataclass, field, replace
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.inbox.faults import SlackFaults, SmtpFaults


@dataclass(frozen=True)
class Mail:
    """
    A mail.

    :param id: counts up with every message of the inbox.
    :param arrived_at: when the server accepted it, in seconds since the epoch.
    :param acknowledged: False when a scripted fault suppressed the reply to the sender.
    :param sender: the envelope's sender.
    :param recipients: the envelope's recipients, blind copies included.
    :param subject: the decoded header.
    :param text: the plain-text part.
    :param html: the HTML part.
    :param headers: all headers, in their order.
    """

    id: int
    arrived_at: float
    acknowledged: bool
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    kind: str = "mail"


@dataclass(frozen=True)
class SlackMessage:
    """
    A Slack message.

    :param id: counts up with every message of the inbox.
    :param arrived_at: when the server accepted it, in seconds since the epoch.
    :param acknowledged: False when a scripted fault suppressed the reply to the sender.
    :param channel: the channel as the sender wrote it; for a webhook its path.
    :param recipient: the e-mail address of a user id or a direct message, where it is known.
    :param text: the plain-text fallback.
    :param blocks: Block Kit.
    :param payload: everything that was sent.
    """

    id: int
    arrived_at: float
    acknowledged: bool
    channel: str
    recipient: str | None
    text: str
    blocks: list[dict[str, Any]]
    payload: dict[str, Any] = field(repr=False)
    kind: str = "slack"


Message = Mail | SlackMessage


class Inbox:
    """
    Stores the messages, and the scripted faults of receiving them.

    :param clock: the clock.
    """

    def __init__(self, clock: LocalClock) -> None:
        self.smtp = SmtpFaults()
        self.slack = SlackFaults()
        self._clock = clock
        self._ids = itertools.count(1)
        self._messages: list[Message] = []
        self._changed = threading.Condition()

    @property
    def mails(self) -> list[Mail]:
        """The mails, oldest first."""
        return [message for message in self.messages() if isinstance(message, Mail)]

    @property
    def slack_messages(self) -> list[SlackMessage]:
        """The Slack messages, oldest first."""
        return [message for message in self.messages() if isinstance(message, SlackMessage)]

    def messages(self) -> list[Message]:
        """All messages, oldest first."""
        with self._changed:
            return list(self._messages)

    def wait_for(self, count: int, timeout: float = 10) -> list[Message]:
        """
        Wait until this many messages have arrived.

        :param count: how many, of both kinds together.
        :param timeout: in seconds of the machine's time.
        :raises TimeoutError: when they do not arrive in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._messages) >= count, timeout):
                raise TimeoutError(f"{len(self._messages)} of {count} messages arrived within {timeout} s.")
            return list(self._messages)

    def clear(self) -> None:
        """Delete all messages; the scripts of faults stay."""
        with self._changed:
            self._messages.clear()

    def receive_mail(self, sender: str, recipients: list[str], content: bytes, *, acknowledged: bool = True) -> None:
        """
        Receive a mail.

        :param sender: the envelope's sender.
        :param recipients: the envelope's recipients.
        :param content: the mail as it was sent.
        :param acknowledged: whether its sender gets a reply.
        """
        arrived_at = self._clock.now().timestamp()
        parsed = BytesParser(EmailMessage, policy=policy.default).parsebytes(content)
        mail = Mail(
            id=0,
            arrived_at=arrived_at,
            acknowledged=acknowledged,
            sender=sender,
            recipients=tuple(recipients),
            subject=str(parsed["Subject"] or ""),
            text=_part(parsed, "plain"),
            html=_part(parsed, "html"),
            headers=tuple((name, str(value)) for name, value in parsed.items()),
        )
        self._add(mail)

    def receive_slack(
        self, channel: str, recipient: str | None, payload: dict[str, Any], *, acknowledged: bool = True
    ) -> SlackMessage:
        """
        Receive a Slack message.

        :param channel: the channel as the sender wrote it.
        :param recipient: the e-mail address of a person, where it is known.
        :param payload: everything that was sent.
        :param acknowledged: whether its sender gets a reply.
        """
        message = SlackMessage(
            id=0,
            arrived_at=self._clock.now().timestamp(),
            acknowledged=acknowledged,
            channel=channel,
            recipient=recipient,
            text=str(payload.get("text") or ""),
            blocks=list(payload.get("blocks") or []),
            payload=payload,
        )
        self._add(message)
        return message

    def as_json(self) -> list[dict[str, Any]]:
        """Return all messages as plain data, oldest first."""
        return [asdict(message) for message in self.messages()]

    def _add(self, message: Message) -> None:
        with self._changed:
            self._messages.append(replace(message, id=next(self._ids)))
            self._changed.notify_all()


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # An unknown charset is no reason to reject a mail.
        return bytes(part.get_payload(decode=True)).decode("utf-8", "replace")
