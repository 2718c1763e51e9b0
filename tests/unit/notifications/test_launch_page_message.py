"""What a message with a launch page says: alone, without a credential; and beside a presigned URL, for later."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.notifications.email_message import render
from airflow_sagemaker_presign.notifications.link_message import link_message
from airflow_sagemaker_presign.notifications.slack_blocks import link_payload

LAUNCH_URL = "https://airflow.example.com/sagemaker-notebooks/mornings/manual__1/notebook_link"
CONSOLE = "https://eu-central-1.console.aws.amazon.com/"


@pytest.fixture
def both(link_context: dict[str, Any]) -> dict[str, Any]:
    link_context["notebook_instance"]["NotebookInstanceName"] = "research"
    return {
        **link_context,
        "launch_url": LAUNCH_URL,
        "launch_page_valid_for": timedelta(days=7),
        "session_expiration_duration": timedelta(hours=8),
    }


@pytest.fixture
def launch_page(both: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in both.items() if key != "presigned_url"}


def _everywhere(context: dict[str, Any]) -> list[str]:
    """The message as text, as HTML and as Slack's blocks."""
    message = link_message(context, note="a note", zone=UTC)
    return [*render(message), json.dumps(link_payload(message), ensure_ascii=False)]


def test_the_launch_url_alone_says_how_to_get_in_for_how_long_and_what_it_starts(launch_page: dict[str, Any]) -> None:
    message = link_message(launch_page, note=" a note ", zone=UTC)
    assert (message.title, message.url, message.note) == ("Notebook research is ready", LAUNCH_URL, "a note")
    assert message.subject == "Notebook research is ready: open it through Airflow"
    assert "Sign in to Airflow" in message.lead
    assert "for 7 days" in message.lead
    assert "stopped again, the link starts it" in message.lead
    assert "Forwarding it does not give access" in message.warning
    assert [tuple(fact) for fact in message.facts] == [
        ("Notebook instance", "research"),
        ("Region", "eu-central-1"),
        ("Link works for", "7 days"),
        ("Session lasts", "8 hours from when you open it"),
    ]
    console, task = message.next_steps
    assert console.url.startswith(CONSOLE)
    assert task.url == launch_page["ti"].log_url


def test_the_launch_url_alone_has_no_credential_and_no_hurry_in_any_medium(launch_page: dict[str, Any]) -> None:
    for text in _everywhere(launch_page):
        assert LAUNCH_URL in text
        assert "a note" in text
        assert "Link expired?" in text
        assert "authToken" not in text
        assert "minutes" not in text
        assert "personal" not in text


def test_both_has_the_presigned_button_and_the_launch_page_for_later_in_place_of_a_cleared_task(
    both: dict[str, Any],
) -> None:
    message = link_message(both, note="", zone=UTC)
    assert message.url == both["presigned_url"].url
    assert message.lead == "Open it by 08:35 UTC. The link works for five minutes only."
    assert message.next_steps_title == "Too late?"
    launch_page, console = message.next_steps
    assert tuple(launch_page) == ("Signed in to Airflow, for 7 days:", "open the notebook through Airflow", LAUNCH_URL)
    assert console.url.startswith(CONSOLE)
    for text in _everywhere(both):
        assert LAUNCH_URL in text
        assert "Too late?" in text
        assert "clear it" not in text


@pytest.mark.parametrize("launch_url", ["", None])
def test_without_a_launch_page_the_message_is_as_it_was(link_context: dict[str, Any], launch_url: str | None) -> None:
    before = link_message({**link_context}, note="", zone=UTC)
    assert link_message({**link_context, "launch_url": launch_url}, note="", zone=UTC) == before
    assert before.next_steps_title == "Link expired?"


def test_slacks_locked_screen_says_where_to_click(launch_page: dict[str, Any]) -> None:
    text = link_payload(link_message(launch_page, note="", zone=UTC))["text"]
    assert text == "Notebook research is ready. Open this message and press “Open the notebook”."


@pytest.mark.parametrize("length", [1000, 2900, 3000])
@pytest.mark.parametrize("kind", ["launch_page", "both"])
def test_a_long_launch_page_fits_into_what_slack_takes(request: pytest.FixtureRequest, kind: str, length: int) -> None:
    context = request.getfixturevalue(kind)
    context["launch_url"] = LAUNCH_URL + "&" * (length - len(LAUNCH_URL))
    payload = link_payload(link_message(context, note="", zone=UTC))
    elements = [element for block in payload["blocks"] for element in block.get("elements", []) if "url" in element]
    sections = [block["text"]["text"] for block in payload["blocks"] if block["type"] == "section" and "text" in block]
    assert all(len(text) <= 3000 for text in sections)
    assert context["launch_url"] in [element["url"] for element in elements] or any(
        context["launch_url"].replace("&", "&amp;") in text for text in sections
    )
    assert len({element["action_id"] for element in elements}) == len(elements)


def test_a_launch_page_too_long_for_any_button_leaves_the_presigned_one(both: dict[str, Any]) -> None:
    both["launch_url"] = LAUNCH_URL + "x" * 3000
    payload = link_payload(link_message(both, note="", zone=UTC))
    assert both["launch_url"] not in json.dumps(payload)
    assert both["presigned_url"].url in json.dumps(payload)
