"""Opens the links that arrived in the inbox, and checks how long they were still valid on arrival."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx

from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import LinkRefused, expiry_of
from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY

MIN_VALIDITY = 240
"""The seconds that must be left when a message arrives, as by the operator's default ``min_validity``."""
_LINK = re.compile(r"https?://[^\s\"'<>|\\]+[?&]authToken=[^\s\"'<>|\\]+")


class LinkCheckError(RuntimeError):
    """A link did not arrive, arrived late, or does not open JupyterLab. The message never shows the link."""


@dataclass(frozen=True)
class Arrival:
    """
    A link that arrived, and opened JupyterLab.

    :param kind: ``mail`` or ``slack``.
    :param validity_left: for how many seconds it still worked when it arrived.
    """

    kind: str
    validity_left: float

    def __str__(self) -> str:
        return f"{self.validity_left:.1f} of {URL_VALIDITY.total_seconds():.0f} s"


def check_newest(messages: list[dict[str, Any]], kind: str) -> Arrival:
    """
    Open the link of the newest message of a kind.

    :param messages: the inbox's messages, oldest first.
    :param kind: ``mail`` or ``slack``.
    :raises LinkCheckError: when there is none, it does not open JupyterLab, or arrived late.
    """
    of_kind = [message for message in messages if message["kind"] == kind]
    if not of_kind:
        raise LinkCheckError(f"No {kind} message arrived in the inbox.")
    link = link_in(of_kind[-1])
    left = _expiry_of(link) - of_kind[-1]["arrived_at"]
    open_jupyterlab(link, f"{kind} link")
    arrival = Arrival(kind, left)
    if left < MIN_VALIDITY:
        raise LinkCheckError(f"The {kind} link had {arrival} left on arrival; it must be {MIN_VALIDITY} s or more.")
    return arrival


def link_in(message: dict[str, Any]) -> str:
    """
    Return the presigned URL in a message.

    :param message: one of the inbox's messages.
    :raises LinkCheckError: when there is none.
    """
    if found := _LINK.search(unescape(json.dumps(message))):
        return found[0]
    raise LinkCheckError(f"There is no presigned URL in the newest {message['kind']} message.")


def _expiry_of(link: str) -> float:
    """Read the expiry from the token itself, as the local SageMaker does, and not from what was reported."""
    try:
        return expiry_of(httpx.URL(link).params["authToken"]).timestamp()
    except LinkRefused:
        raise LinkCheckError("The link does not come from the local SageMaker.") from None


def open_jupyterlab(link: str, name: str) -> None:
    """
    Open a presigned URL with cookies, as a browser does, and request the status of its JupyterLab.

    :param link: the URL.
    :param name: the link's name in errors, which must not contain the URL.
    :raises LinkCheckError: when it does not open JupyterLab.
    """
    # Without "from": an exception of the HTTP client has the address in it.
    try:
        with httpx.Client(follow_redirects=True, timeout=30, trust_env=False) as browser:
            page = browser.get(link)
            status = browser.get(page.url.join("/api/status"))
    except httpx.HTTPError as error:
        raise LinkCheckError(f"The {name} does not open: {type(error).__name__}.") from None
    if page.status_code != 200 or not page.url.path.startswith("/lab"):
        raise LinkCheckError(f"The {name} opened {page.url.path} with status {page.status_code}, not JupyterLab.")
    if status.status_code != 200 or "kernels" not in status.json():
        raise LinkCheckError(f"JupyterLab's /api/status returned {status.status_code} for the session of the {name}.")
