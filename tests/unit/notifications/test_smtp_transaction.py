from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.minting.redaction import redacted
from airflow_sagemaker_presign.notifications.smtp_transaction import send_once
from tests.helpers.scripted_sagemaker import TOKEN, URL


class Server:
    """A connected client whose server accepts everything, except for the replies that a test defines."""

    def __init__(self, *, to_rcpt: bytes = b"", to_body: bytes = b"") -> None:
        self.to_rcpt, self.to_body = to_rcpt, to_body

    def ehlo_or_helo_if_needed(self) -> None:
        pass

    def mail(self, *_: Any) -> tuple[int, bytes]:
        return 250, b"OK"

    def rcpt(self, *_: Any) -> tuple[int, bytes]:
        return (550, self.to_rcpt) if self.to_rcpt else (250, b"OK")

    def docmd(self, *_: Any) -> tuple[int, bytes]:
        return 354, b"go on"

    def send(self, *_: Any) -> None:
        pass

    def getreply(self) -> tuple[int, bytes]:
        return 554, self.to_body


def error_of(server: Any) -> str:
    with redacted(URL), pytest.raises(SendFailed) as raised:
        send_once(server, EmailMessage(), "airflow@example.com", ["ada@example.com"])
    return str(raised.value)


@pytest.mark.parametrize("before", range(0, 340, 20))
def test_an_smtp_reply_that_quotes_the_link_is_redacted(before: int) -> None:
    for server in (Server(to_body=b"x" * before + URL.encode()), Server(to_rcpt=b"x" * before + TOKEN.encode())):
        assert TOKEN[:6] not in error_of(server)


def test_an_smtp_reply_that_quotes_the_link_over_several_lines_is_redacted() -> None:
    wrapped = b"\n".join(URL.encode()[start : start + 9] for start in range(0, len(URL), 9))
    said = error_of(Server(to_body=b"5.7.1 Looks like spam: " + wrapped))
    assert said == "The mail server refused the message for ada@example.com: 554 5.7.1 Looks like spam:."
