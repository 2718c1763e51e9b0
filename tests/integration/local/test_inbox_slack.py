"""The inbox takes what Slack's own client sends, and fails as Slack does."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from airflow_sagemaker_presign.local import LocalServices

BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*research* is ready"}}]


@pytest.fixture
def slack(local: LocalServices) -> WebClient:
    return WebClient("xoxb-local", base_url=local.slack_base_url, timeout=1, retry_handlers=[])


def test_a_message_to_a_channel_is_kept_with_its_blocks(local: LocalServices, slack: WebClient) -> None:
    before = time.time()
    assert slack.auth_test()["ok"]
    slack.chat_postMessage(channel="#ml", text="ready", blocks=BLOCKS)
    (message,) = local.inbox.slack_messages
    assert before <= message.arrived_at <= time.time()
    assert (message.channel, message.text, message.blocks) == ("#ml", "ready", BLOCKS)
    (shown,) = requests.get(f"{local.inbox_url}/messages.json").json()
    assert (shown["kind"], shown["blocks"]) == ("slack", BLOCKS)


def test_a_person_is_found_by_email_address_and_written_to_directly(local: LocalServices, slack: WebClient) -> None:
    user = slack.users_lookupByEmail(email="ada@example.com")["user"]["id"]
    channel = slack.conversations_open(users=user)["channel"]["id"]
    slack.chat_postMessage(channel=channel, text="in a direct channel")
    slack.chat_postMessage(channel=user, text="by user id")
    assert [message.recipient for message in local.inbox.slack_messages] == ["ada@example.com"] * 2


def test_a_webhook_works_with_and_without_slack_in_its_path(local: LocalServices) -> None:
    for url in (local.slack_webhook_url, f"{local.endpoint_url}/slack/services/T0/B0/x"):
        answer = WebhookClient(url).send(text="ready", blocks=BLOCKS)
        assert (answer.status_code, answer.body) == (200, "ok")
    assert [message.blocks for message in local.inbox.slack_messages] == [BLOCKS, BLOCKS]


@pytest.mark.parametrize(
    ("fault", "settings", "status", "error"),
    [
        ("429", {"retry_after": 7}, 429, "ratelimited"),
        ("500", {}, 500, "internal_error"),
        ("not-ok", {"error": "not_in_channel"}, 200, "not_in_channel"),
    ],
)
def test_a_call_that_fails_can_be_made_again(
    fault: str, settings: dict[str, Any], status: int, error: str, local: LocalServices, slack: WebClient
) -> None:
    local.inbox.slack.fail(fault, times=1, **settings)
    with pytest.raises(SlackApiError) as caught:
        slack.chat_postMessage(channel="#ml", text="ready")
    assert (caught.value.response.status_code, caught.value.response["error"]) == (status, error)
    if fault == "429":
        assert caught.value.response.headers["Retry-After"] == "7"
    assert local.inbox.slack_messages == []
    slack.chat_postMessage(channel="#ml", text="ready")
    assert len(local.inbox.slack_messages) == 1


@pytest.mark.parametrize(("fault", "kept"), [("hang", []), ("hang-after-receipt", [False])])
def test_a_call_that_hangs_may_have_been_taken_or_not(
    fault: str, kept: list[bool], local: LocalServices, slack: WebClient
) -> None:
    local.inbox.slack.fail(fault, method="chat.postMessage", hang_seconds=5)
    with pytest.raises(TimeoutError):
        slack.chat_postMessage(channel="#ml", text="ready")
    assert [message.acknowledged for message in local.inbox.slack_messages] == kept


def test_a_fault_of_one_method_leaves_the_others_alone(local: LocalServices, slack: WebClient) -> None:
    local.inbox.slack.fail("not-ok", times=None, method="users.lookupByEmail", error="users_not_found")
    slack.chat_postMessage(channel="#ml", text="ready")
    with pytest.raises(SlackApiError, match="users_not_found"):
        slack.users_lookupByEmail(email="ada@example.com")


def test_a_webhook_fails_as_asked(local: LocalServices) -> None:
    requests.post(f"{local.inbox_url}/faults/slack", json={"fault": "not-ok", "method": "webhook", "error": "no_team"})
    answer = WebhookClient(local.slack_webhook_url).send(text="ready")
    assert (answer.status_code, answer.body) == (404, "no_team")
    assert WebhookClient(local.slack_webhook_url).send(text="ready").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "", "text": "x"}, "channel_not_found"),
        ({"channel": "#ml"}, "no_text"),
        ({"channel": "#ml", "text": "x", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"channel": "#ml", "text": "x", "blocks": [{"type": "nonsense"}]}, r"unsupported type: nonsense"),
        ({"channel": "#ml", "text": "x", "blocks": "[{"}, "invalid_blocks_format"),
        ({"channel": "#ml", "text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
    ],
)
def test_a_request_that_slack_would_reject_is_rejected(arguments: dict[str, Any], error: str, slack: WebClient) -> None:
    with pytest.raises(SlackApiError, match=error):
        slack.chat_postMessage(**arguments)


@pytest.mark.parametrize(
    ("body", "error"), [("{", "invalid_json"), ("[]", "json_not_object"), ("7", "json_not_object")]
)
def test_a_body_that_is_no_json_object_is_refused(body: str, error: str, local: LocalServices) -> None:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer xoxb-local"}
    answer = requests.post(f"{local.slack_base_url}chat.postMessage", data=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"ok": False, "error": error})
    answer = requests.post(local.slack_webhook_url, data=body, headers=headers)
    assert (answer.status_code, answer.text) == (400, "invalid_payload")


def test_a_webhook_refuses_what_slack_refuses(local: LocalServices) -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "Open"}, "action_id": "open"}
    answer = WebhookClient(local.slack_webhook_url).send(blocks=[{"type": "actions", "elements": [button, button]}])
    assert (answer.status_code, answer.body) == (400, "invalid_blocks")
    assert local.inbox.slack_messages == []


def test_without_a_token_nobody_is_served(local: LocalServices) -> None:
    answer = requests.post(f"{local.slack_base_url}chat.postMessage", json={"channel": "#ml", "text": "x"}).json()
    assert answer == {"ok": False, "error": "not_authed"}


@pytest.mark.parametrize("channel", ["ada@example.com", "two words", "", 7, ["C1"], None])
def test_a_value_that_is_neither_a_name_nor_an_id_is_no_channel(channel: object, local: LocalServices) -> None:
    answer = requests.post(
        f"{local.slack_base_url}chat.postMessage",
        json={"channel": channel, "text": "ready"},
        headers={"Authorization": "Bearer xoxb-local"},
    )
    assert answer.json() == {"ok": False, "error": "channel_not_found"}
    assert local.inbox.slack_messages == []


@pytest.mark.parametrize("header", ["Bearer ", "Bearer", "Basic eDp5", "xoxb-local"])
def test_without_a_bearer_token_nobody_may_do_anything(header: str, local: LocalServices) -> None:
    answer = requests.post(f"{local.slack_base_url}auth.test", headers={"Authorization": header})
    assert answer.json() == {"ok": False, "error": "not_authed"}


def test_a_section_whose_fields_are_null_can_be_shown(local: LocalServices, slack: WebClient) -> None:
    slack.chat_postMessage(channel="#ml", text="ready", blocks=[{**BLOCKS[0], "fields": None}])
    assert requests.get(f"{local.inbox_url}/cards").json()["count"] == 1
