from __future__ import annotations

import copy
import json
import logging
import socket
import traceback
from typing import Any

import pytest

from airflow_sagemaker_presign.delivery.send_errors import SendFailed, SendOutcomeUnknown
from airflow_sagemaker_presign.exceptions import NotebookInstanceNoCapacity
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier


def _urls(message: dict[str, Any]) -> list[str]:
    return [
        element["url"] for block in message["blocks"] if block["type"] == "actions" for element in block["elements"]
    ]


def _assert_no_url(error: BaseException) -> None:
    assert "authToken" not in "".join(traceback.format_exception(error))


def test_a_channel_gets_the_link_as_a_button(slack: Any, link_context: dict[str, Any]) -> None:
    NotebookUrlSlackNotifier(channel="#research", note="run {{ ti.task_id }}")(link_context)
    (message,) = slack.posted()
    assert message["channel"] == "#research"
    assert _urls(message) == [link_context["presigned_url"].url]
    assert "authToken" not in message["text"]
    assert (message["unfurl_links"], message["unfurl_media"]) == (False, False)
    assert "run notebook_link" in json.dumps(message["blocks"])


def test_a_person_is_found_by_e_mail_address(slack: Any, link_context: dict[str, Any]) -> None:
    notifier = NotebookUrlSlackNotifier(user="{{ recipient }}")
    notifier(link_context)
    assert [method for method, _ in slack.calls] == ["users.lookupByEmail", "chat.postMessage"]
    assert slack.calls[0][1]["email"] == "ada@example.com"
    assert slack.posted()[0]["channel"] == "U012AB3CD"
    assert notifier.user == "ada@example.com", "the delivery names the recipient by the rendered field"


def test_a_user_id_needs_no_lookup(slack: Any, link_context: dict[str, Any]) -> None:
    NotebookUrlSlackNotifier(user="W9XYZ")(link_context)
    assert [(method, body["channel"]) for method, body in slack.calls] == [("chat.postMessage", "W9XYZ")]


def test_one_object_serves_link_failure_and_link_again(
    slack: Any, link_context: dict[str, Any], failure_context: dict[str, Any]
) -> None:
    notifier = NotebookUrlSlackNotifier(user="{{ recipient }}", note="{{ presigned_url.notebook_instance_name }}")
    copy.copy(notifier)({**link_context})
    notifier({**failure_context, "exception": NotebookInstanceNoCapacity("research", "AWS has no capacity.")})
    copy.copy(notifier)({**link_context, "recipient": "U2BOB"})

    first, failure, second = slack.posted()
    assert (first["channel"], failure["channel"], second["channel"]) == ("U012AB3CD", "U012AB3CD", "U2BOB")
    assert len(_urls(first)) == len(_urls(second)) == 1
    text = json.dumps(failure, ensure_ascii=False)
    assert failure["text"] == "No link to notebook research. AWS has no capacity."
    assert NotebookInstanceNoCapacity.advice in text
    assert "https://airflow.example.com/dags/mornings?a=1&amp;b=2" in text
    assert "authToken" not in text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"error": "channel_not_found"}, r"the Slack app finds no channel '#research'.*invite"),
        ({"error": "not_in_channel"}, r"not in the channel '#research'.*Invite it.*there.*chat:write.public"),
        ({"error": "invalid_auth"}, r"does not accept the token of the Airflow connection 'slack_api_default'"),
        ({"error": "missing_scope", "needed": "im:write"}, r"lacks the scope im:write.*reinstall the app"),
        ({"error": "is_archived"}, r"'#research' is archived"),
        ({"error": "brand_new_error"}, r"with the error 'brand_new_error'"),
    ],
)
def test_slacks_errors_are_explained_in_plain_words(
    slack: Any, link_context: dict[str, Any], answer: dict[str, Any], text: str
) -> None:
    slack.answers["chat.postMessage"] = {"ok": False, **answer}
    with pytest.raises(SendFailed, match=text) as raised:
        NotebookUrlSlackNotifier(channel="#research")(link_context)
    assert raised.value.may_have_arrived is False
    assert raised.value.response is not None
    assert raised.value.response.status_code == 200
    _assert_no_url(raised.value)


