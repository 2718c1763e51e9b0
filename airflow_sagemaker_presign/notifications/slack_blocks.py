"""A message as Slack's Block Kit: plain data within Slack's limits, escaped for its markup."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate
from typing import Any

from airflow_sagemaker_presign.notifications.failure_message import FailureMessage
from airflow_sagemaker_presign.notifications.link_message import LinkMessage
from airflow_sagemaker_presign.notifications.message_parts import Fact, NextStep
from airflow_sagemaker_presign.notifications.stop_warning_message import StopWarningMessage

# https://docs.slack.dev/reference/block-kit/blocks and .../block-kit/composition-objects
MAX_HEADER = 150
MAX_SECTION = 3000
MAX_FIELD = 2000
MAX_BUTTON_URL = 3000
# Slack splits a longer text into two messages, and may split a link in it.
# https://docs.slack.dev/reference/methods/chat.postMessage#truncating
MAX_TEXT = 3900
# Slack refuses more with `msg_blocks_too_long`; observed from about 13,200 characters.
# https://github.com/slackapi/bolt-js/issues/2509
MAX_ALL_BLOCKS = 12_000

NOTE_CUT = "…\n(The rest of this note is cut off: a Slack message has no room for more.)"

Block = dict[str, Any]


def link_payload(message: LinkMessage | StopWarningMessage) -> dict[str, Any]:
    """
    Return the message with the link, or the stop warning, as arguments of ``chat.postMessage``.

    ``text`` appears on locked screens and in notification centres, so it has no URL, only where to click.

    A URL that is too long for a button, as AWS's often are, becomes a link of rich text, for which Slack documents no
    limit. If Slack refuses it all the same, use :func:`link_as_text_payload`.
    """
    blocks = [
        _header(message.title),
        _section(f"*{escape(message.lead)}*"),
        _facts(message.facts),
        *([_main_link(message)] if message.url else []),
        _context(escape(message.warning)),
        *_steps(message.next_steps_title, message.next_steps),
    ]
    if message.note:
        room = MAX_ALL_BLOCKS - len(json.dumps(blocks, ensure_ascii=False))
        blocks.insert(3, _section(_cut(message.note, min(MAX_SECTION, room), NOTE_CUT)))
    return _payload(escape(f"{message.title}. {message.prompt}"), blocks)


def link_as_text_payload(message: LinkMessage | StopWarningMessage) -> dict[str, Any]:
    """
    Return the message with the link as plain text, which Slack accepts with the longest URLs.

    Less important parts are left out if Slack would otherwise split the text.
    """
    by_importance = {
        3: _anchor(message.button, message.url) if message.url else "",
        0: f"*{escape(message.title)}*",
        1: escape(message.lead),
        4: escape(message.warning),
        5: "\n".join(map(_step, message.next_steps)),
    }
    chosen: dict[int, str] = {}
    for place, line in by_importance.items():
        if line and (not chosen or _length(chosen) + len(line) < MAX_TEXT):
            chosen[place] = line
    room = MAX_TEXT - _length(chosen) - 1
    if message.note and room > 2 * len(NOTE_CUT):
        chosen[2] = _cut(message.note, room, NOTE_CUT)
    return _payload("\n".join(chosen[place] for place in sorted(chosen)))


def failure_payload(message: FailureMessage) -> dict[str, Any]:
    """Return the message about a failure as arguments of ``chat.postMessage``."""
    blocks = [
        _header(message.title),
        _section(escape(message.problem, MAX_SECTION)),
        _section(f"*What to do next*\n{escape(message.advice, MAX_SECTION - 50)}"),
        *([_facts(message.facts)] if message.facts else []),
        *_steps("", message.next_steps),
    ]
    return _payload(escape(f"{message.title}. {message.problem}", MAX_SECTION), blocks)


def escape(text: str, limit: int = MAX_SECTION) -> str:
    """
    Escape a text so that it has no link, mention or entity in Slack's mrkdwn.

    https://docs.slack.dev/messaging/formatting-message-text#escaping

    :param limit: the maximum length of the escaped text; a longer one is cut between characters, never in an entity.
    """
    return _cut(text, limit, "…")


def _cut(text: str, limit: int, ending: str) -> str:
    """Escape a text; if it is longer than the limit, cut it and append the ending, within the limit."""
    quoted = [{"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character) for character in text]
    lengths = list(accumulate(map(len, quoted)))
    if not lengths or lengths[-1] <= limit:
        return "".join(quoted)
    return "".join(quoted[: bisect_right(lengths, limit - len(ending))]) + ending


def _length(lines: dict[int, str]) -> int:
    return sum(len(line) + 1 for line in lines.values())


def _main_link(message: LinkMessage | StopWarningMessage) -> Block:
    if len(message.url) <= MAX_BUTTON_URL:
        button = _button("main_link", message.button, message.url) | {"style": "primary"}
        return {"type": "actions", "elements": [button]}
    link = {"type": "link", "url": message.url, "text": f"▶ {message.button}", "style": {"bold": True}}
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [link]}]}


def _payload(text: str, blocks: list[Block] | None = None) -> dict[str, Any]:
    # To unfurl a link, Slack's crawler would open it.
    payload: dict[str, Any] = {"text": text, "unfurl_links": False, "unfurl_media": False}
    return payload | {"blocks": blocks} if blocks else payload


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text if len(text) <= MAX_HEADER else text[: MAX_HEADER - 1] + "…")}


def _facts(facts: tuple[Fact, ...]) -> Block:
    return {
        "type": "section",
        "fields": [_mrkdwn(f"*{fact.label}*\n{escape(fact.value, MAX_FIELD - 50)}") for fact in facts],
    }


def _steps(question: str, steps: tuple[NextStep, ...]) -> list[Block]:
    if not steps:
        return []
    lines = [f"• {_step(step)}" for step in steps] if len(steps) > 1 else [_step(steps[0])]
    text = "\n".join(([f"*{question}*"] if question else []) + lines)
    if len(text) <= MAX_SECTION:
        return [_section(text)]
    # A button can hold a URL that would take up a section's whole text.
    buttons = [
        _button(f"step_{index}", step.text, step.url)
        for index, step in enumerate(steps)
        if len(step.url) <= MAX_BUTTON_URL
    ]
    leads = "\n".join(([f"*{question}*"] if question else []) + [escape(step.lead) for step in steps])
    return [_section(leads), {"type": "actions", "elements": buttons}] if buttons else []


def _step(step: NextStep) -> str:
    return f"{escape(step.lead)} {_anchor(step.text, step.url)}"


def _anchor(text: str, url: str) -> str:
    url = url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E").replace("&", "&amp;")
    return f"<{url}|{escape(text)}>"


def _button(action_id: str, text: str, url: str) -> Block:
    return {"type": "button", "action_id": action_id, "text": _plain(text), "url": url}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
