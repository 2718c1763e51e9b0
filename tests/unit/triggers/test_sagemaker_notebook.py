from __future__ import annotations

import asyncio
from typing import Any

import pytest

from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger
from airflow_sagemaker_presign.waiting.state_machine import WaitState
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.scripted_sagemaker import Clock, Script, wait_state


@pytest.fixture
def run(hook: SageMakerNotebookInstanceHook, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a trigger against the script, with pauses that only turn the clock."""

    def run(**values: Any) -> Any:
        wait = wait_state(**{"began_at": clock.time(), **values})
        trigger = SageMakerNotebookInstanceTrigger(wait.as_dict(), poll_interval=5)

        async def events() -> list[Any]:
            return [event.payload async for event in trigger.run()]

        return asyncio.run(events())

    monkeypatch.setattr(ClientKey, "connect", lambda _: hook)
    monkeypatch.setattr(SageMakerNotebookInstanceTrigger, "_runtime", clock)
    return run


def test_a_trigger_ends_with_success_when_the_notebook_is_in_service(run: Any, sagemaker: Script) -> None:
    sagemaker.describe("Pending").describe("Pending").describe("InService")
    (event,) = run()
    assert event["status"] == "success"
    assert WaitState.from_dict(event["wait"], NotebookInstance).status == "InService"


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
    for _ in range(25):
        sagemaker.refuse("describe_notebook_instance", "ThrottlingException", "Rate exceeded")
    sagemaker.describe("InService")
    assert run()[0]["status"] == "success"
    assert (clock() - began).total_seconds() > 600


def test_what_is_in_the_database_stays_as_it_is() -> None:
    """A trigger that an older version of this package wrote has to be readable."""
    wait = wait_state(began_at=1000.0)
    path, arguments = SageMakerNotebookInstanceTrigger(wait.as_dict(), 5, region_name="eu-central-1").serialize()
    assert path == "airflow_sagemaker_presign.triggers.sagemaker_notebook.SageMakerNotebookInstanceTrigger"
    assert arguments == {
        "wait": {
            "version": 2,
            "workspace": {"notebook_instance_name": "research"},
            "goal": "ready",
            "began_at": 1000.0,
            "deadline": 4600.0,
            "status": "",
            "sent_at": None,
            "sends": 0,
            "changed_before_send": "",
            "moved": False,
            "failed_requests": 0,
        },
        "poll_interval": 5,
        "aws_conn_id": "aws_default",
        "region_name": "eu-central-1",
        "verify": None,
        "botocore_config": None,
    }
    assert SageMakerNotebookInstanceTrigger(**arguments).serialize() == (path, arguments)


def test_triggers_share_a_poller_when_aws_sees_them_alike() -> None:
    def key(**values: Any) -> ClientKey:
        wait = wait_state(began_at=1000.0)
        return SageMakerNotebookInstanceTrigger(wait.as_dict(), 5, **values).client_key

    assert key() == key()
    assert key(botocore_config={"a": 1, "b": 2}) == key(botocore_config={"b": 2, "a": 1})
    others: list[dict[str, Any]] = [
        {"aws_conn_id": None},
        {"region_name": "eu-west-1"},
        {"verify": False},
        {"botocore_config": {}},
    ]
    assert len({key(), *(key(**other) for other in others)}) == 5
