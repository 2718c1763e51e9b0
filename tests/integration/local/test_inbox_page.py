"""The inbox as a page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from airflow_sagemaker_presign.local import LocalServices


@pytest.fixture(scope="module")
def local() -> Iterator[LocalServices]:
    with LocalServices(jupyter=False) as services:
        services.inbox.receive_mail("a@x.example", ["ada@x.example"], b"Subject: first\n\nhttps://a.example/?t=1\n")
        services.inbox.receive_slack("#ml", None, {"text": "*second*"})
        yield services


def test_the_page_needs_nothing_from_elsewhere_and_is_not_cached(local: LocalServices) -> None:
    page = requests.get(local.endpoint_url)
    assert page.url == local.inbox_url
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page.text)
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_only_new_messages_are_fetched(local: LocalServices) -> None:
    both = requests.get(f"{local.inbox_url}/cards").json()
    assert [card["id"] for card in both["cards"]] == [1, 2]
    assert "ada@x.example" in both["cards"][0]["html"]
    assert '<a href="https://a.example/?t=1" target="_blank"' in both["cards"][0]["html"]
    assert "<b>second</b>" in both["cards"][1]["html"]
    new = requests.get(f"{local.inbox_url}/cards", params={"after": 1}).json()
    assert [card["id"] for card in new["cards"]] == [2]


def test_the_inbox_can_be_emptied_over_http(local: LocalServices) -> None:
    assert requests.delete(f"{local.inbox_url}/messages.json").json() == []
    assert requests.get(f"{local.inbox_url}/cards").json() == {"cards": [], "count": 0}
