from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.inbox.block_kit import slack_error_of
from airflow_sagemaker_presign.local.inbox.mailbox import Inbox
from airflow_sagemaker_presign.local.inbox.rendering import render

URL = "https://a.example"


def text(length: int = 1, kind: str = "mrkdwn", **more: Any) -> dict[str, Any]:
    return {"type": kind, "text": "x" * length, **more}


def section(**more: Any) -> dict[str, Any]:
    return {"type": "section", "text": text(), **more}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": text(4, "plain_text"), "url": URL, **more}


def confirm(**more: Any) -> dict[str, Any]:
    return {name: text(1, "plain_text") for name in ("title", "text", "confirm", "deny")} | more


def bullets(*items: Any, style: str | None = "bullet") -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_list", "style": style, "elements": list(items)}]}


def actions(*elements: Any, **more: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements), **more}


def context(*elements: Any) -> dict[str, Any]:
    return {"type": "context", "elements": list(elements)}


def rich_text(*elements: Any) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def image(**more: Any) -> dict[str, Any]:
    return {"type": "image", "image_url": f"{URL}/a.png", "alt_text": "a picture", **more}


@pytest.mark.parametrize(
    "block",
    [
        section(text=text(3000)),
        section(text=text(2, "plain_text", emoji=True)),
        {"type": "section", "fields": [text(2000)] * 10},
        section(accessory=button()),
        section(accessory=image(), block_id="b" * 255, expand=True),
        {"type": "header", "text": text(150, "plain_text")},
        {"type": "divider"},
        actions(*[button(action_id=str(number)) for number in range(25)]),
        actions(button(), button()),
        actions(button(url="https://a.example/" + "x" * 2982, style="primary", value="v" * 2000)),
        actions({"type": "static_select", "action_id": "a", "options": [{}]}),
        actions({"type": "static_select", "option_groups": [{}]}),
        actions(button(confirm=confirm())),
        {"type": "section", "text": text(), "fields": None},
        context(*[text()] * 10),
        context(image(), text(1, "plain_text")),
        image(title=text(1, "plain_text")),
        {"type": "markdown", "text": "x" * 12000},
        rich_text(
            {"type": "text", "text": "Open ", "style": {"bold": True}}, {"type": "link", "url": URL + "x" * 3500}
        ),
        bullets({"type": "rich_text_section", "elements": [{"type": "user", "user_id": "U012AB3CD"}]}),
    ],
)
def test_blocks_that_slack_accepts_are_accepted(block: dict[str, Any]) -> None:
    assert slack_error_of({"blocks": [block]}) is None
    assert slack_error_of({"attachments": [{"color": "#fff", "blocks": [block]}]}) is None


