"""What a message with a door says: alone, without a credential; and beside a presigned URL, for later."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.notifications.email_message import render
from airflow_sagemaker_presign.notifications.message import link_message
from airflow_sagemaker_presign.notifications.slack_blocks import link_payload

DOOR = "https://airflow.example.com/sagemaker-notebooks/mornings/manual__1/notebook_link"
CONSOLE = "https://eu-central-1.console.aws.amazon.com/"


@pytest.fixture
def both(link_context: dict[str, Any]) -> dict[str, Any]:
    link_context["notebook_instance"]["NotebookInstanceName"] = "research"
    return {
        **link_context,
        "door_url": DOOR,
        "door_open_for": timedelta(days=7),
        "session_expiration_duration": timedelta(hours=8),
    }


@pytest.fixture
def door(both: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in both.items() if key != "presigned_url"}


def _everywhere(context: dict[str, Any]) -> list[str]:
    """The message as text, as HTML and as Slack's blocks."""
    message = link_message(context, note="a note", zone=UTC)
    return [*render(message), json.dumps(link_payload(message), ensure_ascii=False)]


def test_the_door_alone_says_how_to_get_in_for_how_long_and_what_it_starts(door: dict[str, Any]) -> None:
    message = link_message(door, note=" a note ", zone=UTC)
    assert (message.title, message.url, message.note) == ("Notebook research is ready", DOOR, "a note")
    assert message.subject == "Notebook research is ready: open it through Airflow"
    assert "Sign in to Airflow" in message.lead
    assert "for 7 days" in message.lead
    assert "stopped again, the link starts it" in message.lead
    assert "Forwarding it gives nobody access" in message.warning
    assert [tuple(fact) for fact in message.facts] == [
        ("Notebook instance", "research"),
        ("Region", "eu-central-1"),
        ("Link works for", "7 days"),
        ("Session lasts", "8 hours from when you open it"),
    ]
    console, task = message.when_expired
    assert console.url.startswith(CONSOLE)
    assert task.url == door["ti"].log_url


def test_the_door_alone_has_no_credential_and_no_hurry_in_any_medium(door: dict[str, Any]) -> None:
    for said in _everywhere(door):
        assert DOOR in said
        assert "a note" in said
        assert "Link expired?" in said
        assert "authToken" not in said
        assert "minutes" not in said
        assert "personal" not in said


def test_both_has_the_presigned_button_and_the_door_for_later_in_place_of_a_cleared_task(both: dict[str, Any]) -> None:
    message = link_message(both, note="", zone=UTC)
    assert message.url == both["presigned_url"].url
    assert message.lead == "Open it by 08:35 UTC. The link works for five minutes only."
    assert message.when_expired_title == "Too late?"
    door, console = message.when_expired
    assert tuple(door) == ("Signed in to Airflow, for 7 days:", "open the notebook through Airflow", DOOR)
    assert console.url.startswith(CONSOLE)
    for said in _everywhere(both):
        assert DOOR in said
        assert "Too late?" in said
        assert "clear it" not in said


@pytest.mark.parametrize("door_url", ["", None])
def test_without_a_door_the_message_is_as_it_was(link_context: dict[str, Any], door_url: str | None) -> None:
    before = link_message({**link_context}, note="", zone=UTC)
    assert link_message({**link_context, "door_url": door_url}, note="", zone=UTC) == before
    assert before.when_expired_title == "Link expired?"


def test_slacks_locked_screen_says_where_to_click(door: dict[str, Any]) -> None:
    text = link_payload(link_message(door, note="", zone=UTC))["text"]
    assert text == "Notebook research is ready. Open this message and press “Open the notebook”."


@pytest.mark.parametrize("length", [1000, 2900, 3000])
@pytest.mark.parametrize("kind", ["door", "both"])
def test_a_long_door_fits_into_what_slack_takes(request: pytest.FixtureRequest, kind: str, length: int) -> None:
    context = request.getfixturevalue(kind)
    context["door_url"] = DOOR + "&" * (length - len(DOOR))
    payload = link_payload(link_message(context, note="", zone=UTC))
    elements = [element for block in payload["blocks"] for element in block.get("elements", []) if "url" in element]
    sections = [block["text"]["text"] for block in payload["blocks"] if block["type"] == "section" and "text" in block]
    assert all(len(text) <= 3000 for text in sections)
    assert context["door_url"] in [element["url"] for element in elements] or any(
        context["door_url"].replace("&", "&amp;") in text for text in sections
    )
    assert len({element["action_id"] for element in elements}) == len(elements)


def test_a_door_too_long_for_any_button_leaves_the_presigned_one(both: dict[str, Any]) -> None:
    both["door_url"] = DOOR + "x" * 3000
    payload = link_payload(link_message(both, note="", zone=UTC))
    assert both["door_url"] not in json.dumps(payload)
    assert both["presigned_url"].url in json.dumps(payload)
