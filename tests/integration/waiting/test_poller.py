"""Waits that share a poller, against the local SageMaker over HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_sagemaker_presign.hooks.base import WorkspaceHook
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime
from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger
from airflow_sagemaker_presign.waiting.poller import registry
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

LISTS, DESCRIBES = "ListNotebookInstances", "DescribeNotebookInstance"


@pytest.fixture
def names(local: LocalServices, request: pytest.FixtureRequest) -> list[str]:
    """Twelve notebook instances on their way, and no request written down."""
    names = [f"{request.node.name[:30].strip('_').replace('_', '-')}-{number:02}" for number in range(12)]
    for name in names:
        local.sagemaker.create_notebook(name, "Pending")
    local.sagemaker.requests.clear()
    return names


class ShortPauses(Runtime):
    """The system's time, with pauses of a fraction of a second."""

    async def pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        await super().pause(min(seconds, 0.2), wake)


async def event_of(name: str, runtime: Runtime = RUNTIME, **values: Any) -> dict[str, Any]:
    now = time.time()
    known = {"began_at": now, "deadline": now + 30, "status": "Pending", "moved": True, **values}
    trigger = SageMakerNotebookInstanceTrigger(
        WaitState(NotebookInstance(name), Goal.READY, **known).as_dict(), poll_interval=1
    )
    trigger._runtime = runtime
    (event,) = [event.payload async for event in trigger.run()]
    return {"name": name, **event}


def run(*awaitables: Any) -> list[dict[str, Any]]:
    async def all_of_them() -> list[dict[str, Any]]:
        return list(await asyncio.wait_for(asyncio.gather(*awaitables), 60))

    return asyncio.run(all_of_them())


async def later(local: LocalServices, seconds: float, names: list[str], status: str, reason: str | None = None) -> Any:
    await asyncio.sleep(seconds)
    for name in names:
        local.sagemaker.set_status(name, status, reason)
    return {"status": "success"}


async def once_listed(local: LocalServices, names: list[str], status: str) -> Any:
    """Let them change once an incremental list has shown them unchanged, however long that takes."""
    while not local.sagemaker.requests_of(LISTS):
        await asyncio.sleep(0.05)
    for name in names:
        local.sagemaker.set_status(name, status)
    return {"status": "success"}


def test_an_incremental_list_finds_what_changed_over_one_connection(local: LocalServices, names: list[str]) -> None:
    events = run(*(event_of(name) for name in names), once_listed(local, names, "InService"))
    assert {event["status"] for event in events} == {"success"}
    assert 2 <= len(local.sagemaker.requests_of(LISTS)) <= 4
    assert not local.sagemaker.requests_of(DESCRIBES)


def test_a_failed_among_many_has_its_reason(local: LocalServices, names: list[str]) -> None:
    reason = "Insufficient notebook instance capacity. Retry later or with a different instance type."
    broken, others = names[3], [*names[:3], *names[4:]]
    events = run(
        *(event_of(name) for name in names),
        later(local, 1, [broken], "Failed", reason),
        later(local, 2, others, "InService"),
    )
    (error,) = [event for event in events if event["status"] == "error"]
    assert (error["name"], error["error"]) == (broken, "NotebookInstanceNoCapacity")
    assert reason in error["problem"]
    assert len(local.sagemaker.requests_of(DESCRIBES)) == 1


def test_a_principal_who_may_not_list_still_gets_every_link(local: LocalServices, names: list[str]) -> None:
    local.sagemaker.faults.fail_calls("access-denied", operation=LISTS, times=None)
    events = run(*(event_of(name) for name in names), later(local, 1, names, "InService"))
    assert {event["status"] for event in events} == {"success"}
    assert len(local.sagemaker.requests_of(LISTS)) == 1


def test_throttling_and_faults_of_aws_end_no_wait(local: LocalServices, names: list[str]) -> None:
    local.sagemaker.faults.fail_calls("throttling", times=2)
    local.sagemaker.faults.fail_calls("internal-failure", times=1)
    events = run(*(event_of(name) for name in names), later(local, 1, names, "InService"))
    assert {event["status"] for event in events} == {"success"}


def test_each_rejection_is_one_request(local: LocalServices, names: list[str]) -> None:
    """botocore would send it four more times, past the rate limiter."""
    local.sagemaker.faults.fail_calls("throttling", times=1)
    run(event_of(names[0]), later(local, 3, names, "InService"))
    first, second, *_ = local.sagemaker.requests
    assert first.error == "ThrottlingException"
    assert second.at - first.at > 0.4


def test_a_stopping_notebook_is_started_once_it_has_stopped(local: LocalServices, names: list[str]) -> None:
    for name in names:
        local.sagemaker.set_status(name, "Stopped")
    events = run(*(event_of(name, status="Stopping", moved=False) for name in names))
    assert {event["status"] for event in events} == {"success"}
    assert len(local.sagemaker.requests_of("StartNotebookInstance")) == len(names)


def test_the_nth_wait_makes_no_client_and_no_thread(
    local: LocalServices, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ClientKey] = []
    connect = ClientKey.connect

    def counted(key: ClientKey) -> WorkspaceHook:
        made.append(key)
        return connect(key)

    monkeypatch.setattr(ClientKey, "connect", counted)

    async def threads() -> dict[str, Any]:
        # One request at a time needs one thread; a pool of more may start a second while the first comes to rest.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        await asyncio.sleep(2)
        first = threading.active_count()
        more = [asyncio.ensure_future(event_of(name)) for name in names[6:]]
        await asyncio.sleep(2)
        # The local SageMaker has a thread for each connection; it is in this process.
        assert threading.active_count() <= first
        await later(local, 0, names, "InService")
        await asyncio.gather(*more)
        return {}

    run(*(event_of(name) for name in names[:6]), threads())
    assert len(made) == 1


def test_a_poller_ends_a_moment_after_its_last_wait(local: LocalServices, names: list[str]) -> None:
    async def scenario() -> dict[str, Any]:
        waits = [asyncio.ensure_future(event_of(name, ShortPauses())) for name in names]
        await asyncio.sleep(1)
        (kept,) = registry._POLLERS[asyncio.get_running_loop()].values()
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        async with asyncio.timeout(30):
            while registry._POLLERS[asyncio.get_running_loop()]:
                await asyncio.sleep(0.05)
        assert kept.pending_waits.count == 0
        assert asyncio.all_tasks() <= {asyncio.current_task(), *running}
        return {}

    running: set[Any] = set()

    async def main() -> None:
        running.add(asyncio.current_task())
        await scenario()

    asyncio.run(main())
