"""Messages with a launch page, through the real servers: alone, and beside a presigned URL."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier

# With what HTML, quoted-printable and mrkdwn like to change, and as long as Slack's buttons take.
LAUNCH_URL = (
    "https://airflow.example.com/sagemaker-notebooks/mornings/manual__2026-01-01T00%3A00%3A00%2B00%3A00/l?a=1&b=%3D%26&"
)
LAUNCH_URL += "x" * (3000 - len(LAUNCH_URL))


@pytest.fixture
def both(link_context: dict[str, Any]) -> dict[str, Any]:
    link_context["notebook_instance"]["NotebookInstanceName"] = "research"
    known = {"launch_page_valid_for": timedelta(days=7), "session_expiration_duration": timedelta(hours=8)}
    return {**link_context, "launch_url": LAUNCH_URL, **known}


@pytest.fixture
def launch_page(both: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in both.items() if key != "presigned_url"}


def _buttons(message: dict[str, Any]) -> list[str]:
    return [element["url"] for block in message["blocks"] for element in block.get("elements", []) if "url" in element]


def test_a_mail_with_the_launch_url_alone_has_no_credential(mail: Any, launch_page: dict[str, Any]) -> None:
    NotebookUrlSmtpNotifier(note="Launch page: {{ launch_url }}")(launch_page)
    (message,) = mail.mails
    assert message["Subject"] == "Notebook research is ready: open it through Airflow"
    text, html = (part.get_content().replace("\r\n", "\n") for part in message.iter_parts())
    assert LAUNCH_URL in text.splitlines()
    assert f"Launch page: {LAUNCH_URL}" in text
    assert f'href="{LAUNCH_URL.replace("&", "&amp;")}"' in html
    assert "authToken" not in text + html
    assert "Sign in to Airflow" in text
    assert max(map(len, mail.raw[0].split(b"\r\n"))) <= 78


def test_a_mail_with_both_has_the_launch_page_for_later(mail: Any, both: dict[str, Any]) -> None:
    NotebookUrlSmtpNotifier()(both)
    text, html = (part.get_content().replace("\r\n", "\n") for part in mail.mails[0].iter_parts())
    lines = text.splitlines()
    assert lines.index(both["presigned_url"].url) < lines.index("Too late?") < lines.index(LAUNCH_URL)
    assert html.count("authToken") == 1
    assert "clear it" not in text + html


def test_slack_gets_the_launch_url_alone_as_a_button(slack: Any, launch_page: dict[str, Any]) -> None:
    NotebookUrlSlackNotifier(channel="#research")(launch_page)
    (message,) = slack.posted()
    assert _buttons(message) == [LAUNCH_URL]
    assert "authToken" not in json.dumps(message)
    assert message["unfurl_links"] is False


def test_slack_gets_both_with_the_presigned_button_first(slack: Any, both: dict[str, Any]) -> None:
    NotebookUrlSlackNotifier(channel="#research")(both)
    (message,) = slack.posted()
    assert _buttons(message)[:2] == [both["presigned_url"].url, LAUNCH_URL]
    primary = [e["url"] for b in message["blocks"] for e in b.get("elements", []) if e.get("style") == "primary"]
    assert primary == [both["presigned_url"].url]
