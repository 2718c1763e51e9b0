from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, strategies as st

from airflow_sagemaker_presign.local.jupyter.access import Reply, authorize
from airflow_sagemaker_presign.local.jupyter.request_head import BadRequest, RequestHead
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import NotebookSession, PresignedTokens
from airflow_sagemaker_presign.local.sagemaker_api.status_timeline import NotebookState, Timeline, Transition

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
IN_SERVICE = NotebookState("InService", "first", 0)
PORT = 4711


def request(target: str = "/lab", method: str = "GET", host: str = "127.0.0.1:4711", **headers: str) -> RequestHead:
    return RequestHead(method, target, (("Host", host), *headers.items()))


def link(tokens: PresignedTokens, notebook: str = "research", instance_id: str = "first") -> str:
    return f"/?authToken={tokens.mint(notebook, timedelta(hours=1), instance_id=instance_id)}"


def cookie_from(reply: NotebookSession | Reply) -> str:
    assert isinstance(reply, Reply)
    return dict(reply.headers)["Set-Cookie"].partition(";")[0]


def test_a_link_is_changed_for_a_cookie_which_then_lets_through(tokens: PresignedTokens) -> None:
    entered = authorize(request(link(tokens)), "research", PORT, IN_SERVICE, tokens)
    assert isinstance(entered, Reply)
    assert (entered.status, dict(entered.headers)["Location"]) == (302, "/lab")
    passed = authorize(request(Cookie=f"a=b; {cookie_from(entered)}"), "research", PORT, IN_SERVICE, tokens)
    assert passed == NotebookSession("research", NOON + timedelta(hours=1), "first")


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (None, "was deleted"),
        (NotebookState("InService", "second", 0), "was deleted"),
        (NotebookState("Stopped", "first", 1), "its status is Stopped"),
        (NotebookState("<b>New", "first", 1), "its status is &lt;b&gt;New"),
    ],
)
def test_link_and_cookie_are_refused_while_the_notebook_is_not_there(
    state: NotebookState | None, why: str, tokens: PresignedTokens
) -> None:
    cookie = cookie_from(authorize(request(link(tokens)), "research", PORT, IN_SERVICE, tokens))
    for asked in (request(link(tokens)), request(Cookie=cookie)):
        refused = authorize(asked, "research", PORT, state, tokens)
        assert isinstance(refused, Reply)
        assert refused.status == 403
        assert why in refused.body


def test_link_and_cookie_of_another_notebook_are_refused(tokens: PresignedTokens) -> None:
    cookie = cookie_from(authorize(request(link(tokens, "other")), "other", PORT, IN_SERVICE, tokens))
    for asked in (request(link(tokens, "other")), request(Cookie=cookie)):
        refused = authorize(asked, "research", PORT, IN_SERVICE, tokens)
        assert isinstance(refused, Reply)
        assert "is for another notebook instance" in refused.body


@pytest.mark.parametrize("host", ["evil.example:4711", "", "127.0.0.1.evil.example", "10.0.0.1:4711"])
def test_a_foreign_name_is_refused_even_with_a_good_link(host: str, tokens: PresignedTokens) -> None:
    refused = authorize(request(link(tokens), host=host), "research", PORT, IN_SERVICE, tokens)
    assert isinstance(refused, Reply)
    assert refused.status == 403


def test_a_program_is_refused_in_json_and_a_head_request_without_a_body(tokens: PresignedTokens) -> None:
    refused = authorize(request("/api/kernels"), "research", PORT, IN_SERVICE, tokens)
    assert isinstance(refused, Reply)
    assert dict(refused.headers)["Content-Type"] == "application/json"
    assert refused.write("GET").partition(b"\r\n\r\n")[2].startswith(b'{"message": "This notebook opens only with')
    assert refused.write("HEAD").endswith(b"\r\n\r\n")


def test_only_the_reverse_proxy_sets_the_notebook_header() -> None:
    raw = b"GET /lab?a=1 HTTP/1.1\r\nHost: x\r\nx-notebook: forged\r\nConnection: keep-alive\r\n\r\n"
    head = RequestHead.read(raw).forwarded({"X-Notebook": "research"})
    assert head == b"GET /lab?a=1 HTTP/1.1\r\nHost: x\r\nX-Notebook: research\r\nConnection: close\r\n\r\n"


def test_a_websockets_headers_stay_as_they_are() -> None:
    raw = b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    assert b"Connection: Upgrade\r\n" in RequestHead.read(raw).forwarded({"X": "y"})


@given(st.binary(max_size=200))
@example(b"GET //[ HTTP/1.1")
def test_any_input_is_parsed_or_is_a_bad_request(raw: bytes) -> None:
    try:
        head = RequestHead.read(raw + b"\r\n\r\n")
    except BadRequest:
        return
    assert head.path is not None


def test_a_period_ends_with_another_status_and_with_nothing_else() -> None:
    timeline = Timeline(1, 1, [Transition(NOON, "InService")])
    first = timeline.state(NOON)
    timeline.plan(NOON, Transition(NOON, "InService"))
    assert timeline.state(NOON) == first
    # A stop and a start within one moment of a clock that stands still.
    for status in ("Stopped", "InService"):
        timeline.plan(NOON, Transition(NOON, status))
    assert timeline.state(NOON).period != first.period
    assert timeline.state(NOON).instance_id == first.instance_id
