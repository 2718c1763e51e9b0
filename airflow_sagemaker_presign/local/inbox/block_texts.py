"""Slack's rules for texts, images and ids in a block."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

MAX_ID, MAX_URL, MAX_ALT_TEXT = 255, 3000, 2000

# What may be in the parts of rich text, and what each of these must have.
_RICH_TEXT_NEEDS = {
    "text": "text",
    "link": "url",
    "emoji": "name",
    "user": "user_id",
    "usergroup": "usergroup_id",
    "channel": "channel_id",
    "team": "team_id",
    "date": "format",
    "broadcast": "range",
    "color": "value",
}
_RICH_TEXT_PARTS = frozenset({"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"})

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


def rich_text_errors(part: Any, path: str, allowed: Collection[str] = _RICH_TEXT_PARTS) -> Errors:
    """
    Check a part of rich text, and what is in it: a list has sections in it, the others have text, links and so on.

    :param part: the object.
    :param path: where it is.
    :param allowed: the types that may be there.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in allowed:
        yield f"unsupported type [json-pointer:{path}/type]"
        return
    if kind == "rich_text_list" and part.get("style") not in ("bullet", "ordered"):
        yield f"must be one of: bullet, ordered [json-pointer:{path}/style]"
    inner = part.get("elements")
    if not isinstance(inner, list):
        yield f"must be an array [json-pointer:{path}/elements]"
        return
    for number, item in enumerate(inner):
        here = f"{path}/elements/{number}"
        if kind == "rich_text_list":
            yield from rich_text_errors(item, here, ("rich_text_section",))
        else:
            yield from _rich_text_element_errors(item, here)


def _rich_text_element_errors(element: Any, path: str) -> Errors:
    kind = element.get("type") if isinstance(element, dict) else None
    if not isinstance(kind, str) or kind not in _RICH_TEXT_NEEDS:
        yield f"unsupported type [json-pointer:{path}/type]"
        return
    needed = _RICH_TEXT_NEEDS[kind]
    if not isinstance(element.get(needed), str) or not element[needed]:
        yield f"must be more than 0 characters [json-pointer:{path}/{needed}]"
    if "elements" in element:
        yield f"invalid additional property: elements [json-pointer:{path}]"


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

    :param value: the object with the id.
    :param name: its name.
    :param path: the path of that object.
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


def required_errors(value: dict[str, Any], path: str, *names: str) -> Errors:
    """
    Check for properties that must be there.

    :param value: the object.
    :param path: where it is.
    :param names: the properties.
    """
    for name in names:
        if value.get(name) is None:
            yield f"missing required field: {name} [json-pointer:{path}]"


def property_errors(value: dict[str, Any], path: str, *known: str, id_name: str | None = "block_id") -> Errors:
    """
    Check for unknown properties.

    :param value: the object.
    :param path: where it is.
    :param known: what it may have, besides its type and its id.
    :param id_name: what its id is called; None: it has none.
    """
    for name in value.keys() - {"type", id_name, *known}:
        yield f"invalid additional property: {str(name)[:80]} [json-pointer:{path}]"
