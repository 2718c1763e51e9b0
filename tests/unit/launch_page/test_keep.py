"""The launch page of a task that watches its notebook: who presses what, and what Airflow's database has then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE

if not HAS_LAUNCH_PAGE:
    pytest.skip("there is no launch page before Airflow 3.1.1", allow_module_level=True)

from airflow_sagemaker_presign.exceptions import NotebookInstanceNotFound, SageMakerUnavailable, WorkspaceError
from airflow_sagemaker_presign.launch_page import audit, kept, service
from airflow_sagemaker_presign.launch_page.csrf import CsrfTokens
from airflow_sagemaker_presign.launch_page.current_user import CurrentUser
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask, Watch
from tests.helpers.airflow_database import Sessions, insert

ADA = CurrentUser("7", "ada", "ada", None, "127.0.0.1", may_see=True, may_edit=True)
Make = Callable[..., RenderedTask]


class LaunchPage:
    """
    The launch service, with Airflow's own tables and an AWS that responds as a test says.

    :param aws: the status of the notebook, or the error of every request.
    """

    def __init__(self, sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sessions = sessions
        self.aws: str | WorkspaceError = "InService"
        self.requests = 0
        self.now = datetime.now(UTC).replace(microsecond=0)
        monkeypatch.setattr(service, "_session", sessions)
        self.service = service.LaunchService(lambda: self.now, CsrfTokens("secret"), "")
        monkeypatch.setattr(self.service.sagemaker, "describe", self.describe)

    def describe(self, task: RenderedTask, since: float | None = None) -> dict[str, Any]:
        self.requests += 1
        if isinstance(self.aws, WorkspaceError):
            raise self.aws
        return {"NotebookInstanceName": task.workspace.name, "NotebookInstanceStatus": self.aws}

    def shows(self, task: RenderedTask) -> str:
        return bytes(self.service.show(task, ADA).body).decode()

    def press(self, task: RenderedTask, action: str = "keep", by: CurrentUser = ADA) -> Any:
        return self.service.submit(task, by, action, self.service.tokens.issue(by.user_id, task))

    def kept_at(self, task: RenderedTask) -> datetime | None:
        with self.sessions() as session:
            return kept.read(task.key, session)

    def events(self) -> list[tuple[str, str | None]]:
        from airflow.models.log import Log

        with self.sessions() as session:
            return [(event, owner) for event, owner in session.execute(select(Log.event, Log.owner).order_by(Log.id))]


@pytest.fixture
def launch_page(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> LaunchPage:
    return LaunchPage(sessions, monkeypatch)


@pytest.fixture
def watching(sessions: Sessions, task: Make) -> RenderedTask:
    watch = Watch(timedelta(hours=1), None)
    watching = task(watch=watch, session_expiration_duration=None, landing=None)
    insert(sessions, "dag_run", id=1, dag_id=watching.key.dag_id, run_id=watching.key.run_id)
    insert(sessions, "task_instance", **vars(watching.key))
    return watching


def test_looking_at_the_page_keeps_nothing_running(launch_page: LaunchPage, watching: RenderedTask) -> None:
    page = launch_page.shows(watching)
    assert '<button name="action" value="keep">Keep it running</button>' in page
    assert "Session lasts" not in page
    assert 'value="open"' not in page
    assert (launch_page.kept_at(watching), launch_page.events()) == (None, [])


def test_pressing_the_button_is_recorded_stored_and_shown(launch_page: LaunchPage, watching: RenderedTask) -> None:
    response = launch_page.press(watching)
    assert (response.status_code, response.headers["location"]) == (303, watching.key.path)
    assert launch_page.kept_at(watching) == launch_page.now
    assert launch_page.events() == [("keep_sagemaker_notebook_instance_running", "ada")]
    assert f"Kept at {launch_page.now:%H:%M} UTC." in launch_page.shows(watching)


@pytest.mark.parametrize("error", [SageMakerUnavailable("research", "No."), WorkspaceError("research", "No.")])
def test_a_notebook_is_kept_running_without_a_request_to_aws(
    launch_page: LaunchPage, watching: RenderedTask, error: WorkspaceError
) -> None:
    launch_page.aws = error
    assert 'value="keep"' in launch_page.shows(watching)
    shown = launch_page.requests
    assert launch_page.press(watching).status_code == 303
    assert launch_page.requests == shown
    assert launch_page.kept_at(watching) == launch_page.now


@pytest.mark.parametrize("aws", ["Stopped", "Pending", NotebookInstanceNotFound("research", "There is none.")])
def test_there_is_no_button_for_a_notebook_that_does_not_run(
    launch_page: LaunchPage, watching: RenderedTask, aws: Any
) -> None:
    launch_page.aws = aws
    assert "<button" not in launch_page.shows(watching)


def test_a_keep_that_cannot_be_recorded_is_not_stored(
    launch_page: LaunchPage, watching: RenderedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("no database")

    monkeypatch.setattr(audit, "claim", fail)
    with pytest.raises(RuntimeError):
        launch_page.press(watching)
    assert launch_page.kept_at(watching) is None


def test_pressing_again_and_again_is_bounded_for_each_user(launch_page: LaunchPage, watching: RenderedTask) -> None:
    for _ in range(audit.KEEPS.times):
        launch_page.press(watching)
    first = launch_page.now
    launch_page.now += timedelta(seconds=1)
    with pytest.raises(HttpError) as http_error:
        launch_page.press(watching)
    assert (http_error.value.status, bool(http_error.value.retry_after)) == (429, True)
    assert launch_page.kept_at(watching) == first
    launch_page.press(watching, by=replace(ADA, user_id="8", name="grace"))
    assert launch_page.kept_at(watching) == launch_page.now


def test_many_users_at_once_keep_it_running(launch_page: LaunchPage, watching: RenderedTask) -> None:
    together = threading.Barrier(8)

    def press(number: int) -> int:
        together.wait(60)
        return int(launch_page.press(watching, by=replace(ADA, user_id=str(number), name=f"user{number}")).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(press, range(8))) == [303] * 8
    assert launch_page.kept_at(watching) == launch_page.now
    assert len(launch_page.events()) == 8


@pytest.mark.parametrize("action", ["open", "start", "", "stop"])
def test_the_page_of_a_watch_neither_opens_nor_starts(
    launch_page: LaunchPage, watching: RenderedTask, action: str
) -> None:
    with pytest.raises(HttpError) as http_error:
        launch_page.press(watching, action)
    assert (http_error.value.status, launch_page.events(), launch_page.requests) == (400, [], 0)


def test_a_task_that_opens_its_notebook_keeps_nothing_running(launch_page: LaunchPage, task: Make) -> None:
    with pytest.raises(HttpError) as http_error:
        launch_page.press(task())
    assert (http_error.value.status, launch_page.events()) == (400, [])


def test_a_form_of_another_page_keeps_nothing_running(
    launch_page: LaunchPage, watching: RenderedTask, task: Make
) -> None:
    elsewhere = replace(watching.key, map_index=3)
    for token in ("", "x", launch_page.service.tokens.issue("7", task(key=elsewhere))):
        with pytest.raises(HttpError) as http_error:
            launch_page.service.submit(watching, ADA, "keep", token)
        assert http_error.value.status == 403
    assert (launch_page.kept_at(watching), launch_page.events()) == (None, [])


def test_a_denied_keep_is_recorded_as_one(launch_page: LaunchPage, watching: RenderedTask) -> None:
    launch_page.service.record_denial(watching.key, ADA, "keep", "You have no access")
    assert launch_page.events() == [("keep_sagemaker_notebook_instance_running_refused", "ada")]


def test_no_url_is_minted_for_a_task_that_watches(launch_page: LaunchPage, watching: RenderedTask) -> None:
    with pytest.raises(ValueError, match="session_expiration_duration"):
        launch_page.service.sagemaker.mint(watching)
