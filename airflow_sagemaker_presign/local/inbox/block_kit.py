"""
Slack's rules for a message, to reject what Slack would reject.

https://docs.slack.dev/reference/block-kit and https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_sagemaker_presign.local.inbox.block_elements import INTERACTIVE, element_errors
from airflow_sagemaker_presign.local.inbox.block_texts import (
    Errors,
    count_errors,
    id_errors,
    image_errors,
    property_errors,
    required_errors,
    rich_text_errors,
    text_errors,
)

MAX_BLOCKS, MAX_TEXT, MAX_HEADER, MAX_MESSAGE, MAX_MARKDOWN = 50, 3000, 150, 40000, 12000
MAX_FIELDS, MAX_FIELD_TEXT, MAX_CONTEXT_ELEMENTS, MAX_ACTIONS, MAX_ATTACHMENTS = 10, 2000, 10, 25, 100
# Other blocks that Slack displays; only their required properties are checked.
_OTHER_TYPES: dict[str, tuple[str, ...]] = {
    "video": ("alt_text", "title", "thumbnail_url", "video_url"),
    "file": ("external_id", "source"),
    "table": ("rows",),
    "input": ("label", "element"),
    "context_actions": ("elements",),
    "plan": (),
    "task_card": (),
}


@dataclass(frozen=True)
class SlackError:
    """
    An error of Slack's API.

    :param code: Slack's error code.
    :param errors: the places and reasons, in Slack's format.
    """

    code: str
    errors: tuple[str, ...] = ()


def block_kit_problem(message: dict[str, Any]) -> str | None:
    """
    Return the error with which Slack would reject a message; None: it is valid.

    :param message: the arguments of ``chat.postMessage``, or a webhook's payload.
    :return: Slack's error code, or None.
    """
    slack_error = slack_error_of(message)
    return slack_error.code if slack_error else None


def slack_error_of(message: dict[str, Any]) -> SlackError | None:
    """
    Return the error with which Slack would reject a message, and its place; None: it is valid.

    :param message: the arguments of ``chat.postMessage``, or a webhook's payload.
    """
    blocks, attachments = message.get("blocks") or [], message.get("attachments") or []
    text = message.get("text") or ""
    if not isinstance(blocks, list):
        return SlackError("invalid_blocks_format")
    if not isinstance(attachments, list) or not all(isinstance(attachment, dict) for attachment in attachments):
        return SlackError("invalid_attachments")
    if not isinstance(text, str):
        return SlackError("invalid_arguments")
    if not blocks and not attachments and not text.strip():
        return SlackError("no_text")
    if len(text) > MAX_MESSAGE:
        return SlackError("msg_too_long")
    if len(attachments) > MAX_ATTACHMENTS:
        return SlackError("too_many_attachments")
    errors = list(_blocks_errors(blocks, "/blocks"))
    for number, attachment in enumerate(attachments):
        path = f"/attachments/{number}/blocks"
        inner = attachment.get("blocks") or []
        errors += (
            _blocks_errors(inner, path) if isinstance(inner, list) else [f"must be an array [json-pointer:{path}]"]
        )
    return SlackError("invalid_blocks", tuple(errors)) if errors else None


def _blocks_errors(blocks: list[Any], path: str) -> Errors:
    if len(blocks) > MAX_BLOCKS:
        yield f"no more than {MAX_BLOCKS} items allowed [json-pointer:{path}]"
    for number, block in enumerate(blocks):
        here = f"{path}/{number}"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            yield f"missing required field: type [json-pointer:{here}]"
        elif block["type"] in _CHECKS:
            yield from id_errors(block, "block_id", here)
            yield from _CHECKS[block["type"]](block, here)
        elif block["type"] in _OTHER_TYPES:
            yield from required_errors(block, here, *_OTHER_TYPES[block["type"]])
        else:
            yield f"unsupported type: {block['type'][:80]} [json-pointer:{here}/type]"
    ids = (block.get("block_id") for block in blocks if isinstance(block, dict))
    yield from _repeated(ids, "block_id", path)


def _repeated(ids: Iterable[Any], name: str, path: str) -> Iterator[str]:
    counts = Counter(given for given in ids if isinstance(given, str))
    if any(count > 1 for count in counts.values()):
        yield f"`{name}` is not unique [json-pointer:{path}]"


def _section_errors(block: dict[str, Any], path: str) -> Errors:
    yield from property_errors(block, path, "text", "fields", "accessory", "expand")
    text, fields = block.get("text"), block.get("fields")
    if text is None and not fields:
        yield f"missing required field: text [json-pointer:{path}]"
    if text is not None:
        yield from text_errors(text, f"{path}/text", MAX_TEXT)
    if fields is not None:
        yield from count_errors(fields, f"{path}/fields", MAX_FIELDS)
        for number, item in enumerate(fields if isinstance(fields, list) else ()):
            yield from text_errors(item, f"{path}/fields/{number}", MAX_FIELD_TEXT)
    if block.get("accessory") is not None:
        yield from element_errors(block["accessory"], f"{path}/accessory", INTERACTIVE | {"image"})


def _header_errors(block: dict[str, Any], path: str) -> Errors:
    yield from property_errors(block, path, "text", "level")
    yield from text_errors(block.get("text"), f"{path}/text", MAX_HEADER, plain=True)


def _divider_errors(block: dict[str, Any], path: str) -> Errors:
    yield from property_errors(block, path)


def _actions_errors(block: dict[str, Any], path: str) -> Errors:
    yield from property_errors(block, path, "elements")
    elements = block.get("elements")
    yield from count_errors(elements, f"{path}/elements", MAX_ACTIONS)
    inner = elements if isinstance(elements, list) else []
    for number, element in enumerate(inner):
        yield from element_errors(element, f"{path}/elements/{number}", INTERACTIVE)
    ids = (element.get("action_id") for element in inner if isinstance(element, dict))
    yield from _repeated(ids, "action_id", f"{path}/elements")


def _context_errors(block: dict[str, Any], path: str) -> Errors:
    yield from property_errors(block, path, "elements")
    elements = block.get("elements")
    yield from count_errors(elements, f"{path}/elements", MAX_CONTEXT_ELEMENTS)
    for number, element in enumerate(elements if isinstance(elements, list) else ()):
        here = f"{path}/elements/{number}"
        if isinstance(element, dict) and element.get("type") == "image":
            yield from image_errors(element, here)
        else:
            yield from text_errors(element, here, MAX_TEXT)


def _image_block_errors(block: dict[str, Any], path: str) -> Errors:
    yield from image_errors(block, path, "title", "block_id")
    if block.get("title") is not None:
        yield from text_errors(block["title"], f"{path}/title", MAX_FIELD_TEXT, plain=True)


def _markdown_errors(block: dict[str, Any], path: str) -> Errors:
    yield from property_errors(block, path, "text")
    text = block.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= MAX_MARKDOWN:
        yield f"must be a text of 1 to {MAX_MARKDOWN} characters [json-pointer:{path}/text]"


def _rich_text_errors(block: dict[str, Any], path: str) -> Errors:
    yield from property_errors(block, path, "elements")
    elements = block.get("elements")
    if not isinstance(elements, list):
        yield f"must be an array [json-pointer:{path}/elements]"
        return
    for number, element in enumerate(elements):
        yield from rich_text_errors(element, f"{path}/elements/{number}")


_CHECKS: dict[str, Callable[[dict[str, Any], str], Errors]] = {
    "section": _section_errors,
    "header": _header_errors,
    "divider": _divider_errors,
    "actions": _actions_errors,
    "context": _context_errors,
    "image": _image_block_errors,
    "markdown": _markdown_errors,
    "rich_text": _rich_text_errors,
}
