from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest

from airflow_sagemaker_presign.local.inbox.block_kit import block_kit_problem
from airflow_sagemaker_presign.notifications.failure_message import failure_message
from airflow_sagemaker_presign.notifications.link_message import link_message
from airflow_sagemaker_presign.notifications.slack_blocks import (
    escape,
    failure_payload,
    link_as_text_payload,
    link_payload,
)

EVIL = "<!channel> & <https://evil.example|click> *x*"


def _texts(blocks: object) -> list[str]:
    """Every text of the blocks, however deep."""
    if isinstance(blocks, dict):
        own = [blocks["text"]] if isinstance(blocks.get("text"), str) else []
        return own + [text for value in blocks.values() for text in _texts(value)]
    return [text for item in blocks for text in _texts(item)] if isinstance(blocks, list) else []


def _urls(blocks: object) -> list[str]:
    """The address of every button and of every link in rich text, however deep."""
    if isinstance(blocks, dict):
        own = [blocks["url"]] if "url" in blocks else []
        return own + [url for value in blocks.values() for url in _urls(value)]
    return [url for item in blocks for url in _urls(item)] if isinstance(blocks, list) else []


def test_the_link_is_a_primary_button_and_nowhere_else(link_context: dict[str, Any]) -> None:
    message = link_message(link_context, note="a note", zone=UTC)
    payload = link_payload(message)
    (actions,) = [block for block in payload["blocks"] if block["type"] == "actions"]
    (button,) = actions["elements"]
    assert (button["type"], button["style"], button["url"]) == ("button", "primary", message.url)
    assert json.dumps(payload).count("authToken") == 1
    assert payload["unfurl_links"] is False
    assert payload["unfurl_media"] is False


def test_the_notification_text_says_where_to_click_and_has_no_url(link_context: dict[str, Any]) -> None:
    payload = link_payload(link_message(link_context, note="a note", zone=UTC))
    assert payload["text"] == (
        "Notebook research is ready. Open this message and press “Open the notebook” by 08:35 UTC."
    )


def test_the_blocks_say_all_that_the_message_says(link_context: dict[str, Any]) -> None:
    message = link_message(link_context, note="Model: s3://m", zone=UTC)
    said = "\n".join(_texts(link_payload(message)["blocks"]))
    expected = [message.title, message.lead, message.note, message.warning, *(fact.value for fact in message.facts)]
    assert [text for text in expected if text not in said] == []
    assert all(f"<{step.url.replace('&', '&amp;')}|{step.text}>" in said for step in message.next_steps)


def test_a_note_cannot_mention_a_channel_or_hide_a_link(link_context: dict[str, Any]) -> None:
    payload = link_payload(link_message(link_context, note=EVIL, zone=UTC))
    said = _texts(payload["blocks"])
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt; *x*" in said


LENGTHS = [2999, 3000, 3001, 3400, 3850, 3900, 8000]


def _with_url_of(length: int, context: dict[str, Any]) -> str:
    url: str = context["presigned_url"].url
    context["presigned_url"].url = url + "&pad=" + "x" * (length - len(url) - 5)
    return str(context["presigned_url"].url)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("note", ["", EVIL, "&" * 5000])
def test_a_url_of_any_length_is_one_link_in_blocks_that_slack_takes(
    link_context: dict[str, Any], length: int, note: str
) -> None:
    url = _with_url_of(length, link_context)
    payload = link_payload(link_message(link_context, note=note, zone=UTC))
    assert block_kit_problem(payload) is None
    assert _urls(payload["blocks"]).count(url) == 1
    assert "authToken" not in payload["text"]
    assert len(payload["text"]) < 4000
    assert all(len(text) <= 3000 for text in _texts(payload["blocks"]))
    if length < 4000:
        assert len(json.dumps(payload["blocks"], ensure_ascii=False)) <= 12_000


@pytest.mark.parametrize("length", [3001, 3400, 3850])
@pytest.mark.parametrize("note", ["", EVIL, "&" * 5000])
def test_as_plain_text_a_long_url_stays_whole_in_a_text_that_slack_does_not_split(
    link_context: dict[str, Any], length: int, note: str
) -> None:
    url = _with_url_of(length, link_context)
    payload = link_as_text_payload(link_message(link_context, note=note, zone=UTC))
    assert "blocks" not in payload
    assert f"<{url.replace('&', '&amp;')}|Open the notebook>" in payload["text"]
    assert len(payload["text"]) < 4000
    assert "<!channel>" not in payload["text"]
    assert payload["unfurl_links"] is False


def test_plain_text_leaves_out_what_matters_least(link_context: dict[str, Any]) -> None:
    url = _with_url_of(3001, link_context)
    message = link_message(link_context, note="a note of mine", zone=UTC)
    lines = link_as_text_payload(message)["text"].split("\n")
    assert lines[:2] == [f"*{message.title}*", message.lead]
    assert lines[3] == f"<{url.replace('&', '&amp;')}|Open the notebook>"
    assert "a note of mine" in lines

    _with_url_of(3850, link_context)
    short = link_as_text_payload(link_message(link_context, note="n" * 500, zone=UTC))["text"]
    assert message.warning not in short
    assert "nnn" not in short


@pytest.mark.parametrize("note", ["x" * 3001, "&" * 700, "läuft 🙂" * 900])
def test_a_note_that_is_cut_says_so(link_context: dict[str, Any], note: str) -> None:
    blocks = link_payload(link_message(link_context, note=note, zone=UTC))["blocks"]
    (said,) = [text for text in _texts(blocks) if text.startswith(escape(note[:5]))]
    assert said.endswith("…\n(The rest of this note is cut off: a Slack message has no room for more.)")
    assert len(said) <= 3000


def test_a_note_that_fits_exactly_is_not_cut(link_context: dict[str, Any]) -> None:
    assert "x" * 3000 in _texts(link_payload(link_message(link_context, note="x" * 3000, zone=UTC))["blocks"])


def test_a_failure_has_no_button_and_says_what_to_do(airflow_context: dict[str, Any]) -> None:
    message = failure_message({**airflow_context, "exception": RuntimeError(EVIL)})
    payload = failure_payload(message)
    said = "\n".join(_texts(payload["blocks"]))
    assert message.title in payload["text"]
    assert message.title in said
    assert message.advice in said
    assert "<!channel>" not in said + payload["text"]
    assert f"<{message.next_steps[0].url}|open the task in Airflow>" in said


@pytest.mark.parametrize("length", [10, 5000])
def test_no_text_is_longer_than_slack_takes(link_context: dict[str, Any], length: int) -> None:
    link_context["ti"].task_id = link_context["ti"].dag_id = "t" * length
    link_context["task"].notebook_instance_name = "n" * length
    link_context["exception"] = type("E", (Exception,), {"problem": "&" * length, "advice": "<" * length})()
    for payload in (
        link_payload(link_message(link_context, note="&<>" * length, zone=UTC)),
        failure_payload(failure_message(link_context)),
    ):
        for block in payload["blocks"]:
            assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
            assert all(len(text) <= (150 if block["type"] == "header" else 3000) for text in _texts(block))


def test_an_escaped_text_is_cut_beside_an_entity_not_inside_it() -> None:
    assert escape("a&&&&", 13) == "a&amp;&amp;…"
    assert escape("a&&", 11) == "a&amp;&amp;"
