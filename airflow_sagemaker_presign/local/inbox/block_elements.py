"""Slack's rules for interactive elements in a block."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_sagemaker_presign.local.inbox.block_texts import (
    Errors,
    count_errors,
    id_errors,
    image_errors,
    property_errors,
    required_errors,
    text_errors,
    url_errors,
)

MAX_BUTTON_TEXT, MAX_VALUE, MAX_LABEL = 75, 2000, 75
# The texts of a confirmation dialog.
_CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
# The most options of those elements that have some.
_OPTIONS = {
    "static_select": 100,
    "multi_static_select": 100,
    "overflow": 5,
    "checkboxes": 10,
    "radio_buttons": 10,
}
_SELECTS = {
    f"{many}{source}_select"
    for many in ("", "multi_")
    for source in ("static", "external", "users", "conversations", "channels")
}
INTERACTIVE = frozenset(
    {"button", "overflow", "datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons"}
    | {"workflow_button"}
    | _SELECTS
)
"""The elements allowed in ``actions``; for all but buttons, only required properties are checked."""


def element_errors(element: Any, path: str, allowed: Collection[str]) -> Errors:
    """
    Check an element of a block.

    :param element: the object.
    :param path: where it is.
    :param allowed: the types that may be there.
    """
    kind = element.get("type") if isinstance(element, dict) else None
    if not isinstance(kind, str) or kind not in allowed:
        yield f"unsupported type [json-pointer:{path}/type]"
        return
    if kind == "image":
        yield from image_errors(element, path)
        return
    yield from id_errors(element, "action_id", path)
    if kind == "button":
        yield from _button_errors(element, path)
    elif kind in _OPTIONS and element.get("option_groups") is None:
        yield from count_errors(element.get("options"), f"{path}/options", _OPTIONS[kind])
    elif kind == "workflow_button":
        yield from required_errors(element, path, "text", "workflow")
    if element.get("confirm") is not None:
        yield from _confirm_errors(element["confirm"], f"{path}/confirm")


def _button_errors(button: dict[str, Any], path: str) -> Errors:
    known = ("text", "url", "value", "style", "confirm", "accessibility_label")
    yield from property_errors(button, path, *known, id_name="action_id")
    yield from text_errors(button.get("text"), f"{path}/text", MAX_BUTTON_TEXT, plain=True)
    if button.get("url") is not None:
        yield from url_errors(button["url"], f"{path}/url")
    for name, most in (("value", MAX_VALUE), ("accessibility_label", MAX_LABEL)):
        given = button.get(name)
        if given is not None and (not isinstance(given, str) or not 0 < len(given) <= most):
            yield f"must be a text of 1 to {most} characters [json-pointer:{path}/{name}]"
    if button.get("style") not in (None, "primary", "danger"):
        yield f"must be one of: primary, danger [json-pointer:{path}/style]"


def _confirm_errors(confirm: Any, path: str) -> Errors:
    if not isinstance(confirm, dict):
        yield f"must be an object [json-pointer:{path}]"
        return
    yield from property_errors(confirm, path, *_CONFIRM, "style", id_name=None)
    for name, most in _CONFIRM.items():
        yield from text_errors(confirm.get(name), f"{path}/{name}", most, plain=name != "text")