def test_an_unknown_person_is_named_and_nothing_is_posted(slack: Any, link_context: dict[str, Any]) -> None:
    slack.answers["users.lookupByEmail"] = {"ok": False, "error": "users_not_found"}
    with pytest.raises(SendFailed, match=r"no person 'ada@example.com' in the Slack workspace"):
        NotebookUrlSlackNotifier(user="{{ recipient }}")(link_context)
    assert slack.posted() == []


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ((429, {"Retry-After": "7"}, {"ok": False, "error": "ratelimited"}), 429, "rate limit is reached"),
        ((429, {"Retry-After": "7"}, ""), 429, "rate limit is reached"),
        ((404, {}, "Not Found"), 404, "HTTP status 404"),
        ((503, {}, "<html>"), 503, "HTTP status 503"),
        ((503, {}, {"ok": False, "error": "service_unavailable"}), 503, "HTTP status 503"),
        ((200, {"Content-Type": "text/html"}, "<html>Sign in to the network</html>"), 200, "not from Slack's API"),
    ],
)
def test_an_error_response_keeps_its_status_and_is_not_retried(
    slack: Any, link_context: dict[str, Any], answer: tuple[int, dict[str, str], Any], status: int, text: str
) -> None:
    slack.answers["chat.postMessage"] = answer
    with pytest.raises(SendFailed, match=text) as raised:
        NotebookUrlSlackNotifier(channel="#research")(link_context)
    assert raised.value.response is not None
    assert raised.value.response.status_code == status
    assert raised.value.response.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert len(slack.posted()) == 1
    _assert_no_url(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        "hang",
        "drop",
        (500, {}, "Internal Server Error"),
        (500, {}, {"ok": False, "error": "internal_error"}),
        (502, {}, "<html>bad gateway</html>"),
        (504, {}, "gateway timed out"),
        (520, {}, "a status that only some gateway knows"),
        (502, {"Content-Type": "text/html; charset=ascii"}, "<html>Störung"),
        {"ok": False, "error": "internal_error"},
        {"ok": False, "error": "fatal_error"},
        (200, {}, '{"ok": true, "channel": "C1", "ts": "17'),
        (200, {}, ""),
    ],
    ids=str,
)
def test_a_message_without_a_conclusive_response_may_have_arrived(
    slack: Any, link_context: dict[str, Any], answer: object
) -> None:
    slack.answers["chat.postMessage"] = answer
    with pytest.raises(SendOutcomeUnknown, match="may have arrived") as raised:
        NotebookUrlSlackNotifier(channel="#research", timeout=1)(link_context)
    assert raised.value.may_have_arrived is True
    assert len(slack.posted()) == 1
    _assert_no_url(raised.value)


@pytest.mark.parametrize(
    "answer",
    ["hang", "drop", (504, {}, "gateway timed out"), (502, {"Content-Type": "text/html; charset=ascii"}, "Störung")],
    ids=str,
)
def test_a_lookup_without_a_response_has_sent_nothing(slack: Any, link_context: dict[str, Any], answer: object) -> None:
    slack.answers["users.lookupByEmail"] = answer
    with pytest.raises(SendFailed, match=r"did not respond to users\.lookupByEmail"):
        NotebookUrlSlackNotifier(user="{{ recipient }}", timeout=1)(link_context)
    assert slack.posted() == []


@pytest.mark.parametrize(
    "answer", [(500, {}, "Internal Server Error"), {"ok": False, "error": "internal_error"}], ids=str
)
def test_a_lookup_during_which_slack_failed_has_sent_nothing(
    slack: Any, link_context: dict[str, Any], answer: object
) -> None:
    slack.answers["users.lookupByEmail"] = answer
    with pytest.raises(SendFailed) as raised:
        NotebookUrlSlackNotifier(user="{{ recipient }}")(link_context)
    assert raised.value.may_have_arrived is False
    assert slack.posted() == []


