"""A message as Slack's Block Kit: pure data, with Slack's limits and escapes kept."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any

from airflow_sagemaker_presign.notifications.message import Fact, FailureMessage, LinkMessage, NextStep

# https://docs.slack.dev/reference/block-kit/blocks and .../block-kit/composition-objects
MAX_HEADER = 150
MAX_SECTION = 3000
MAX_FIELD = 2000
MAX_BUTTON_URL = 3000

Block = dict[str, Any]


def link_payload(message: LinkMessage) -> dict[str, Any]:
    """
    Write the message with the link, as arguments of ``chat.postMessage``.

    ``text`` is what a phone shows on its locked screen and what ends up in notification centres, so the URL is not
    in it: it says where to click.
    """
    if len(message.url) > MAX_BUTTON_URL:
        return _payload(_link_as_text(message))
    note = [_section(escape(message.note, MAX_SECTION))] if message.note else []
    button = _button("open_notebook", message.button, message.url) | {"style": "primary"}
    blocks = [
        _header(message.title),
        _section(f"*{escape(message.lead)}*"),
        _facts(message.facts),
        *note,
        {"type": "actions", "elements": [button]},
        _context(escape(message.warning)),
        *_steps(message.when_expired_title, message.when_expired),
    ]
    return _payload(escape(f"{message.title}. {message.prompt}"), blocks)


def failure_payload(message: FailureMessage) -> dict[str, Any]:
    """Write the message that says why there is no link, as arguments of ``chat.postMessage``."""
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
    Escape what would be a link, a mention or an entity in Slack's mrkdwn.

    https://docs.slack.dev/messaging/formatting-message-text#escaping

    :param limit: how long the escaped text may be; what is over is cut at a character, never inside an entity.
    """
    quoted = [{"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character, character) for character in text]
    lengths = list(accumulate(map(len, quoted)))
    if not lengths or lengths[-1] <= limit:
        return "".join(quoted)
    return "".join(quoted[: bisect_right(lengths, limit - 1)]) + "…"


def _link_as_text(message: LinkMessage) -> str:
    """Write a link that no button takes. Only a message's plain text has room for it."""
    lines = [
        f"*{escape(message.title)}*",
        escape(message.lead),
        escape(message.note),
        _anchor(message.button, message.url),
        escape(message.warning),
        *map(_step, message.when_expired),
    ]
    return "\n".join(filter(None, lines))


def _payload(text: str, blocks: list[Block] | None = None) -> dict[str, Any]:
    # Unfurling would have Slack's crawler open the link.
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
    # A button takes a URL that fills a section's whole text.
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
