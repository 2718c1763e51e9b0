"""Slack's rules for what one can press or choose in a block."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from airflow_sagemaker_presign.local.inbox.block_texts import (
    Errors,
    id_errors,
    image_errors,
    property_errors,
    text_errors,
    url_errors,
)

MAX_BUTTON_TEXT, MAX_VALUE, MAX_LABEL = 75, 2000, 75
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
"""What may be in ``actions``; what is in those other than buttons is not looked at here."""


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
