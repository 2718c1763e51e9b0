from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookHook
from airflow_sagemaker_presign.lifecycle import Goal, Wait
from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger
from tests.unit.conftest import Clock, Script


@pytest.fixture
def run(hook: SageMakerNotebookHook, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a trigger against the script, with sleeps that only turn the clock."""

    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    def run(**values: Any) -> Any:
        now = clock().timestamp()
        wait = Wait("research", Goal.IN_SERVICE, **{"began_at": now, "deadline": now + 3600, **values})
        trigger = SageMakerNotebookInstanceTrigger(wait.as_dict(), poll_interval=5)

        async def events() -> list[Any]:
            return [event.payload async for event in trigger.run()]

        return asyncio.run(events())

    monkeypatch.setattr(SageMakerNotebookInstanceTrigger, "_make_hook", lambda _: hook)
    monkeypatch.setattr("asyncio.sleep", sleep)
    return run


def test_a_trigger_ends_with_success_when_the_notebook_is_in_service(run: Any, sagemaker: Script) -> None:
    sagemaker.describe("Pending").describe("Pending").describe("InService")
    assert run() == [{"status": "success", "notebook_instance_status": "InService"}]


def test_a_trigger_starts_what_has_to_stop_first(run: Any, sagemaker: Script) -> None:
    sagemaker.describe("Stopping").describe("Stopped").start().describe("Pending").describe("InService")
    assert run()[0]["status"] == "success"


def test_a_trigger_ends_with_the_error_that_the_operator_is_to_raise(run: Any, sagemaker: Script) -> None:
    reason = "Insufficient notebook instance capacity. Retry later or with a different instance type."
    sagemaker.describe("Pending").describe("Failed", reason=reason, modified=5)
    (event,) = run()
    assert event["status"] == "error"
    assert event["error"] == "NotebookInstanceNoCapacity"
    assert reason in event["problem"]


def test_a_trigger_that_was_restarted_goes_on_with_what_its_arguments_say(run: Any, sagemaker: Script) -> None:
    sagemaker.describe("Stopped")
    (event,) = run(status="Pending", moved=True, sends=1, sent_at=0.0)
    assert event["error"] == "NotebookInstanceStopped"


def test_ten_minutes_of_throttling_do_not_end_a_trigger(run: Any, sagemaker: Script, clock: Clock) -> None:
    began = clock()
    for _ in range(12):
        sagemaker.refuse("describe_notebook_instance", "ThrottlingException", "Rate exceeded")
    sagemaker.describe("InService")
    assert run()[0]["status"] == "success"
    assert (clock() - began).total_seconds() > 600


def test_throttling_past_the_deadline_ends_a_trigger_with_a_timeout(run: Any, sagemaker: Script, clock: Clock) -> None:
    for _ in range(6):
        sagemaker.refuse("describe_notebook_instance", "ThrottlingException", "Rate exceeded")
    (event,) = run(deadline=clock().timestamp() + 180)
    assert event["error"] == "NotebookInstanceWaitTimeout"
    assert "Rate exceeded" in event["problem"]