def test_a_slack_that_cannot_be_reached_got_nothing(
    link_context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        extra = {"base_url": f"http://127.0.0.1:{closed.getsockname()[1]}/"}
        connection = {"conn_type": "slack", "password": "xoxb-test", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))
        with pytest.raises(SendFailed, match="could not be reached") as raised:
            NotebookUrlSlackNotifier(channel="#research")(link_context)
    assert raised.value.may_have_arrived is False


@pytest.mark.parametrize(
    "extra", [{"base_url": "http://local host/"}, {"base_url": "http://127.0.0.1:9/", "proxy": "http://127.0.0.1:abc"}]
)
def test_an_address_that_no_client_can_call_got_nothing(
    link_context: dict[str, Any], monkeypatch: pytest.MonkeyPatch, extra: dict[str, str]
) -> None:
    connection = {"conn_type": "slack", "password": "xoxb-test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps(connection))
    with pytest.raises(SendFailed, match="check `base_url` and `proxy` in the extra") as raised:
        NotebookUrlSlackNotifier(channel="#research")(link_context)
    assert raised.value.may_have_arrived is False


@pytest.mark.parametrize("answer", [{"ok": True, "message": "echo"}, {"ok": False, "error": "invalid_blocks"}])
def test_nothing_is_logged_that_holds_the_url(
    slack: Any, link_context: dict[str, Any], caplog: pytest.LogCaptureFixture, answer: dict[str, Any]
) -> None:
    slack.answers["chat.postMessage"] = {**answer, "echo": link_context["presigned_url"].url}
    caplog.set_level(logging.DEBUG)
    notifier = NotebookUrlSlackNotifier(channel="#research")
    if answer["ok"]:
        notifier(link_context)
    else:
        with pytest.raises(SendFailed):
            notifier(link_context)
    logging.getLogger("slack_sdk").debug("the log is captured")
    assert len(slack.posted()) == 1
    assert "the log is captured" in caplog.text
    assert "authToken" not in caplog.text


def _long(link_context: dict[str, Any], length: int) -> str:
    url: str = link_context["presigned_url"].url
    link_context["presigned_url"].url = url + "&pad=" + "x" * (length - len(url) - 5)
    return str(link_context["presigned_url"].url)


@pytest.mark.parametrize("length", [3400, 3900])
def test_a_url_as_long_as_aws_makes_them_arrives_whole_in_one_message(
    slack: Any, link_context: dict[str, Any], length: int
) -> None:
    url = _long(link_context, length)
    NotebookUrlSlackNotifier(channel="#research", note="n" * 4000)(link_context)
    (message,) = slack.posted()
    assert json.dumps(message["blocks"]).count(json.dumps(url)) == 1
    assert len(message["text"]) < 4000


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_blocks_too_long"])
def test_a_long_link_that_slack_refuses_in_blocks_is_sent_as_text(
    slack: Any, link_context: dict[str, Any], error: str
) -> None:
    url = _long(link_context, 3400)
    slack.answers["chat.postMessage"] = lambda body: {"ok": "blocks" not in body, "error": error}
    NotebookUrlSlackNotifier(user="ada@example.com")(link_context)
    refused, message = slack.posted()
    assert "blocks" in refused
    assert message["channel"] == "U012AB3CD"
    assert f"<{url.replace('&', '&amp;')}|Open the notebook>" in message["text"]
    assert len(message["text"]) < 4000


@pytest.mark.parametrize("error", ["channel_not_found", "internal_error"])
def test_no_other_error_for_a_long_link_makes_a_second_message(
    slack: Any, link_context: dict[str, Any], error: str
) -> None:
    _long(link_context, 3400)
    slack.answers["chat.postMessage"] = {"ok": False, "error": error}
    with pytest.raises((SendFailed, SendOutcomeUnknown)):
        NotebookUrlSlackNotifier(channel="#research")(link_context)
    assert len(slack.posted()) == 1
