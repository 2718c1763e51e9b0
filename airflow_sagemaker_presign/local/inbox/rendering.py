"""A message of the inbox as HTML."""

from __future__ import annotations

import json
import re
from datetime import datetime
from html import escape
from typing import Any

from airflow_sagemaker_presign.local.inbox.mailbox import Mail, Message, SlackMessage
from airflow_sagemaker_presign.local.inbox.mrkdwn import link, to_html

# In the frame of an HTML mail: links open in a new tab, nothing is fetched from elsewhere, no script runs.
_MAIL_HEAD = (
    '<base target="_blank"><meta name="referrer" content="no-referrer">'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'\">"
)
_SANDBOX = "allow-popups allow-popups-to-escape-sandbox allow-same-origin"


def render(message: Message) -> str:
    """
    Return the card of a message, as HTML.

    :param message: a mail or a Slack message.
    """
    body = _mail(message) if isinstance(message, Mail) else _slack(message)
    warning = "" if message.acknowledged else '<p class="warning">The sender got no confirmation of this message.</p>'
    return f'<article class="{message.kind}" id="message-{message.id}">{warning}{body}</article>'


def _time(message: Message) -> str:
    moment = datetime.fromtimestamp(message.arrived_at).astimezone()
    return f'<time datetime="{moment.isoformat()}">{moment:%H:%M:%S}</time>'


def _mail(mail: Mail) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in mail.headers)
    views = []
    if mail.html:
        # Without scripts, "same origin" gives the mail nothing; it lets this page fit the frame to the mail.
        frame = f'<iframe sandbox="{_SANDBOX}" srcdoc="{escape(_MAIL_HEAD + mail.html)}" title="The mail"></iframe>'
        views.append(("HTML", frame))
    if mail.text:
        views.append(("Plain text", f"<pre>{_with_links(mail.text)}</pre>"))
    views.append(("Headers", f"<pre>{escape(headers)}</pre>"))
    return (
        f'<header><span class="badge">Mail</span><h2>{escape(mail.subject) or "(no subject)"}</h2>{_time(mail)}'
        f'<p class="to">to {escape(", ".join(mail.recipients))}, from {escape(mail.sender)}</p></header>'
        + _tabs(mail.id, views)
    )


def _tabs(message_id: int, views: list[tuple[str, str]]) -> str:
    parts = []
    for index, (title, html) in enumerate(views):
        tab, checked = f"tab-{message_id}-{index}", " checked" if index == 0 else ""
        parts.append(
            f'<input type="radio" name="tabs-{message_id}" id="{tab}"{checked}>'
            f'<label for="{tab}">{title}</label><div class="view">{html}</div>'
        )
    return f'<div class="tabs">{"".join(parts)}</div>'


def _with_links(text: str) -> str:
    words = []
    for word in _split_keeping_space(text):
        address = word.rstrip(".,;:!?)>") if word.startswith(("http://", "https://")) else ""
        words.append(link(address, address) + escape(word[len(address) :]) if address else escape(word))
    return "".join(words)


def _split_keeping_space(text: str) -> list[str]:
    return re.split(r"(\s+|<(?=https?://))", text)


def _slack(message: SlackMessage) -> str:
    sent_to = message.channel if not message.recipient else f"{message.recipient} ({message.channel})"
    name = escape(str(message.payload.get("username") or "Airflow"))
    blocks = "".join(_block(block) for block in message.blocks) or f"<p>{to_html(message.text)}</p>"
    fallback = f'<p class="fallback"><b>In notifications:</b> {escape(message.text)}</p>' if message.blocks else ""
    return (
        f'<header><span class="badge">Slack</span><h2>{name} <small>APP</small></h2>{_time(message)}'
        f'<p class="to">to {escape(sent_to)}</p></header><div class="blocks">{blocks}</div>{fallback}'
    )


def _block(block: dict[str, Any]) -> str:
    kind = block.get("type")
    if kind == "header":
        return f"<h3>{_text(block.get('text'))}</h3>"
    if kind == "divider":
        return "<hr>"
    if kind == "section":
        fields = "".join(f"<div>{_text(field)}</div>" for field in block.get("fields") or [])
        grid = f'<div class="fields">{fields}</div>' if fields else ""
        words = f"<div>{_text(block.get('text'))}{grid}</div>"
        return f'<div class="section">{words}{_element(block.get("accessory"))}</div>'
    if kind in ("context", "actions"):
        return f'<div class="{kind}">{"".join(_element(element) for element in block.get("elements", []))}</div>'
    if kind == "rich_text":
        return "".join(f"<p>{_rich_text(part)}</p>" for part in block.get("elements", []))
    return f"<details><summary>{escape(str(kind))}</summary><pre>{escape(json.dumps(block, indent=1))}</pre></details>"


def _text(text: dict[str, Any] | None) -> str:
    if not text:
        return ""
    words = str(text.get("text", ""))
    return to_html(words) if text.get("type") == "mrkdwn" else escape(words).replace("\n", "<br>")


def _rich_text(part: dict[str, Any]) -> str:
    """Render the elements of a section (or list, quote) of rich text, however deep: links and text."""
    if part.get("type") == "link":
        url = str(part.get("url", ""))
        return link(url, str(part.get("text") or url))
    return escape(str(part.get("text", ""))) + "".join(map(_rich_text, part.get("elements", [])))


def _element(element: dict[str, Any] | None) -> str:
    if not element:
        return ""
    kind = element.get("type")
    if kind == "button":
        style = f"button {element.get('style', '')}".strip()
        label = str(element.get("text", {}).get("text", ""))
        return link(str(element.get("url", "")), label, style)
    if kind == "image":
        return f"<span>[{escape(str(element.get('alt_text', 'image')))}]</span>"
    return f"<span>{_text(element)}</span>"
