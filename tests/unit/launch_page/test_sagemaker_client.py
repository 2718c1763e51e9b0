from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.exceptions import (
    SageMakerAccessDenied,
    SageMakerUnavailable,
    WorkspaceError,
)
from airflow_sagemaker_presign.launch_page import aws_identity, sagemaker_client
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from airflow_sagemaker_presign.launch_page.sagemaker_client import SageMakerClient
from airflow_sagemaker_presign.workspaces.base import Workspace
from tests.helpers.until import until

Make = Callable[..., RenderedTask]

CONNECTIONS: dict[str | None, str] = {}


class Aws:
    """AWS, as the launch page's hooks find it."""

    def __init__(self) -> None:
        self.hooks: list[tuple[Any, ...]] = []
        self.asked: list[str] = []
        self.started: list[str] = []
        self.status: dict[str, str] = {}
        self.error: WorkspaceError | None = None
        self.answers = threading.Event()
        self.answers.set()

    def hook(self, connection: Any, task: RenderedTask) -> Any:
        self.hooks.append((connection, task.region_name, task.verify))
        return SimpleNamespace(describe=self.describe, start=self.start)

    def describe(self, workspace: Workspace) -> dict[str, Any]:
        name = workspace.name
        self.asked.append(name)
        assert self.answers.wait(30)
        if self.error is not None:
            raise self.error
        status = self.status.get(name, "InService")
        return {"NotebookInstanceName": name, "NotebookInstanceStatus": status, "answer": len(self.asked)}

    def start(self, workspace: Workspace) -> bool:
        self.started.append(workspace.name)
        self.status[workspace.name] = "Pending"
        return True


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    aws = Aws()
    monkeypatch.setattr(sagemaker_client, "_hook", aws.hook)
    monkeypatch.setattr(sagemaker_client, "_relevant_settings", lambda connection: connection)
    monkeypatch.setattr(aws_identity, "find_connection", lambda conn_id, team, notebook: CONNECTIONS.get(conn_id))
    yield aws
    aws.answers.set()


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=100.0)


@pytest.fixture
def launch_page(clock: SimpleNamespace) -> SageMakerClient:
    return SageMakerClient(monotonic=lambda: clock.now)


def test_one_hook_for_each_client_key(launch_page: SageMakerClient, task: Make, aws: Aws) -> None:
    for other in (task(), task(name="other"), task(allowed_users=("ada",))):
        assert launch_page.hook(other) is launch_page.hook(task())
    assert launch_page.hook(task(region_name="eu-west-1")) is not launch_page.hook(task())
    assert launch_page.hook(task(aws_conn_id=None)) is not launch_page.hook(task())
    assert launch_page.hook(task(verify=False)) is not launch_page.hook(task(verify=None))
    assert launch_page.hook(task(team_name="red")) is not launch_page.hook(task())
    assert len(aws.hooks) == 5


def test_a_changed_connection_takes_effect_and_another_keeps_its_client(
    launch_page: SageMakerClient, clock: SimpleNamespace, task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONNECTIONS, "aws_default", "as it was")
    first = launch_page.hook(task())
    clock.now += sagemaker_client.CONNECTION_CACHE_SECONDS + 1.0
    assert launch_page.hook(task()) is first
    monkeypatch.setitem(CONNECTIONS, "aws_default", "changed")
    assert launch_page.hook(task()) is first
    clock.now += sagemaker_client.CONNECTION_CACHE_SECONDS + 1.0
    second = launch_page.hook(task())
    assert second is not first
    assert launch_page.hook(task()) is second


def test_concurrent_requests_share_one_client(task: Make, aws: Aws) -> None:
    together = threading.Barrier(8)
    launch_page = SageMakerClient()

    def hook() -> Any:
        together.wait(30)
        return launch_page.hook(task())

    with ThreadPoolExecutor(8) as pool:
        hooks = [future.result() for future in [pool.submit(hook) for _ in range(8)]]
    assert len({id(hook) for hook in hooks}) == 1
    assert len(aws.hooks) == 1


def test_page_views_within_a_moment_share_a_response(
    launch_page: SageMakerClient, clock: SimpleNamespace, task: Make
) -> None:
    assert [launch_page.describe(task())["answer"] for _ in range(3)] == [1, 1, 1]
    assert launch_page.describe(task(name="other"))["answer"] == 2
    clock.now += 1
    assert launch_page.describe(task(), since=clock.now)["answer"] == 3
    assert launch_page.describe(task())["answer"] == 3
    clock.now += sagemaker_client.RESPONSE_CACHE_SECONDS
    assert launch_page.describe(task())["answer"] == 4


def test_concurrent_page_views_send_one_describe(task: Make, aws: Aws) -> None:
    """All come while the first still waits for its answer, those who press a button included."""
    aws.answers.clear()
    launch_page = SageMakerClient()
    with ThreadPoolExecutor(40) as pool:
        first = pool.submit(launch_page.describe, task())
        until(lambda: aws.asked == ["research"])
        others = [pool.submit(launch_page.describe, task()) for _ in range(38)]
        another = pool.submit(launch_page.describe, task(name="other"))
        until(lambda: "other" in aws.asked)
        aws.answers.set()
        assert {future.result(30)["answer"] for future in (first, *others)} <= {1, 2}
        assert another.result(30)["NotebookInstanceName"] == "other"
    assert sorted(aws.asked) == ["other", "research"]


