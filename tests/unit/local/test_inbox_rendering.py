from __future__ import annotations

from typing import Any

import pytest

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.inbox.block_kit import block_kit_problem
from airflow_sagemaker_presign.local.inbox.mailbox import Inbox
from airflow_sagemaker_presign.local.inbox.mrkdwn import to_html
from airflow_sagemaker_presign.local.inbox.rendering import render


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _italic_ ~gone~ `code`", "<b>bold</b> <i>italic</i> <s>gone</s> <code>code</code>"),
        ("2 * 3 * 4, snake_case_name", "2 * 3 * 4, snake_case_name"),
        ("&lt;b&gt; &amp; co", "&lt;b&gt; &amp; co"),
        ("`*not bold* <https://a.example>`", "<code>*not bold* &lt;https://a.example&gt;</code>"),
        ("> quoted\nnext", "<blockquote>quoted</blockquote>next"),
        ("one\ntwo :rocket: :unknown:", "one<br>two 🚀 :unknown:"),
        (
            "<https://a.example/?x=1&amp;y=_2_|a link>",
            '<a href="https://a.example/?x=1&amp;y=_2_" target="_blank" rel="noopener noreferrer">a link</a>',
        ),
        ("<javascript:alert(1)|click>", "<span>click</span>"),
        ("<!here> <@U12|ada>", '<span class="mention">@here</span> <span class="mention">@ada</span>'),
        ('<https://a.example/"onclick="x|">', '<a href="https://a.example/&quot;onclick=&quot;x" target="_blank" '
         'rel="noopener noreferrer">&quot;</a>'),
    ],
)  # fmt: skip
def test_mrkdwn_looks_as_in_slack_and_carries_no_markup_of_its_own(text: str, html: str) -> None:
    assert to_html(text) == html


def section(length: int) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * length}}


def button(url: str) -> dict[str, Any]:
    element = {"type": "button", "text": {"type": "plain_text", "text": "Open"}, "url": url}
    return {"type": "actions", "elements": [element]}


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"text": "hello"}, None),
        ({"blocks": [section(3000), button("https://a.example")]}, None),
        ({}, "no_text"),
        ({"blocks": [section(3001)]}, "invalid_blocks"),
        ({"blocks": [section(0)]}, "invalid_blocks"),
        ({"blocks": [button("https://a.example/" + "x" * 3000)]}, "invalid_blocks"),
        ({"blocks": [section(1)] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"text": "x" * 40001}, "msg_too_long"),
    ],
)
def test_invalid_text_is_rejected_with_slacks_error_code(message: dict[str, Any], problem: str | None) -> None:
    assert block_kit_problem(message) == problem


def test_a_mail_is_shown_in_a_frame_without_scripts_whose_links_open_elsewhere() -> None:
    inbox = Inbox(LocalClock())
    content = b'Subject: <hi>\nContent-Type: text/html\n\n<a href="https://a.example">go</a><script>x</script>'
    inbox.receive_mail("a@x.example", ["b@x.example"], content)
    html = render(inbox.messages()[0])
    assert "&lt;hi&gt;" in html
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox allow-same-origin"' in html
    assert "<script>" not in html
    assert "base target=&quot;_blank&quot;" in html


def test_a_message_without_a_reply_to_its_sender_is_marked() -> None:
    inbox = Inbox(LocalClock())
    inbox.receive_slack("#ml", None, {"text": "hi"}, acknowledged=False)
    assert "got no confirmation" in render(inbox.messages()[0])


def test_a_link_of_rich_text_can_be_clicked() -> None:
    link = {"type": "link", "url": "https://a.example/?x=1&y=2", "text": "Open <it>"}
    words = {"type": "text", "text": "before & "}
    block = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [words, link]}]}
    inbox = Inbox(LocalClock())
    inbox.receive_slack("#research", None, {"text": "t", "blocks": [block]}, acknowledged=True)
    html = render(inbox.messages()[0])
    assert 'before &amp; <a href="https://a.example/?x=1&amp;y=2"' in html
    assert ">Open &lt;it&gt;</a>" in html
