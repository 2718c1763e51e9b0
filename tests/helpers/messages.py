"""What the people got."""

from __future__ import annotations

import http.cookiejar
import json
import re
import urllib.request
from typing import Any

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.inbox.mailbox import Mail, SlackMessage


def mails_to(local: LocalServices, address: str) -> list[Mail]:
    return [mail for mail in local.inbox.mails if address in mail.recipients]


def mail_to(local: LocalServices, address: str) -> Mail:
    (mail,) = mails_to(local, address)
    return mail


def slack_to(local: LocalServices, recipient: str) -> list[SlackMessage]:
    """The messages to a person, by address, or to a channel."""
    return [message for message in local.inbox.slack_messages if recipient in (message.recipient, message.channel)]


def url_in(message: Mail | SlackMessage) -> str:
    """The presigned URL: the only one in the message."""
    (url,) = urls_in(message)
    return url


def urls_in(message: Mail | SlackMessage) -> list[str]:
    if isinstance(message, Mail):
        return re.findall(r"\S+authToken=\S+", message.text)
    return [url for url in _links_in(message.blocks) if "authToken=" in url]


def _links_in(blocks: Any) -> list[str]:
    """The address of every button and of every link in rich text."""
    if isinstance(blocks, dict):
        own = [blocks["url"]] if "url" in blocks else []
        return own + [url for value in blocks.values() for url in _links_in(value)]
    return [url for item in blocks for url in _links_in(item)] if isinstance(blocks, list) else []


class Visit:
    """Open a link as a browser does: follow it, keep the cookie."""

    def __init__(self, url: str) -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)
        with self._opener.open(url, timeout=20) as page:
            self.arrived_at: str = page.url
            self.page: str = page.read().decode()

    def whose(self) -> str:
        """The notebook instance that JupyterLab says it is."""
        address = f"{self.arrived_at.rpartition('/lab')[0]}/api/me"
        with self._opener.open(address, timeout=20) as answer:
            me: dict[str, Any] = json.load(answer)
        return str(me["identity"]["username"])
