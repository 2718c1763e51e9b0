from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

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
        "leads_to": "",
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


@pytest.mark.parametrize(
    ("url", "region", "hosts"),
    [
        (
            "research-x1.notebook.eu-west-1.sagemaker.aws",
            "eu-west-1",
            ("research-x1.notebook.eu-west-1.sagemaker.aws", "*.notebook.eu-west-1.sagemaker.aws"),
        ),
        ("127.0.0.1:8888", "eu-west-1", ("127.0.0.1:8888", "*.notebook.eu-west-1.sagemaker.aws")),
        ("", "cn-north-1", ("*.notebook.cn-north-1.sagemaker.com.cn",)),
        ("", "", ()),
        ("evil.example; script-src *", "eu-west-1; script-src *", ()),
        ("a b", "eu_west", ()),
        ("*", "*", ()),
    ],
)
def test_where_a_form_may_lead(url: str, region: str, hosts: tuple[str, ...]) -> None:
    assert pages.notebook_hosts(url, region) == hosts
    policy = pages.security_headers(hosts)["Content-Security-Policy"]
    assert policy.count("script-src") == 1


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
