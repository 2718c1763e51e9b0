"""The bytes sent when addresses and names contain non-ASCII characters."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from airflow_sagemaker_presign.delivery.send_errors import SendFailed, SentToSomeOnly
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier


def _headers(raw: bytes) -> str:
    return raw.split(b"\r\n\r\n")[0].decode()


def _header(raw: bytes, name: str) -> str:
    """One header, unfolded."""
    (value,) = re.findall(rf"(?m)^{name}: ([^\r]*(?:\r\n [^\r]*)*)", _headers(raw))
    return str(value.replace("\r\n", ""))


def test_a_sender_beyond_ascii_goes_out_as_it_is_written_and_asks_for_smtputf8(
    mail: Any, link_context: dict[str, Any]
) -> None:
    NotebookUrlSmtpNotifier(to="ada@example.com", from_email="Jürgen <jürgen@example.com>")(link_context)
    assert mail.options == [["SMTPUTF8", "BODY=8BITMIME"]]
    assert mail.envelopes == [("jürgen@example.com", ["ada@example.com"])]
    assert _header(mail.raw[0], "From") == "=?utf-8?q?J=C3=BCrgen?= <jürgen@example.com>"
    assert mail.mails[0]["From"].addresses[0].display_name == "Jürgen"


def test_a_refused_recipient_beyond_ascii_stays_an_address_in_the_header(
    mail: Any, link_context: dict[str, Any]
) -> None:
    mail.refused = {"zoë@example.com": "550 no such user"}
    with pytest.raises(SentToSomeOnly):
        NotebookUrlSmtpNotifier(to=["ada@example.com", "zoë@example.com"])(link_context)
    assert _header(mail.raw[0], "To") == "ada@example.com, zoë@example.com"
    assert mail.options == [["SMTPUTF8", "BODY=8BITMIME"]]


@pytest.mark.parametrize(
    "to",
    [
        ["ada@example.com", "zoë@example.com"],
        ["Ada <ada@example.com>", "zoë@example.com"],
        ["Zoë <zoe@example.com>", "ada@example.com"],
        ['"Zoë, 李" <zoe@example.com>', '"Lovelace, Ada" <ada@example.com>', "bob@example.com"],
        [f"{'Zoë ' * 40}<zoe@example.com>", f"{'Ada ' * 40}<ada@example.com>"],
    ],
)
def test_the_comma_between_recipients_is_never_encoded(mail: Any, link_context: dict[str, Any], to: list[str]) -> None:
    NotebookUrlSmtpNotifier(to=to, cc="eve@example.com, bób@example.com")(link_context)
    for name, count in (("To", len(to)), ("Cc", 2)):
        header = _header(mail.raw[0], name)
        outside = re.sub(r'=\?utf-8\?[qb]\?[^?]*\?=|"[^"]*"', "", header)
        assert outside.count(",") == count - 1
        assert "=?" not in "".join(re.findall(r"<[^>]*>", header))
    assert max(map(len, _headers(mail.raw[0]).splitlines())) <= 78
    specs = {address.rpartition("<")[2].rstrip(">") for address in to}
    # Python's parser keeps raw UTF-8 as surrogates.
    read = {a.addr_spec.encode(errors="surrogateescape").decode() for a in mail.mails[0]["To"].addresses}
    assert read == specs


def test_names_beyond_ascii_alone_need_no_smtputf8(mail: Any, link_context: dict[str, Any]) -> None:
    NotebookUrlSmtpNotifier(to=["Zoë <zoe@example.com>", "李 <li@bücher.example>"], subject="Grüße")(link_context)
    assert mail.options == [[]]
    assert mail.raw[0].isascii()
    assert [a.display_name for a in mail.mails[0]["To"].addresses] == ["Zoë", "李"]


@pytest.mark.parametrize(
    "addresses",
    [
        {"to": "ada@example.com", "from_email": "jürgen@example.com"},
        {"to": "ada@example.com, zoë@example.com"},
        {"to": "ada@example.com", "cc": "zoë@example.com"},
    ],
)
def test_a_server_that_lacks_smtputf8_is_an_error_that_names_the_addresses(
    mail: Any, link_context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, addresses: dict[str, str]
) -> None:
    make = SMTP.__init__
    monkeypatch.setattr(
        SMTP, "__init__", lambda self, *args, **kwargs: make(self, *args, **{**kwargs, "enable_SMTPUTF8": False})
    )
    with pytest.raises(SendFailed, match=r"lacks SMTPUTF8\): (jürgen|zoë)@example\.com\. Use an address in ASCII"):
        NotebookUrlSmtpNotifier(**addresses)(link_context)
    assert mail.mails == []