def test_a_click_does_not_reuse_a_request_sent_before_it(task: Make, aws: Aws) -> None:
    aws.answers.clear()
    launch_page = SageMakerClient()
    with ThreadPoolExecutor(30) as pool:
        before = pool.submit(launch_page.describe, task())
        until(lambda: aws.asked == ["research"])
        pressed_at = launch_page.now()
        pressed = [pool.submit(launch_page.describe, task(), since=pressed_at) for _ in range(20)]
        aws.answers.set()
        answers = {future.result(30)["answer"] for future in pressed}
    assert before.result()["answer"] == 1
    # One more for all of them.
    assert answers == {2}
    assert len(aws.asked) == 2


def test_a_failure_is_remembered_for_a_moment(
    launch_page: SageMakerClient, clock: SimpleNamespace, task: Make, aws: Aws
) -> None:
    aws.error = SageMakerAccessDenied("research", "AWS refused.")
    for since in (None, clock.now, None):
        with pytest.raises(SageMakerAccessDenied):
            launch_page.describe(task(), since=since)
    assert aws.asked == ["research"]
    # Refused for this one only.
    with pytest.raises(SageMakerAccessDenied):
        launch_page.describe(task(name="other"))
    assert aws.asked == ["research", "other"]
    clock.now += sagemaker_client.ERROR_CACHE_SECONDS
    aws.error = None
    assert launch_page.describe(task())["NotebookInstanceStatus"] == "InService"


def test_an_unresponsive_endpoint_does_not_delay_the_next_notebook(
    launch_page: SageMakerClient, clock: SimpleNamespace, task: Make, aws: Aws
) -> None:
    aws.error = SageMakerUnavailable("research", "AWS could not describe it just now: timed out.")
    for name in ("research", "other", "third"):
        with pytest.raises(SageMakerUnavailable):
            launch_page.describe(task(name=name))
    assert aws.asked == ["research"]
    aws.error = None
    # Over another connection everything is as always.
    assert launch_page.describe(task(aws_conn_id="aws_other"))["NotebookInstanceStatus"] == "InService"
    clock.now += sagemaker_client.ERROR_CACHE_SECONDS
    assert launch_page.describe(task())["NotebookInstanceStatus"] == "InService"


def test_a_throttled_describe_is_of_one_notebook(launch_page: SageMakerClient, task: Make, aws: Aws) -> None:
    aws.error = SageMakerUnavailable("research", "AWS could not describe it just now: slow down.")
    aws.error.code = "ThrottlingException"
    with pytest.raises(SageMakerUnavailable):
        launch_page.describe(task())
    aws.error = None
    assert launch_page.describe(task(name="other"))["NotebookInstanceStatus"] == "InService"


def test_after_a_start_no_earlier_description_is_returned(launch_page: SageMakerClient, task: Make, aws: Aws) -> None:
    aws.status["research"] = "Stopped"
    launch_page.describe(task())
    launch_page.start(task())
    assert launch_page.describe(task())["NotebookInstanceStatus"] == "Pending"


def test_a_describe_sent_before_a_start_is_discarded_even_if_it_returns_later(task: Make, aws: Aws) -> None:
    launch_page = SageMakerClient()
    aws.answers.clear()
    with ThreadPoolExecutor(2) as pool:
        describing = pool.submit(launch_page.describe, task())
        until(lambda: aws.asked == ["research"])
        starting = pool.submit(launch_page.start, task())
        until(lambda: aws.started == ["research"])
        aws.answers.set()
        describing.result(30)
        starting.result(30)
    launch_page.describe(task())
    assert len(aws.asked) == 2


def test_concurrent_starts_send_one_request(task: Make, aws: Aws) -> None:
    aws.status["research"] = "Stopped"
    launch_page = SageMakerClient()
    together = threading.Barrier(30)

    def press() -> None:
        together.wait(30)
        pressed_at = launch_page.now()
        with launch_page.hold_start_lock(task()):
            if launch_page.describe(task(), since=pressed_at)["NotebookInstanceStatus"] == "Stopped":
                launch_page.start(task())

    with ThreadPoolExecutor(30) as pool:
        for future in [pool.submit(press) for _ in range(30)]:
            future.result()
    assert aws.started == ["research"]


def test_no_lock_outlives_the_threads_that_need_it(launch_page: SageMakerClient, task: Make) -> None:
    with launch_page.hold_start_lock(task()):
        assert len(launch_page._locks) == 1
        launch_page.describe(task())
        launch_page.start(task())
    assert len(launch_page._locks) == 0


def test_the_connections_own_settings_come_first(monkeypatch: pytest.MonkeyPatch, task: Make) -> None:
    import json

    monkeypatch.undo()
    extra = {"region_name": "eu-west-1", "config_kwargs": {"read_timeout": 77}}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_PAGE_TEST", json.dumps(connection))
    client: Any = SageMakerClient().hook(task(aws_conn_id="page_test")).conn
    config = client.meta.config
    assert (config.read_timeout, config.connect_timeout) == (77, 5)
