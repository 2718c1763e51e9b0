from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi.responses import Response

from airflow_sagemaker_presign.door import pages
from airflow_sagemaker_presign.door.view import view_of

ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} javascript:alert(1)"
NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)


class Tags(HTMLParser):
    """The tags and attributes of a page, as a browser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def notebook_page(**others: Any) -> str:
    description = {
        "NotebookInstanceName": "research",
        "NotebookInstanceStatus": others.pop("status", "Failed"),
        "LastModifiedTime": NOW,
        "FailureReason": others.pop("reason", "no"),
    }
    values = {
        "name": "research",
        "view": view_of(description, "lab", NOW),
        "region": "eu-central-1",
        "instance_type": "ml.t3.medium",
        "session": "8 hours",
        "visitor": "ada",
        "token": "token",
        "prefix": "",
        "path": "/sagemaker-notebooks/a/b/c",
        "task_path": "/dags/a",
    }
    return pages.write("notebook.html", **{**values, **others})


@pytest.mark.parametrize(
    "attack",
    [
        {"name": ATTACK},
        {"region": ATTACK},
        {"instance_type": ATTACK},
        {"visitor": ATTACK},
        {"reason": ATTACK},
        {"status": ATTACK},
        {"token": ATTACK},
        {"session": ATTACK},
    ],
)
def test_nothing_that_is_shown_becomes_a_part_of_the_page(attack: dict[str, str]) -> None:
    kind = {"status": attack["status"]} if "status" in attack else {}
    usual, attacked = (
        Tags(notebook_page(**{**kind, **({"status": "New"} if kind else {})})),
        Tags(notebook_page(**attack)),
    )
    assert attacked.tags == usual.tags
    assert {name for name, _ in attacked.attributes} == {name for name, _ in usual.attributes}
    assert not any(name.startswith("on") or name == "style" for name, _ in attacked.attributes)
    assert "> 49 javascript" not in notebook_page(**attack).replace("&gt;", ">")


def test_a_refusal_is_text_too() -> None:
    page = pages.write(
        "refusal.html", title=ATTACK, words=ATTACK, prefix="", visitor=ATTACK, again="", again_text="", seconds=None
    )
    assert Tags(page).tags.count("script") == 1
    assert "img" not in Tags(page).tags


URL = "https://research.notebook.eu-west-1.sagemaker.aws?authToken=a%2Bb%3D&view=lab"


def to(location: str, status: int = 303) -> Response:
    return Response(status_code=status, headers={"Location": location})


def test_the_form_of_the_page_is_led_on_by_a_page_however_long_the_url() -> None:
    url = URL + "&x=" + "y" * 8000
    answer = pages.led_on(to(url), pages.BY_PAGE)
    assert answer.status_code == 200
    assert len(str(answer.headers)) < 1000
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    tags = Tags(bytes(answer.body).decode())
    assert ("content", f"0; url={url}") in tags.attributes
    assert ("href", url) in tags.attributes


@pytest.mark.parametrize("query", ["", "by=pages", "x=by=page"])
def test_all_others_are_led_on_by_a_location(query: str) -> None:
    answer = to(URL)
    assert pages.led_on(answer, query) is answer


@pytest.mark.parametrize("location", ["/sagemaker-notebooks/a/b/c", ""])
def test_what_leads_to_no_notebook_stays_what_it_is(location: str) -> None:
    answer = to(location)
    assert pages.led_on(answer, pages.BY_PAGE) is answer


def test_a_url_is_text_to_the_page_that_leads_on() -> None:
    usual, attacked = (bytes(pages.led_on(to(url), pages.BY_PAGE).body).decode() for url in (URL, URL + ATTACK))
    assert Tags(attacked).tags == Tags(usual).tags


def test_a_form_leads_nowhere_but_to_airflow() -> None:
    assert "form-action 'self';" in pages.security_headers()["Content-Security-Policy"]


def frame(**others: Any) -> str:
    return notebook_page(**others).split('data-frame="')[1].split('"')[0]


@pytest.mark.parametrize("other", [{"name": "other"}, {"visitor": "grace"}, {"session": "1 hour"}, {"path": "/b"}])
def test_a_page_of_somebody_else_or_of_another_notebook_is_another_page(other: dict[str, str]) -> None:
    assert frame(**other) != frame()
    assert frame(status="InService", token="another", region="us-east-1", reason="other") == frame()


def test_a_page_of_another_version_is_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = frame()
    monkeypatch.setattr(pages, "asset_path", lambda name: f"/{name}?v=newer")
    assert frame() != before
