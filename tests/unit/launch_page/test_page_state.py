from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.exceptions import SageMakerAccessDenied, SageMakerUnavailable
from airflow_sagemaker_presign.launch_page.aws_identity import UnusableConnection
from airflow_sagemaker_presign.launch_page.page_state import PageState, page_state_of, page_state_of_error
from airflow_sagemaker_presign.workspaces.notebook_instance import Status
from tests.helpers.scripted_sagemaker import RESEARCH

NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)


def page_state(status: str, seconds: float = 42, landing: Any = "lab", **more: str) -> PageState:
    description = {
        "NotebookInstanceName": "research",
        "NotebookInstanceStatus": status,
        "LastModifiedTime": NOW - timedelta(seconds=seconds),
        **more,
    }
    return page_state_of(RESEARCH, description, landing, NOW)


@pytest.mark.parametrize(
    ("status", "action", "looks_again", "shows_time"),
    [
        ("InService", "open", 15, False),
        ("Stopped", "start", 15, False),
        ("Failed", "start", 15, False),
        ("Pending", "", 3, True),
        ("Stopping", "", 3, True),
        ("Updating", "", 3, True),
        ("PendingMaintenance", "", 3, True),
        ("InMaintenance", "", 3, True),
        ("Deleting", "", 15, False),
        ("SomethingNew", "", 3, True),
    ],
)
def test_what_each_status_offers(status: str, action: str, looks_again: int, shows_time: bool) -> None:
    seen = page_state(status)
    assert (seen.action, seen.refresh_seconds, seen.elapsed is not None) == (action, looks_again, shows_time)
    assert bool(seen.button) == bool(action)
    assert seen.headline
    assert seen.words


def test_no_status_is_forgotten() -> None:
    assert [status for status in Status if page_state(status).headline.startswith("Status ")] == []


@pytest.mark.parametrize(("landing", "button"), [("lab", "JupyterLab"), ("classic", "Jupyter"), (None, "the notebook")])
def test_the_button_says_what_opens(landing: Any, button: str) -> None:
    assert page_state("InService", landing=landing).button == f"Open {button}"


def test_a_clock_that_is_behind_shows_no_time_before_the_start() -> None:
    assert page_state("Pending", seconds=-90).elapsed == 0
    assert page_state("Pending", seconds=90.9).elapsed == 90


def test_a_failure_says_why_and_what_to_do() -> None:
    seen = page_state("Failed", FailureReason="Insufficient notebook instance capacity")
    assert "Insufficient notebook instance capacity" in seen.problem
    assert "another instance type" in seen.words
    assert seen.state != page_state("Failed", FailureReason="Lifecycle config failed").state


def test_outage_of_aws() -> None:
    assert "keeps trying" in page_state_of_error(SageMakerUnavailable("research", "Throttled."), RESEARCH).words
    assert page_state_of_error(SageMakerAccessDenied("research", "No."), RESEARCH).action == ""
    unusable = page_state_of_error(UnusableConnection("research", "There is no connection."), RESEARCH)
    assert (unusable.headline, unusable.problem) == ("Airflow cannot connect to AWS", "There is no connection.")


def test_an_aws_error_is_shown_beside_the_state_and_does_not_change_it() -> None:
    before = page_state("InService")
    after = before.after(SageMakerAccessDenied("research", "AWS refused."))
    assert after.refused.startswith("AWS refused. ")
    assert (after.action, after.state) == ("open", before.state)


@pytest.mark.parametrize("status", ["Pending", "Stopping", "Updating", "SomethingNew"])
def test_a_long_duration_is_not_called_usual(status: str) -> None:
    usual, long, very_long = page_state(status, 599), page_state(status, 601), page_state(status, 1801)
    if status == "Pending":
        assert "usually takes 2 to 10 minutes" in usual.words
        assert "longer than usual" in long.words
        assert long.state != usual.state, "a page that is open takes the new words over"
    for later in (long, very_long):
        assert "usually takes" not in later.words
    assert "much longer than usual" in very_long.words
    assert "the person who manages the notebooks" in very_long.words
    assert very_long.state not in (usual.state, long.state)
    assert very_long.state == page_state(status, 7200).state


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s so far"), (59, "59 s so far"), (60, "1 min 0 s so far"), (4000, "66 min 40 s so far")],
)
def test_the_time_so_far_is_in_minutes_and_seconds(seconds: int, words: str) -> None:
    assert page_state("Pending", seconds).elapsed_words == words