@pytest.mark.parametrize(
    ("block", "where"),
    [
        ({"type": "buttons"}, "/blocks/0/type"),
        ({"text": text()}, "/blocks/0"),
        ("section", "/blocks/0"),
        (section(text=text(3001)), "/blocks/0/text/text"),
        (section(text=text(0)), "/blocks/0/text/text"),
        (section(text="words"), "/blocks/0"),
        (section(text=text(1, "markdown")), "/blocks/0/text/type"),
        (section(text=text(1, emoji=True)), "/blocks/0/text"),
        ({"type": "section"}, "/blocks/0"),
        ({"type": "section", "fields": [text()] * 11}, "/blocks/0/fields"),
        ({"type": "section", "fields": [text(2001)]}, "/blocks/0/fields/0/text"),
        ({"type": "section", "fields": "x"}, "/blocks/0/fields"),
        (section(accessory={"type": "text"}), "/blocks/0/accessory/type"),
        (section(colour="red"), "/blocks/0"),
        (section(block_id="b" * 256), "/blocks/0/block_id"),
        ({"type": "header", "text": text(151, "plain_text")}, "/blocks/0/text/text"),
        ({"type": "header", "text": text(1)}, "/blocks/0/text/type"),
        ({"type": "header"}, "/blocks/0"),
        (actions(), "/blocks/0/elements"),
        (actions(*[button()] * 26), "/blocks/0/elements"),
        (actions(button(action_id="a"), button(action_id="a")), "/blocks/0/elements"),
        (actions(text()), "/blocks/0/elements/0/type"),
        (actions(button(url="https://a.example/" + "x" * 2983)), "/blocks/0/elements/0/url"),
        (actions(button(url="")), "/blocks/0/elements/0/url"),
        (actions(button(url="a.example")), "/blocks/0/elements/0/url"),
        (actions(button(text=text(76, "plain_text"))), "/blocks/0/elements/0/text/text"),
        (actions(button(text=text(1))), "/blocks/0/elements/0/text/type"),
        (actions(button(style="green")), "/blocks/0/elements/0/style"),
        (actions(button(action_id="")), "/blocks/0/elements/0/action_id"),
        (actions(button(href=URL)), "/blocks/0/elements/0"),
        (context(), "/blocks/0/elements"),
        (context(*[text()] * 11), "/blocks/0/elements"),
        (context(button()), "/blocks/0/elements/0/type"),
        (image(alt_text=""), "/blocks/0/alt_text"),
        ({"type": "image", "alt_text": "a"}, "/blocks/0"),
        ({"type": "markdown", "text": "x" * 12001}, "/blocks/0/text"),
        ({"type": "rich_text"}, "/blocks/0/elements"),
        (rich_text({"type": "mrkdwn", "text": "x"}), "/blocks/0/elements/0/elements/0/type"),
        (rich_text({"type": "link"}), "/blocks/0/elements/0/elements/0/url"),
        (rich_text({"type": "text", "text": ""}), "/blocks/0/elements/0/elements/0/text"),
        (rich_text({"type": "user"}), "/blocks/0/elements/0/elements/0/user_id"),
        (rich_text({"type": "text", "text": "x", "elements": None}), "/blocks/0/elements/0/elements/0"),
        (rich_text({"type": "rich_text_section", "elements": []}), "/blocks/0/elements/0/elements/0/type"),
        ({"type": "rich_text", "elements": [{"type": "text", "text": "x"}]}, "/blocks/0/elements/0/type"),
        (bullets({"type": "text", "text": "x"}), "/blocks/0/elements/0/elements/0/type"),
        (bullets(style=None), "/blocks/0/elements/0/style"),
        (actions({"type": "static_select", "options": []}), "/blocks/0/elements/0/options"),
        (actions({"type": "overflow", "options": [{}] * 6}), "/blocks/0/elements/0/options"),
        (actions({"type": "checkboxes"}), "/blocks/0/elements/0/options"),
        (actions({"type": "workflow_button", "text": text(1, "plain_text")}), "/blocks/0/elements/0"),
        (actions(button(confirm={})), "/blocks/0/elements/0/confirm"),
        (actions(button(confirm="sure?")), "/blocks/0/elements/0/confirm"),
        (actions(button(confirm=confirm(title=text(101, "plain_text")))), "/blocks/0/elements/0/confirm/title/text"),
        ({"type": "input", "element": {}}, "/blocks/0"),
        ({"type": "video", "title": text(1, "plain_text")}, "/blocks/0"),
    ],
)
def test_blocks_that_slack_would_reject_are_rejected_with_their_position(block: Any, where: str) -> None:
    slack_error = slack_error_of({"text": "x", "blocks": [block]})
    assert slack_error is not None
    assert slack_error.code == "invalid_blocks"
    assert any(error.endswith(f"[json-pointer:{where}]") for error in slack_error.errors), slack_error.errors
    assert slack_error_of({"attachments": [{"blocks": [block]}]}) is not None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"text": " "}, "no_text"),
        ({"blocks": [section()] * 51}, "invalid_blocks"),
        ({"blocks": [section(block_id="same"), {"type": "divider", "block_id": "same"}]}, "invalid_blocks"),
        ({"blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({"blocks": "no json"}, "invalid_blocks_format"),
        ({"text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
        ({"text": "x", "attachments": ["x"]}, "invalid_attachments"),
        ({"text": "x", "attachments": [{"blocks": "x"}]}, "invalid_blocks"),
        ({"text": 7}, "invalid_arguments"),
    ],
)
def test_a_message_as_a_whole_is_refused_by_its_code(message: dict[str, Any], code: str) -> None:
    slack_error = slack_error_of(message)
    assert slack_error is not None
    assert slack_error.code == code


def test_no_slack_error_contains_a_url() -> None:
    link = f"{URL}?authToken=" + "x" * 3500
    slack_error = slack_error_of({"blocks": [actions(button(url=link)), section(text=text(1) | {"text": link})]})
    assert slack_error is not None
    assert "authToken" not in str(slack_error)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["section", "button", URL]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "elements", "fields", "accessory", "url", "action_id", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["text", "blocks", "attachments"]), ANYTHING))
def test_any_blocks_are_either_rejected_or_rendered(message: dict[str, Any]) -> None:
    if slack_error_of(message) is None:
        inbox = Inbox(LocalClock())
        inbox.receive_slack("#ml", None, json.loads(json.dumps(message)))
        assert render(inbox.messages()[0])
