"""Slack's rules for texts, images and ids in a block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_ID, MAX_URL, MAX_ALT_TEXT = 255, 3000, 2000

_RICH_TEXT = frozenset(
    {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
    | {"text", "link", "emoji", "user", "usergroup", "channel", "team", "date", "broadcast", "color"}
)

Errors = Iterator[str]


def text_errors(text: Any, path: str, most: int, *, plain: bool = False) -> Errors:
    """
    Check a text object.

    :param text: the object.
    :param path: where it is.
    :param most: its greatest length.
    :param plain: whether only ``plain_text`` may be there.
    """
    if not isinstance(text, dict):
        yield f"missing required field: {path.rpartition('/')[2]} [json-pointer:{path.rpartition('/')[0]}]"
        return
    kind, words = text.get("type"), text.get("text")
    if kind not in ("plain_text",) if plain else kind not in ("plain_text", "mrkdwn"):
        yield f"unsupported type [json-pointer:{path}/type]"
        return
    if not isinstance(words, str) or not words:
        yield f"must be more than 0 characters [json-pointer:{path}/text]"
    elif len(words) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{path}/text]"
    yield from property_errors(text, path, "text", "emoji" if kind == "plain_text" else "verbatim", id_name=None)


def rich_text_errors(element: Any, path: str) -> Errors:
    """
    Check an element of rich text, and those within it.

    :param element: the object.
    :param path: where it is.
    """
    kind = element.get("type") if isinstance(element, dict) else None
    if not isinstance(kind, str) or kind not in _RICH_TEXT:
        yield f"unsupported type [json-pointer:{path}/type]"
        return
    if kind.startswith("rich_text_"):
        inner = element.get("elements")
        if not isinstance(inner, list):
            yield f"must be an array [json-pointer:{path}/elements]"
            return
        for number, item in enumerate(inner):
            yield from rich_text_errors(item, f"{path}/elements/{number}")
    needed = {"text": "text", "link": "url"}.get(kind)
    if needed and (not isinstance(element.get(needed), str) or not element[needed]):
        yield f"must be more than 0 characters [json-pointer:{path}/{needed}]"


def image_errors(image: dict[str, Any], path: str, *more: str) -> Errors:
    """
    Check an image, as a block or within one.

    :param image: the object.
    :param path: where it is.
    :param more: further properties that it may have.
    """
    yield from property_errors(image, path, "image_url", "slack_file", "alt_text", *more, id_name=None)
    if ("image_url" in image) == ("slack_file" in image):
        yield f"must have either image_url or slack_file [json-pointer:{path}]"
    if "image_url" in image:
        yield from url_errors(image["image_url"], f"{path}/image_url")
    alt_text = image.get("alt_text")
    if not isinstance(alt_text, str) or not 0 < len(alt_text) <= MAX_ALT_TEXT:
        yield f"must be a text of 1 to {MAX_ALT_TEXT} characters [json-pointer:{path}/alt_text]"


def url_errors(url: Any, path: str) -> Errors:
    """
    Check an address.

    :param url: the address.
    :param path: where it is.
    """
    if not isinstance(url, str) or not url:
        yield f"must be more than 0 characters [json-pointer:{path}]"
    elif len(url) > MAX_URL:
        yield f"must be less than {MAX_URL + 1} characters [json-pointer:{path}]"
    elif "://" not in url and not url.startswith("mailto:"):
        yield f"must be a valid URL [json-pointer:{path}]"


def id_errors(value: dict[str, Any], name: str, path: str) -> Errors:
    """
    Check ``block_id`` or ``action_id``, which may be left out.

    :param value: what has it.
    :param name: its name.
    :param path: where that is.
    """
    given = value.get(name)
    if given is not None and (not isinstance(given, str) or not 0 < len(given) <= MAX_ID):
        yield f"must be a text of 1 to {MAX_ID} characters [json-pointer:{path}/{name}]"


def count_errors(items: Any, path: str, most: int) -> Errors:
    """
    Check a list that must have something in it.

    :param items: the list.
    :param path: where it is.
    :param most: how many items it may have.
    """
    if not isinstance(items, list) or not items:
        yield f"no fewer than 1 items allowed [json-pointer:{path}]"
    elif len(items) > most:
        yield f"no more than {most} items allowed [json-pointer:{path}]"


def property_errors(value: dict[str, Any], path: str, *known: str, id_name: str | None = "block_id") -> Errors:
    """
    Check for properties that nobody knows.

    :param value: the object.
    :param path: where it is.
    :param known: what it may have, besides its type and its id.
    :param id_name: what its id is called; None: it has none.
    """
    for name in value.keys() - {"type", id_name, *known}:
        yield f"invalid additional property: {str(name)[:80]} [json-pointer:{path}]"
