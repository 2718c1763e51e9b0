"""The inbox takes real mail, and fails as mail servers do."""

from __future__ import annotations

import logging
import smtplib
import time
from email.message import EmailMessage

import pytest
import requests

from airflow_sagemaker_presign.local import LocalServices

LINK = "https://research.notebook.us-east-1.sagemaker.aws?authToken=abc.def-ghi"


def send(local: LocalServices, timeout: float = 10) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Ihr Notebook ist bereit: größer ✓"
    mail["From"], mail["To"] = "airflow@example.com", "ada@example.com"
    mail.set_content(f"Open {LINK}\n")
    mail.add_alternative(f'<p>Open <a href="{LINK}">it</a></p>', subtype="html")
    with smtplib.SMTP("127.0.0.1", local.smtp_port, timeout=timeout) as server:
        server.send_message(mail)


def test_a_mail_is_kept_as_it_was_sent_with_its_time_of_arrival(local: LocalServices) -> None:
    before = time.time()
    send(local)
    (mail,) = local.inbox.mails
    assert before <= mail.arrived_at <= time.time()
    assert (mail.recipients, mail.subject) == (("ada@example.com",), "Ihr Notebook ist bereit: größer ✓")
    assert LINK in mail.text
    assert f'href="{LINK}"' in mail.html
    assert mail.acknowledged
    (shown,) = requests.get(f"{local.inbox_url}/messages.json").json()
    assert (shown["kind"], shown["subject"], shown["html"]) == ("mail", mail.subject, mail.html)
    assert local.inbox.wait_for(1) == [mail]


def test_any_login_is_accepted(local: LocalServices) -> None:
    with smtplib.SMTP("127.0.0.1", local.smtp_port) as server:
        server.login("anybody", "anything")
        server.sendmail("a@example.com", ["b@example.com"], "Subject: hi\n\nhello")
    assert local.inbox.mails[0].text.strip() == "hello"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("reset-at-connect", OSError),
        ("554-at-connect", smtplib.SMTPConnectError),
        ("550-at-rcpt", smtplib.SMTPRecipientsRefused),
        ("451-at-rcpt", smtplib.SMTPRecipientsRefused),
        ("drop-before-data", (smtplib.SMTPServerDisconnected, ConnectionError)),
    ],
)
def test_a_mail_that_is_not_taken_can_be_sent_again(
    fault: str, error: type[Exception] | tuple[type[Exception], ...], local: LocalServices
) -> None:
    local.inbox.smtp.fail(fault, times=1)
    with pytest.raises(error):
        send(local)
    assert local.inbox.mails == []
    send(local)
    assert len(local.inbox.mails) == 1


@pytest.mark.parametrize("fault", ["hang-after-data", "drop-after-data"])
def test_a_mail_accepted_without_a_response_is_stored_as_such(fault: str, local: LocalServices) -> None:
    local.inbox.smtp.fail(fault, times=1)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected, ConnectionError)) as raised:
        send(local, timeout=0.5 if fault == "hang-after-data" else 30)
    assert ("timed out" in str(raised.value)) == (fault == "hang-after-data")
    send(local)
    assert [mail.acknowledged for mail in local.inbox.mails] == [False, True]


def test_nothing_listens_while_the_mail_server_is_down(local: LocalServices) -> None:
    with local.smtp_down(), pytest.raises(ConnectionRefusedError):
        send(local)
    send(local)
    assert len(local.inbox.mails) == 1


def test_faults_of_the_mail_server_are_set_over_http(local: LocalServices) -> None:
    requests.post(f"{local.inbox_url}/faults/smtp", json={"fault": "554-at-connect"})
    with pytest.raises(smtplib.SMTPConnectError):
        send(local)
    assert requests.get(f"{local.inbox_url}/faults").json()["smtp"] == []
    assert requests.post(f"{local.inbox_url}/faults/smtp", json={"fault": "explode"}).status_code == 400


def test_no_line_of_a_mail_is_logged(
    local: LocalServices, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="mail.log"):
        send(local)
        logging.getLogger("airflow_sagemaker_presign").debug("the log is captured")
    printed = capfd.readouterr()
    assert "the log is captured" in caplog.text
    assert "authToken" not in caplog.text + printed.out + printed.err


@pytest.mark.parametrize("charset", ["x-nobody-knows", "idna", "hex", "undefined"])
def test_a_mail_in_a_charset_that_cannot_be_read_is_kept_nevertheless(charset: str, local: LocalServices) -> None:
    content = f"Subject: hi\nContent-Type: text/plain; charset={charset}\n\nhello"
    with smtplib.SMTP("127.0.0.1", local.smtp_port) as server:
        server.sendmail("a@example.com", ["b@example.com"], content)
    assert local.inbox.mails[0].text.strip() == "hello"
