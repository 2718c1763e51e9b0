"""Slack's limits for a message, so that one which Slack would refuse is refused here too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_BLOCKS, MAX_TEXT, MAX_HEADER, MAX_BUTTON_TEXT, MAX_URL, MAX_MESSAGE = 50, 3000, 150, 75, 3000, 40000
MAX_FIELDS, MAX_FIELD_TEXT, MAX_CONTEXT_ELEMENTS = 10, 2000, 10


def block_kit_problem(message: dict[str, Any]) -> str | None:
    """
    Find what Slack would refuse.

    https://docs.slack.dev/reference/block-kit/blocks

    :param message: the arguments of ``chat.postMessage``, or a webhook's payload.
    :return: Slack's error code, or None.
    """
    blocks = message.get("blocks") or []
    if not blocks and not message.get("text") and not message.get("attachments"):
        return "no_text"
    if len(message.get("text") or "") > MAX_MESSAGE:
        return "msg_too_long"
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS:
        return "invalid_blocks"
    return "invalid_blocks" if any(_refused(block) for block in blocks) else None


def _refused(block: Any) -> bool:
    if not isinstance(block, dict) or "type" not in block:
        return True
    check = _CHECKS.get(block["type"])
    return check is not None and check(block)


def _section_refused(block: dict[str, Any]) -> bool:
    fields = block.get("fields") or []
    if not fields and not _text(block):
        return True
    too_long = len(_text(block)) > MAX_TEXT or any(len(f.get("text", "")) > MAX_FIELD_TEXT for f in fields)
    return too_long or len(fields) > MAX_FIELDS or any(_button_refused(b) for b in _buttons(block))


def _header_refused(block: dict[str, Any]) -> bool:
    plain = block.get("text", {}).get("type") == "plain_text"
    return not plain or not 0 < len(_text(block)) <= MAX_HEADER


def _actions_refused(block: dict[str, Any]) -> bool:
    return not block.get("elements") or any(_button_refused(b) for b in _buttons(block))


def _context_refused(block: dict[str, Any]) -> bool:
    elements = block.get("elements") or []
    return not 0 < len(elements) <= MAX_CONTEXT_ELEMENTS


def _button_refused(button: dict[str, Any]) -> bool:
    text = button.get("text", {})
    plain = text.get("type") == "plain_text" and 0 < len(text.get("text", "")) <= MAX_BUTTON_TEXT
    return not plain or len(button.get("url", "")) > MAX_URL


def _buttons(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for element in [*block.get("elements", []), block.get("accessory") or {}]:
        if element.get("type") == "button":
            yield element


def _text(block: dict[str, Any]) -> str:
    text = block.get("text")
    return str(text.get("text", "")) if isinstance(text, dict) else ""


_CHECKS = {
    "section": _section_refused,
    "header": _header_refused,
    "actions": _actions_refused,
    "context": _context_refused,
}
