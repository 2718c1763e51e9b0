from __future__ import annotations

import contextlib
import copy
import logging
import re
import smtplib
import socket
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.delivery.send_errors import SendFailed, SendOutcomeUnknown, SentToSomeOnly
from airflow_sagemaker_presign.exceptions import NotebookInstanceStopped
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier, _client_of, fewest_retries
from tests.helpers.minted_urls import minted_url


class Links(HTMLParser):
    """The ``href`` of every link, as a mail program reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value or "" for name, value in attrs if name == "href"]


def _parts(message: Any) -> tuple[str, str]:
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return text.get_content().replace("\r\n", "\n"), html.get_content()


def _send(link_context: dict[str, Any], **arguments: Any) -> NotebookUrlSmtpNotifier:
    notifier = NotebookUrlSmtpNotifier(**arguments)
    notifier(link_context)
    return notifier


def _assert_no_url(error: BaseException) -> None:
    assert "authToken=eyJ" not in "".join(traceback.format_exception(error))


def test_text_and_html_hold_the_very_link(mail: Any, link_context: dict[str, Any]) -> None:
    notifier = _send(link_context)
    (message,) = mail.mails
    assert message.get_content_type() == "multipart/alternative"
    text, html = _parts(message)
    url = link_context["presigned_url"].url
    assert url in text.splitlines()
    assert url in Links(html).hrefs
    assert html.count("authToken") == 1
    assert mail.envelopes == [("nb@example.com", ["ada@example.com"])]
    assert notifier.to == "ada@example.com", "the delivery names the recipient by the rendered field"


def test_no_line_is_so_long_that_a_server_would_break_it(mail: Any, link_context: dict[str, Any]) -> None:
    _send(link_context, note="x" * 5000)
    assert max(map(len, mail.raw[0].split(b"\r\n"))) <= 78
    assert "x" * 5000 in _parts(mail.mails[0])[0]


@pytest.mark.parametrize("length", [3400, 3900, 8000])
def test_a_url_as_long_as_aws_makes_them_arrives_whole_in_both_parts(
    mail: Any, link_context: dict[str, Any], length: int
) -> None:
    url = link_context["presigned_url"].url
    link_context["presigned_url"].url = url = url + "&pad=" + "x=" * ((length - len(url)) // 2)
    _send(link_context, note=f"And here: {url}")
    text, html = _parts(mail.mails[0])
    assert url in text.splitlines()
    assert Links(html).hrefs.count(url) == 2
    assert max(map(len, mail.raw[0].split(b"\r\n"))) <= 78


def test_user_text_has_the_direction_of_its_letters(
    mail: Any, link_context: dict[str, Any], failure_context: dict[str, Any]
) -> None:
    _send(link_context, note="مرحبا\n\nhello <b>")
    NotebookUrlSmtpNotifier()({**failure_context, "exception": RuntimeError("שגיאה")})
    link, failure = (_parts(message)[1] for message in mail.mails)
    for line in ("مرحبا", "&nbsp;", "hello &lt;b&gt;"):
        assert f'<div dir="auto">{line}</div>' in link
    assert '<div dir="auto">RuntimeError: שגיאה</div>' in failure


def test_a_lone_surrogate_in_a_text_does_not_stop_a_mail(
    mail: Any, link_context: dict[str, Any], failure_context: dict[str, Any]
) -> None:
    _send(link_context, note="cut off \ud83d", subject="cut off \ud83d")
    NotebookUrlSmtpNotifier()({**failure_context, "exception": FileNotFoundError("r\udce9sum\udce9.ipynb")})
    for part in _parts(mail.mails[0]):
        assert "cut off ?" in part
    assert mail.mails[0]["Subject"] == "cut off"
    for part in _parts(mail.mails[1]):
        assert "FileNotFoundError: r?sum?.ipynb" in part


def test_both_parts_have_what_the_reader_has_to_know(mail: Any, link_context: dict[str, Any]) -> None:
    _send(link_context, note="Model: s3://m & <b>\nRun: https://mlflow.example.com/?a=1&b=2", timezone="UTC")
    text, html = _parts(mail.mails[0])
    for part in (text, html):
        for words in ("Notebook research is ready", "09:35 UTC", "eu-central-1", "8 hours", "personal", "not forward"):
            assert words in part
    assert "Model: s3://m & <b>\nRun: https://mlflow.example.com/?a=1&b=2" in text
    assert '<div dir="auto">Model: s3://m &amp; &lt;b&gt;</div>' in html
    hrefs = Links(html).hrefs
    assert "https://mlflow.example.com/?a=1&b=2" in hrefs
    for page in ("https://eu-central-1.console.aws.amazon.com/", "https://airflow.example.com/dags/mornings?a=1&b=2"):
        assert page in text
        assert any(href.startswith(page) for href in hrefs)


def test_the_html_loads_nothing_and_asks_for_light_and_dark(mail: Any, link_context: dict[str, Any]) -> None:
    _send(link_context)
    html = _parts(mail.mails[0])[1]
    assert re.findall(r"<(?:img|script|link|iframe|form)\b|\bsrc=|url\(|@import|@font-face", html) == []
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "@media (prefers-color-scheme: dark)" in html


def test_the_headers_are_those_of_a_machines_mail(mail: Any, link_context: dict[str, Any]) -> None:
    _send(link_context, to="Ada <ada@example.com>", cc="bob@example.com", timezone="UTC")
    (message,) = mail.mails
    assert message["Subject"] == "Notebook research is ready: open it by 09:35 UTC"
    assert (message["From"], message["To"]) == ("Notebooks <nb@example.com>", "Ada <ada@example.com>")
    assert message["Cc"] == "bob@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert parsedate_to_datetime(message["Date"]).tzinfo is not None
    assert mail.envelopes[0][1] == ["ada@example.com", "bob@example.com"]


def test_a_link_that_outlives_the_day_says_which_day(mail: Any, link_context: dict[str, Any]) -> None:
    before_midnight = datetime(2026, 11, 21, 23, 55, tzinfo=UTC)
    link_context["presigned_url"] = minted_url(
        link_context["presigned_url"].url, before_midnight, session=timedelta(hours=8)
    )
    _send(link_context, timezone="UTC")
    # The standard library breaks the line after "Subject:" for a subject that fits into one line by itself.
    text = "Notebook research is ready: open it by 00:00 UTC on Sunday, 22 November"
    assert mail.mails[0]["Subject"].strip() == text


def test_subject_and_names_keep_their_letters(mail: Any, link_context: dict[str, Any]) -> None:
    subject = "Dein Notizbuch läuft – 笔记本 📓 " + "sehr langes Betreff " * 8
    _send(link_context, to='"Zoë, 李" <zoe@example.com>', subject=f"{subject}\n", note="Grüße 🙂")
    (message,) = mail.mails
    assert message["Subject"] == " ".join(subject.split())
    assert [(a.display_name, a.addr_spec) for a in message["To"].addresses] == [("Zoë, 李", "zoe@example.com")]
    assert all("Grüße 🙂" in part for part in _parts(message))
    assert mail.raw[0].isascii()


@pytest.mark.parametrize(
    "subject",
    [
        "open [PROD] готов open готов Le é é Ноутбук notebook: bloc-notes à – à – est à für",
        "– é d'équipe (naïve) réunion Zürich откройте est größere est",
        "ready – est à [PROD] Le – #7 café 50% by à Zürich café [PROD] research-ada à open Ноутбук à",
    ],
)
def test_a_long_subject_keeps_the_spaces_between_its_words(
    mail: Any, link_context: dict[str, Any], subject: str
) -> None:
    _send(link_context, subject=subject)
    assert mail.mails[0]["Subject"] == subject
    assert max(map(len, mail.raw[0].split(b"\r\n"))) <= 78


def test_an_address_beyond_ascii_is_sent_with_smtputf8(mail: Any, link_context: dict[str, Any]) -> None:
    _send(link_context, to=["zoë@example.com", "ada@bücher.example"])
    assert mail.envelopes[0][1] == ["zoë@example.com", "ada@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    "attempt",
    [
        {"recipient": "ada@example.com\r\nBcc: eve@example.com"},
        {"recipient": "Ada\nBcc: eve@example.com <ada@example.com>"},
        {"recipient": "=?utf-8?q?Ada=0D=0ABcc=3A_eve=40example=2Ecom?= <ada@example.com>"},
        {"subject": "Hi\r\nBcc: eve@example.com"},
        {"subject": "=?utf-8?q?Hi=0D=0ABcc=3A_eve=40example=2Ecom?="},
        {"subject": "Hi\u2028Bcc: eve@example.com\x85Bcc: eve@example.com"},
    ],
)
def test_a_name_or_subject_cannot_inject_a_header(
    mail: Any, link_context: dict[str, Any], attempt: dict[str, str]
) -> None:
    with contextlib.suppress(ValueError):  # of the parameter `to`
        _send({**link_context, **attempt, "words": attempt.get("subject", "Hi")}, subject="{{ words }}")
    assert len(mail.mails) == ("\n" not in attempt.get("recipient", ""))
    for message, envelope in zip(mail.mails, mail.envelopes, strict=True):
        assert message["Bcc"] is None
        assert message_from_bytes(mail.raw[0], policy=policy.compat32)["Bcc"] is None
        assert not re.search(rb"(?mi)^bcc:", mail.raw[0])
        assert envelope[1] == ["ada@example.com"]


def test_recipients_may_be_many_and_are_named_once_each(mail: Any, link_context: dict[str, Any]) -> None:
    _send(link_context, to=["{{ recipient }}; bob@example.com", "eve@example.com"], cc="bob@example.com")
    assert mail.envelopes[0][1] == ["ada@example.com", "bob@example.com", "eve@example.com"]


def test_one_object_serves_link_failure_and_link_again(
    mail: Any, link_context: dict[str, Any], failure_context: dict[str, Any]
) -> None:
    notifier = NotebookUrlSmtpNotifier(subject="{{ presigned_url.notebook_instance_name }}")
    error = NotebookInstanceStopped("research", "Somebody stopped it.")
    copy.copy(notifier)({**link_context})
    notifier({**failure_context, "exception": error})
    copy.copy(notifier)({**link_context, "recipient": "bob@example.com"})

    assert [to for _, (to,) in mail.envelopes] == ["ada@example.com", "ada@example.com", "bob@example.com"]
    assert [message["Subject"] for message in mail.mails] == ["research", "No link to notebook research", "research"]
    for part in _parts(mail.mails[1]):
        assert "Somebody stopped it." in part
        assert "authToken" not in part
        assert "Airflow" in part
    assert "Find out who stopped it" in _parts(mail.mails[1])[0]


def test_all_recipients_refused_is_a_failure_that_names_them(mail: Any, link_context: dict[str, Any]) -> None:
    mail.refused = {"ada@example.com": "550 no such user", "bob@example.com": "451 greylisted"}
    with pytest.raises(
        SendFailed, match=r"ada@example.com: 550 no such user; bob@example.com: 451 greylisted"
    ) as raised:
        _send(link_context, to="ada@example.com, bob@example.com")
    assert raised.value.may_have_arrived is False
    assert mail.bodies == 0


def test_some_recipients_refused_names_who_got_it_and_who_did_not(mail: Any, link_context: dict[str, Any]) -> None:
    mail.refused = {"bob@example.com": "550 no such user"}
    with pytest.raises(
        SentToSomeOnly, match=r"accepted the message for ada@example.com and refused it for bob@example.com: 550"
    ):
        _send(link_context, to="ada@example.com, bob@example.com")
    assert SentToSomeOnly.may_have_arrived is True
    assert mail.envelopes == [("nb@example.com", ["ada@example.com"])]


@pytest.mark.parametrize("how", ["hang", "drop"])
def test_a_mail_without_a_reply_may_have_arrived(mail: Any, link_context: dict[str, Any], how: str) -> None:
    mail.on["DATA"] = how
    with pytest.raises(
        SendOutcomeUnknown, match=r"got the whole message for ada@example.com and did not reply"
    ) as raised:
        _send(link_context)
    assert raised.value.may_have_arrived is True
    assert mail.bodies == 1
    _assert_no_url(raised.value)


@pytest.mark.parametrize(
    ("on", "text"),
    [
        ({"MAIL": "drop"}, "broke before the message was sent"),
        ({"MAIL": "530 who are you"}, "refused the sender nb@example.com: 530 who are you"),
        (
            {"DATA": "554 spam: authToken=eyJhbGci"},
            r"refused the message for ada@example.com: 554 spam: authToken=\*\*\*",
        ),
        ({"DATA": "452 disk full"}, "452 disk full"),
    ],
)
def test_a_mail_that_was_refused_has_certainly_not_arrived(
    mail: Any, link_context: dict[str, Any], on: dict[str, str], text: str
) -> None:
    mail.on = on
    with pytest.raises(SendFailed, match=text) as raised:
        _send(link_context)
    assert raised.value.may_have_arrived is False
    assert mail.bodies == ("DATA" in on)
    _assert_no_url(raised.value)


@pytest.mark.parametrize("how", ["closed", "silent", "rude"])
def test_a_mail_server_that_cannot_be_reached_got_nothing(
    link_context: dict[str, Any], mail_connection: Any, how: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        mail_connection(listener.getsockname()[1])
        if how != "closed":
            listener.listen()
        if how == "rude":
            # Whoever connects is hung up on at once.
            listener.shutdown(socket.SHUT_RD)
        with pytest.raises(SendFailed, match="connection 'smtp_default' could not be reached") as raised:
            _send(link_context)
    assert raised.value.may_have_arrived is False


@pytest.mark.parametrize("host", ["smtp..example.com", "a" * 64 + ".example.com"])
def test_a_host_that_is_no_name_is_not_reported_as_a_bad_password(
    link_context: dict[str, Any], mail_connection: Any, host: str
) -> None:
    mail_connection(25, host=host, login="nb", password="fine")
    with pytest.raises(SendFailed, match="connection 'smtp_default' is not a server's name") as raised:
        _send(link_context)
    assert raised.value.may_have_arrived is False
    assert "password" not in str(raised.value)


def test_a_refused_login_names_its_connection(mail: Any, link_context: dict[str, Any], mail_connection: Any) -> None:
    mail_connection(mail.port, login="nb", password="wrong")
    with pytest.raises(
        SendFailed, match="does not accept the login of the Airflow connection 'smtp_default'"
    ) as raised:
        _send(link_context)
    assert "wrong" not in str(raised.value)
    assert mail.bodies == 0


def test_a_connection_without_a_sender_is_an_error_that_says_where_to_put_one(
    mail: Any, link_context: dict[str, Any], mail_connection: Any
) -> None:
    mail_connection(mail.port, extra={"from_email": None})
    with pytest.raises(ValueError, match=r"^from_email \(of the notifier, or in the extra of the connection\)=None"):
        _send(link_context)
    _send(link_context, from_email="me@example.org")
    assert mail.mails[0]["From"] == "me@example.org"


def test_the_providers_hook_still_keeps_its_client_in_the_attribute_that_we_read(mail: Any) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook() as hook:
        assert isinstance(_client_of(hook), smtplib.SMTP)
    with pytest.raises(SendFailed, match="version of the SMTP provider"):
        _client_of(SimpleNamespace())  # type: ignore[arg-type]


def test_a_provider_that_makes_no_attempt_is_an_error_that_says_what_to_change(
    mail: Any, mail_connection: Callable[..., None], link_context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    if fewest_retries() == 0:
        monkeypatch.setattr(SmtpHook, "get_conn", lambda hook: hook)
    mail_connection(mail.port, extra={"retry_limit": 0})
    with pytest.raises(SendFailed, match=r"'smtp_default' has a `retry_limit` .* makes no attempt at all. Set it to 1"):
        _send(link_context)
    assert mail.mails == []


def test_the_lowest_retry_limit_is_the_installed_providers(
    mail: Any, mail_connection: Callable[..., None], link_context: dict[str, Any]
) -> None:
    lowest = fewest_retries()
    mail_connection(mail.port, extra={"retry_limit": lowest})
    _send({**link_context})
    assert len(mail.mails) == 1
    if lowest:
        mail_connection(mail.port, extra={"retry_limit": lowest - 1})
        with pytest.raises(SendFailed, match="makes no attempt at all"):
            _send({**link_context})
    assert len(mail.mails) == 1


def test_nothing_is_logged_that_holds_the_url(
    mail: Any, link_context: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mail.log")  # the stand-in's own
    caplog.set_level(logging.DEBUG)  # the last call sets what caplog keeps
    _send(link_context)
    logging.getLogger("of.a.client").debug("the log is captured")
    assert len(mail.mails) == 1
    assert "the log is captured" in caplog.text
    assert "authToken" not in caplog.text


@pytest.mark.skipif(
    AIRFLOW_VERSION == (3, 1, 0), reason="outside a task, Airflow 3.1.0 breaks on a connection that is not there"
)
def test_a_connection_that_does_not_exist_is_named(
    link_context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    with pytest.raises(
        SendFailed, match=r"Airflow connection 'nowhere' could not be reached: SMTP connection is not found\. "
    ):
        _send(link_context, smtp_conn_id="nowhere")
