"""What the message before a stop says: to somebody who can keep the notebook running, and to one who cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_sagemaker_presign.local.inbox.block_kit import block_kit_problem
from airflow_sagemaker_presign.notifications.email_message import render
from airflow_sagemaker_presign.notifications.slack_blocks import link_as_text_payload, link_payload
from airflow_sagemaker_presign.notifications.stop_warning_message import (
    BUTTON,
    LOSS,
    StopWarningMessage,
    stop_warning_message,
)
from tests.helpers.html_tags import Tags

NOW = datetime(2026, 3, 4, 19, 45, tzinfo=UTC)
URL = "https://research.notebook.eu-central-1.sagemaker.aws?authToken=secret-a.b&view=lab"


def _message(context: dict[str, Any], **warning: Any) -> StopWarningMessage:
    context = {**context, "stop_warning": replace(context["stop_warning"], **warning)}
    return stop_warning_message(context, note=" a note ", zone=UTC, now=NOW)


@pytest.fixture
def without_page(stop_context: dict[str, Any]) -> dict[str, Any]:
    return {**stop_context, "launch_url": ""}


def test_an_idle_notebook_with_a_launch_page_can_be_kept_running_by_a_button(stop_context: dict[str, Any]) -> None:
    message = _message(stop_context)
    assert message.title == message.subject == "Notebook research will be stopped at 20:00 UTC"
    assert message.lead == (
        "Nothing has run in it since 18:45 UTC. Airflow stops it at 20:00 UTC unless it is used or kept running."
    )
    assert (message.button, message.url, message.note) == (BUTTON, stop_context["launch_url"], "a note")
    assert message.warning == (
        "“Keep it running” opens a page in Airflow: sign in, and press the button there. The notebook then stays on "
        f"for at least 1 hour 15 minutes more. {LOSS}"
    )
    assert dict(message.facts) == {
        "Notebook instance": "research",
        "Region": "eu-central-1",
        "Instance type": "ml.t3.medium",
        "Idle since": "18:45 UTC",
        "Stops at": "20:00 UTC",
    }
    assert message.next_steps == ()


@pytest.mark.parametrize(
    ("hours", "until"), [(1, ", until 20:45 UTC at the latest"), (9, "")], ids=["before it would end", "long after"]
)
def test_what_the_button_promises_ends_when_the_notebook_stops_in_any_case(
    stop_context: dict[str, Any], hours: int, until: str
) -> None:
    message = _message(stop_context, latest_at=NOW + timedelta(hours=hours))
    assert f"for at least 1 hour 15 minutes more{until}. {LOSS}" in message.warning


def test_without_a_launch_page_the_message_says_which_task_to_mark_as_success(without_page: dict[str, Any]) -> None:
    message = _message(without_page)
    assert message.url == ""
    assert "unless it is used or kept running" in message.lead
    assert message.warning == (
        "To keep it running, open the task evenings.stop in Airflow and mark it as success: then nothing is stopped. "
        + LOSS
    )
    (step,) = message.next_steps
    assert tuple(step) == (
        "To keep it running:",
        "open the task in Airflow and mark it as success",
        "https://airflow.example.com/evenings/stop",
    )
    assert (dict(message.facts)["Task"], dict(message.facts)["Run"]) == ("evenings.stop", "manual__1")


def test_without_any_page_of_airflow_the_message_still_names_the_task(without_page: dict[str, Any]) -> None:
    without_page["ti"].log_url = ""
    message = _message(without_page)
    assert message.next_steps == ()
    assert "open the task evenings.stop in Airflow" in message.warning


def test_one_of_several_mapped_tasks_is_named_by_its_map_index(without_page: dict[str, Any]) -> None:
    without_page["ti"].map_index = 0
    assert "the task evenings.stop (map index 0) in Airflow" in _message(without_page).warning


@pytest.mark.parametrize(
    ("warning", "use"),
    [
        (
            {"running": "a busy kernel (python3)", "idle_since": None},
            "Running in it right now: a busy kernel (python3).",
        ),
        (
            {"unknown": "The Jupyter server did not respond.", "idle_since": None},
            "Nobody knows whether it is in use: The Jupyter server did not respond.",
        ),
        ({"idle_since": None}, "Nothing runs in it right now."),
        ({}, "Nothing has run in it since 18:45 UTC."),
    ],
)
def test_at_the_latest_time_nobody_can_keep_it_running(
    stop_context: dict[str, Any], warning: dict[str, Any], use: str
) -> None:
    # A launch page makes no difference.
    message = _message(stop_context, at_latest=True, **warning)
    assert message.title == "Notebook research will be stopped at 20:00 UTC"
    assert message.lead == f"Airflow stops it at 20:00 UTC, whatever runs in it. {use}"
    assert message.warning.startswith("Please save your work before then: it cannot be kept running")
    (step,) = message.next_steps
    assert (step.text, step.url) == ("open the task in Airflow", "https://airflow.example.com/evenings/stop")
    for text in (*render(message), json.dumps(link_payload(message), ensure_ascii=False)):
        assert BUTTON not in text
        assert "as success" not in text
        assert "sagemaker-notebooks" not in text


def test_a_stop_in_the_notifiers_time_zone_after_midnight_has_a_date(stop_context: dict[str, Any]) -> None:
    stop_context["stop_warning"] = replace(
        stop_context["stop_warning"], stops_at=datetime(2026, 3, 4, 23, 5, tzinfo=UTC)
    )
    message = stop_warning_message(stop_context, note="", zone=ZoneInfo("Europe/Berlin"), now=NOW)
    assert message.title == "Notebook research will be stopped at 00:05 CET (Europe/Berlin) on Thursday, 5 March"


@pytest.mark.parametrize("missing", ["workspace", "workspace_description", "notebook_instance", "ti", "run_id"])
def test_unknown_facts_are_omitted(without_page: dict[str, Any], missing: str) -> None:
    message = _message({**without_page, missing: None})
    assert message.title == "Notebook research will be stopped at 20:00 UTC"
    assert "" not in dict(message.facts).values()
    assert "None" not in repr(message)
    assert "  " not in repr(message)


def test_no_message_shows_a_token_that_a_reason_quotes(stop_context: dict[str, Any]) -> None:
    for reason in (URL, "x" * 275 + "authToken=secret-a.b"):
        assert "secret" not in repr(_message(stop_context, at_latest=True, unknown=reason))
        assert "secret" not in repr(_message(stop_context, at_latest=True, running=reason))


def test_a_kernels_name_is_escaped_everywhere_and_cannot_fill_the_message(stop_context: dict[str, Any]) -> None:
    evil = "<!channel> & <https://evil.example|click>\n<img src=x>"
    message = _message(stop_context, at_latest=True, running=evil + "x" * 5000)
    assert len(message.lead) < 400
    assert "\n" not in message.lead
    text, html = render(message)
    assert "<!channel>" in text
    assert all("evil" not in value for _, value in Tags(html).attributes)
    assert "<img" not in html
    payload = link_payload(message)
    assert "<!channel>" not in json.dumps(payload)
    assert "<https://evil" not in json.dumps(payload)
    assert block_kit_problem(payload) is None


@pytest.mark.parametrize("at_latest", [False, True])
@pytest.mark.parametrize("length", [0, 100, 3000, 3100])
def test_slack_takes_every_message(stop_context: dict[str, Any], length: int, at_latest: bool) -> None:
    url = stop_context["launch_url"] + "x" * (length - len(stop_context["launch_url"])) if length else ""
    context = {**stop_context, "launch_url": url, "run_id": "r" * 250}
    warning = replace(context["stop_warning"], at_latest=at_latest)
    message = stop_warning_message({**context, "stop_warning": warning}, note="&" * 9000, zone=UTC, now=NOW)
    payload = link_payload(message)
    assert block_kit_problem(payload) is None
    links = [element for block in payload["blocks"] if block["type"] == "actions" for element in block["elements"]]
    assert [link["url"] for link in links] == ([url] if 0 < length <= 3000 and not at_latest else [])
    assert "https:" not in payload["text"]
    as_text = link_as_text_payload(message)["text"]
    assert "<|" not in as_text
    assert (f"|{BUTTON}>" in as_text) == bool(message.url)


def test_the_mail_says_the_same_in_both_parts(stop_context: dict[str, Any], without_page: dict[str, Any]) -> None:
    for context in (stop_context, without_page):
        message = _message(context)
        text, html = render(message)
        said = [message.title, message.lead, message.warning, message.note, *(fact.value for fact in message.facts)]
        said += [step.url for step in message.next_steps]
        assert [part for part in said if part not in text] == []
        assert [part for part in said if part not in html] == []
        assert (f"{BUTTON}:\n{stop_context['launch_url']}\n" in text) == bool(message.url)
        assert (f'href="{stop_context["launch_url"]}"' in html) == bool(message.url)
        assert html.count("<table") == html.count("</table")


def test_a_keep_lasts_as_long_as_the_notebook_must_be_idle(stop_context: dict[str, Any]) -> None:
    assert "for at least 2 days more." in _message(stop_context, idle_for=timedelta(days=2)).warning
