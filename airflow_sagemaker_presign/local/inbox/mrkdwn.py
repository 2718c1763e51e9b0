"""Slack's mrkdwn as HTML, as Slack shows it."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape, unescape

_STYLES = (
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<i>\1</i>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)
_CODE = re.compile(r"```\n?(.+?)```|`([^`\n]+)`", re.DOTALL)
_ANGLED = re.compile(r"<([^<>]+)>")
_QUOTE = re.compile(r"^&gt; ?(.*)$", re.MULTILINE)
_EMOJI = {
    "white_check_mark": "✅",
    "x": "❌",
    "warning": "⚠️",
    "rocket": "🚀",
    "hourglass_flowing_sand": "⏳",
    "hourglass": "⌛",
    "lock": "🔒",
    "key": "🔑",
    "link": "🔗",
    "wave": "👋",
    "notebook": "📓",
    "information_source": "ℹ️",
    "rotating_light": "🚨",
    "point_right": "👉",
    "stopwatch": "⏱️",
    "tada": "🎉",
}
_DATE_FORMATS = {
    "{date_num}": "%Y-%m-%d",
    "{date}": "%B %-d, %Y",
    "{date_short}": "%b %-d, %Y",
    "{date_long}": "%A, %B %-d, %Y",
    "{date_pretty}": "%B %-d, %Y",
    "{date_short_pretty}": "%b %-d, %Y",
    "{date_long_pretty}": "%A, %B %-d, %Y",
    "{time}": "%-I:%M %p",
    "{time_secs}": "%-I:%M:%S %p",
}


def to_html(text: str) -> str:
    """
    Render mrkdwn.

    :param text: as it was sent, with Slack's three entities ``&amp; &lt; &gt;`` in it.
    :return: HTML in which no markup of the text itself remains.
    """
    kept: list[str] = []

    def keep(html: str) -> str:
        # Keep it from the rules that follow; a character that occurs in no text marks the place.
        kept.append(html)
        return f"\x00{len(kept) - 1}\x00"

    text = text.replace("\x00", "")
    text = _CODE.sub(lambda match: keep(_code(match)), text)
    text = _ANGLED.sub(lambda match: keep(_angled(match[1])), text)
    text = escape(unescape(text), quote=False)
    for pattern, html in _STYLES:
        text = pattern.sub(html, text)
    text = re.sub(r":([a-z_]+):", lambda match: _EMOJI.get(match[1], match[0]), text)
    text = _QUOTE.sub(r"<blockquote>\1</blockquote>", text)
    text = text.replace("</blockquote>\n", "</blockquote>").replace("\n", "<br>")
    return re.sub("\x00(\\d+)\x00", lambda match: kept[int(match[1])], text)


def link(url: str, label: str, css_class: str = "") -> str:
    """
    Return a link that opens in a new tab; schemes other than the web's and mail's become plain text.

    :param url: the address.
    :param label: what is shown.
    :param css_class: its CSS class.
    """
    if not re.match(r"(https?|mailto):", url, re.IGNORECASE):
        return f"<span>{escape(label)}</span>"
    attributes = f' class="{css_class}"' if css_class else ""
    return f'<a{attributes} href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(label)}</a>'


def _code(match: re.Match[str]) -> str:
    if match[1] is not None:
        return f"<pre>{escape(unescape(match[1]), quote=False)}</pre>"
    return f"<code>{escape(unescape(match[2]), quote=False)}</code>"


def _angled(inner: str) -> str:
    target, _, label = unescape(inner).partition("|")
    if target.startswith(("@", "#")):
        return f'<span class="mention">{escape(target[0] + (label or target[1:]))}</span>'
    if target.startswith("!date^"):
        return _date(target, label)
    if target.startswith("!"):
        return f'<span class="mention">@{escape(label or target[1:])}</span>'
    return link(target, label or target)


def _date(target: str, fallback: str) -> str:
    _, epoch, pattern, *address = target.split("^")
    try:
        moment = datetime.fromtimestamp(int(epoch)).astimezone()
    except (ValueError, OverflowError, OSError):
        return escape(fallback)
    for token, form in _DATE_FORMATS.items():
        pattern = pattern.replace(token, moment.strftime(form))
    return link(address[0], pattern) if address else escape(pattern)
