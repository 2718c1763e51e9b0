from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_sagemaker_presign.exceptions import NotebookInstanceNotFound, SageMakerUnavailable
from airflow_sagemaker_presign.launch_page import watch_state
from airflow_sagemaker_presign.launch_page.page_state import PageState, page_state_of, page_state_of_error
from airflow_sagemaker_presign.launch_page.rendered_task import Watch
from airflow_sagemaker_presign.workspaces.notebook_instance import Status
from tests.helpers.scripted_sagemaker import RESEARCH

NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)
WATCH = Watch(timedelta(hours=1), None)


def opening(status: str) -> PageState:
    description = {"NotebookInstanceName": "research", "NotebookInstanceStatus": status, "LastModifiedTime": NOW}
    return page_state_of(RESEARCH, description, "lab", NOW)


def shown(status: str = "InService", watch: Watch = WATCH, kept_at: datetime | None = None) -> PageState:
    return watch_state.of(opening(status), watch, kept_at, NOW)


def test_a_running_notebook_can_be_kept_running() -> None:
    seen = shown()
    assert (seen.action, seen.button) == ("keep", "Keep it running")
    assert seen.headline == "Airflow stops it when it is idle"
    assert "nothing has run in it for 1 hour" in seen.words
    assert "at least 1 hour from now" in seen.words
    assert "another warning" in seen.words
    assert "Kept at" not in seen.words
    assert "latest" not in seen.words


@pytest.mark.parametrize("status", [status for status in Status if status != "InService"])
def test_a_notebook_that_does_not_run_has_no_button_and_no_word_about_starting_it(status: str) -> None:
    seen = shown(status)
    assert (seen.action, seen.button) == ("", "")
    assert (seen.headline, seen.status) == (opening(status).headline, status)
    assert "start" not in seen.words.lower()


@pytest.mark.parametrize(
    ("kept_at", "words"),
    [
        (NOW - timedelta(minutes=5), "Kept at 09:25 UTC."),
        (NOW - timedelta(days=1), "Kept at 09:30 UTC on Sunday, 14 June."),
        (datetime.max.replace(tzinfo=UTC), "Kept at 23:59 UTC on Friday, 31 December."),
    ],
)
def test_an_open_page_shows_when_the_notebook_was_last_kept(kept_at: datetime, words: str) -> None:
    seen = shown(kept_at=kept_at)
    assert seen.words.endswith(words)
    assert seen.state != shown().state


def test_a_latest_time_is_said_to_be_final() -> None:
    # Airflow stores a time of day and a duration as the same text, so that the page says neither.
    assert (
        "latest time for the stop, which nobody can put off" in shown(watch=Watch(timedelta(hours=1), "20:00:00")).words
    )


def test_a_notebook_can_be_kept_running_while_aws_is_out_of_reach() -> None:
    error = page_state_of_error(SageMakerUnavailable("research", "Throttled."), RESEARCH)
    seen = watch_state.of(error, WATCH, None, NOW, is_unknown=True)
    assert (seen.action, seen.headline, seen.problem) == ("keep", error.headline, "Throttled.")
    assert "keeps trying" in seen.words
    assert "at least 1 hour" in seen.words


def test_a_notebook_that_does_not_exist_cannot_be_kept_running() -> None:
    error = page_state_of_error(NotebookInstanceNotFound("research", "There is none."), RESEARCH)
    assert watch_state.of(error, WATCH, None, NOW).action == ""
