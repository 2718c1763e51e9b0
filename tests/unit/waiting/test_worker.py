"""The wait in the worker, step by step."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.waiting.polling_schedule import next_poll_delay
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.waiting.worker import WorkerWait
from tests.helpers.scripted_sagemaker import DENIED, Clock, Script, wait_state, worker_wait


@pytest.fixture
def worker(hook: SageMakerNotebookInstanceHook, clock: Clock) -> WorkerWait:
    return worker_wait(hook, clock)


def wait(**values: Any) -> WaitState:
    return wait_state(deadline=2e9, **values)


def test_a_step_of_a_wait_starts_a_stopped_notebook(worker: WorkerWait, sagemaker: Script, clock: Clock) -> None:
    sagemaker.describe("Stopped").start().describe("Pending", modified=9).describe("InService", modified=10)
    step, done = worker.step(wait())
    assert (step.sends, step.sent_at, step.status, done) == (1, clock().timestamp(), "Stopped", False)
    step, done = worker.step(step)
    assert (step.moved, done) == (True, False)
    step, done = worker.step(step)
    assert done


def test_throttling_slows_a_wait_down_and_does_not_end_it(worker: WorkerWait, sagemaker: Script) -> None:
    sagemaker.refuse("describe_notebook_instance", "ThrottlingException", "Rate exceeded")
    step, done = worker.step(wait())
    assert (step.failed_requests, done) == (1, False)
    sagemaker.describe("Stopped").refuse("start_notebook_instance", "ThrottlingException", "Rate exceeded")
    step, done = worker.step(step)
    assert (step.failed_requests, step.sends, done) == (2, 0, False), "an observation that works is no Start"
    sagemaker.describe("Stopped").start()
    step, done = worker.step(step)
    assert (step.failed_requests, step.sends, done) == (0, 1, False)


def test_throttled_stops_are_sent_at_most_once_a_minute(worker: WorkerWait, sagemaker: Script, clock: Clock) -> None:
    step, pauses = wait(goal=Goal.STOPPED), []
    for _ in range(6):
        sagemaker.describe("InService").refuse("stop_notebook_instance", "ThrottlingException", "Rate exceeded")
        step, _ = worker.step(step)
        pauses.append(next_poll_delay(step, 5, clock().timestamp()))
    assert pauses == [10, 20, 40, 60, 60, 60]


def test_an_hour_of_outage_in_the_worker_is_logged_in_a_few_lines(
    worker: WorkerWait,
    sagemaker: Script,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    step = wait(status="Pending", moved=True)
    with caplog.at_level(logging.INFO):
        for minute in range(60):
            if minute % 4 == 3:
                sagemaker.describe("Pending")
            else:
                sagemaker.refuse("describe_notebook_instance", "ThrottlingException", "Rate exceeded")
            step, _ = worker.step(step)
            clock.advance(60)
    # Airflow 3 logs to the console, past what caplog sees.
    lines = (caplog.text or capsys.readouterr().out).splitlines()
    assert "Rate exceeded" in lines[0]
    assert 2 <= len(lines) < 20


def test_access_denied_ends_a_wait_at_once(worker: WorkerWait, sagemaker: Script) -> None:
    sagemaker.refuse("describe_notebook_instance", "AccessDeniedException", DENIED)
    with pytest.raises(exceptions.SageMakerAccessDenied):
        worker.step(wait())


def test_gone_in_mid_wait_is_deleted_and_never_there_is_not_found(worker: WorkerWait, sagemaker: Script) -> None:
    sagemaker.refuse("describe_notebook_instance", "ValidationException", "RecordNotFound")
    with pytest.raises(exceptions.NotebookInstanceNotFound):
        worker.step(wait())
    sagemaker.refuse("describe_notebook_instance", "ValidationException", "RecordNotFound")
    with pytest.raises(exceptions.NotebookInstanceDeleted):
        worker.step(wait(status="Pending", moved=True))


def test_a_stop_whose_notebook_is_gone_in_mid_wait_is_done(worker: WorkerWait, sagemaker: Script) -> None:
    sagemaker.refuse("describe_notebook_instance", "ValidationException", "RecordNotFound")
    step, done = worker.step(wait(goal=Goal.STOPPED, status="Stopping", moved=True))
    assert (step.status, done) == ("Stopping", True)


def test_a_stop_of_what_was_never_there_is_not_found(worker: WorkerWait, sagemaker: Script) -> None:
    sagemaker.refuse("describe_notebook_instance", "ValidationException", "RecordNotFound")
    with pytest.raises(exceptions.NotebookInstanceNotFound):
        worker.step(wait(goal=Goal.STOPPED))


@pytest.mark.parametrize("code", ["ExpiredTokenException", "ThrottlingException", "InvalidClientTokenId"])
def test_a_describe_that_fails_past_the_deadline_raises_its_own_error(
    worker: WorkerWait, sagemaker: Script, clock: Clock, code: str
) -> None:
    sagemaker.describe("InService")
    worker.step(wait())
    sagemaker.refuse("describe_notebook_instance", code, "That is why.")
    with pytest.raises(exceptions.WorkspaceError, match=r"'research': .*That is why") as raised:
        worker.describe(wait_state(deadline=clock().timestamp()))
    assert not isinstance(raised.value, exceptions.NotebookInstanceWaitTimeout)
