"""The message before a stop, through the real servers, and through a notifier that is not of this package."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import BaseNotifier
from airflow_sagemaker_presign.delivery.deliver import deliver
from airflow_sagemaker_presign.local.inbox.block_kit import block_kit_problem
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from tests.helpers.notifiers import POLICY


class OfAnotherProvider(BaseNotifier):
    """Knows nothing of warnings but its template."""

    template_fields = ("text",)

    def __init__(self, sent: list[str], text: str) -> None:
        super().__init__()
        self.sent, self.text = [sent], text

    def notify(self, context: Any) -> None:
        self.sent[0].append(self.text)


def test_everybody_is_warned_by_one_delivery_without_a_url(slack: Any, mail: Any, stop_context: dict[str, Any]) -> None:
    sent: list[str] = []
    text = "{{ workspace.name }} {{ stop_warning.stops_at.hour }} {{ launch_url }} {{ presigned_url is defined }}"
    notifiers = [NotebookUrlSlackNotifier(channel="#a"), NotebookUrlSmtpNotifier(), OfAnotherProvider(sent, text)]
    deliveries = deliver(notifiers, stop_context, None, POLICY, workspace=stop_context["workspace"])
    assert [bool(delivery.failure) for delivery in deliveries] == [False, False, False]
    assert (len(slack.posted()), len(mail.mails)) == (1, 1)
    assert sent == [f"research 20 {stop_context['launch_url']} False"]


def test_a_mail_has_the_button_in_both_parts(mail: Any, stop_context: dict[str, Any]) -> None:
    NotebookUrlSmtpNotifier(timezone="UTC", note="{{ stop_warning.idle_for }}")(stop_context)
    (message,) = mail.mails
    assert message["Subject"].startswith("Notebook research will be stopped at 20:00 UTC")
    assert message["To"] == "ada@example.com"
    text, html = (part.get_content().replace("\r\n", "\n") for part in message.iter_parts())
    url = stop_context["launch_url"]
    assert f"Keep it running:\n{url}\n" in text
    assert f'href="{url.replace("&", "&amp;")}"' in html
    assert "1:00:00" in text
    assert "1:00:00" in html
    assert max(map(len, mail.raw[0].split(b"\r\n"))) <= 78


def test_a_mails_own_subject_can_say_when_it_stops(mail: Any, stop_context: dict[str, Any]) -> None:
    subject = "{{ workspace.name }} stops at {{ stop_warning.stops_at.strftime('%H:%M') }}"
    NotebookUrlSmtpNotifier(subject=subject)(stop_context)
    assert mail.mails[0]["Subject"] == "research stops at 20:00"


def test_a_person_gets_slacks_button(slack: Any, stop_context: dict[str, Any]) -> None:
    NotebookUrlSlackNotifier(user="{{ recipient }}", timezone="UTC")(stop_context)
    (message,) = slack.posted()
    (button,) = [e for block in message["blocks"] if block["type"] == "actions" for e in block["elements"]]
    assert (button["text"]["text"], button["url"]) == ("Keep it running", stop_context["launch_url"])
    assert message["text"].endswith("Open this message and press “Keep it running” if you still need it.")
    assert block_kit_problem(message) is None


@pytest.mark.parametrize(
    ("changes", "page", "said"),
    [
        ({}, "", "mark it as success"),
        ({"at_latest": True, "running": "a busy kernel (python3)"}, "https://x.example", "a busy kernel (python3)"),
        ({"at_latest": True, "unknown": "It did not respond"}, "", "Nobody knows whether it is in use"),
    ],
)
def test_without_a_button_both_say_what_to_do(
    slack: Any, mail: Any, stop_context: dict[str, Any], changes: dict[str, Any], page: str, said: str
) -> None:
    warning = replace(stop_context["stop_warning"], **changes)
    for notifier in (NotebookUrlSlackNotifier(channel="#research"), NotebookUrlSmtpNotifier()):
        notifier({**stop_context, "stop_warning": warning, "launch_url": page})
    (posted,), (mailed,) = slack.posted(), mail.mails
    assert block_kit_problem(posted) is None
    for text in (json.dumps(posted, ensure_ascii=False), *(part.get_content() for part in mailed.iter_parts())):
        assert said in text
        assert "Keep it running" not in text
        assert "x.example" not in text
        assert stop_context["ti"].log_url.split("&")[0] in text
