from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_sagemaker_presign.launch_page import templating
from airflow_sagemaker_presign.launch_page.page_state import page_state_of
from tests.helpers.html_tags import ATTACK, Tags
from tests.helpers.scripted_sagemaker import RESEARCH

NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)


def notebook_page(**others: Any) -> str:
    description = {
        "NotebookInstanceName": "research",
        "NotebookInstanceStatus": others.pop("status", "Failed"),
        "LastModifiedTime": NOW,
        "FailureReason": others.pop("reason", "no"),
    }
    values = {
        "name": "research",
        "kind": "SageMaker notebook instance",
        "page_state": page_state_of(RESEARCH, description, "lab", NOW),
        "region": "eu-central-1",
        "instance_type": "ml.t3.medium",
        "session": "8 hours",
        "current_user": "ada",
        "token": "token",
        "prefix": "",
        "path": "/sagemaker-notebooks/a/b/c",
        "task_path": "/dags/a",
    }
    return templating.write("notebook.html", **{**values, **others})


@pytest.mark.parametrize(
    "attack",
    [
        {"name": ATTACK},
        {"region": ATTACK},
        {"instance_type": ATTACK},
        {"current_user": ATTACK},
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


def test_an_error_page_is_text_too() -> None:
    page = templating.write(
        "error.html", title=ATTACK, words=ATTACK, prefix="", current_user=ATTACK, again="", again_text="", seconds=None
    )
    assert Tags(page).tags.count("script") == 1
    assert "img" not in Tags(page).tags


def test_a_form_leads_nowhere_but_to_airflow() -> None:
    assert "form-action 'self';" in templating.SECURITY_HEADERS["Content-Security-Policy"]


def frame(**others: Any) -> str:
    return notebook_page(**others).split('data-frame="')[1].split('"')[0]


@pytest.mark.parametrize(
    "other",
    [
        {"name": "other"},
        {"kind": "SageMaker tracking server"},
        {"current_user": "grace"},
        {"session": "1 hour"},
        {"path": "/b"},
    ],
)
def test_a_page_of_another_user_or_notebook_is_another_page(other: dict[str, str]) -> None:
    assert frame(**other) != frame()
    assert frame(status="InService", token="another", region="us-east-1", reason="other") == frame()


def test_a_page_of_another_version_is_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = frame()
    monkeypatch.setattr(templating, "asset_path", lambda name: f"/{name}?v=newer")
    assert frame() != before
