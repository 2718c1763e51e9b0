from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.launch_page import aws_identity, sagemaker_client
from airflow_sagemaker_presign.launch_page.sagemaker_client import Notebooks
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from airflow_sagemaker_presign.exceptions import (
    NotebookInstanceAccessDenied,
    NotebookInstanceError,
    SageMakerUnavailable,
)

Make = Callable[..., RenderedTask]

CONNECTIONS: dict[str | None, str] = {}


class Aws:
    """AWS, as the door's hooks find it."""

    def __init__(self) -> None:
        self.hooks: list[tuple[Any, ...]] = []
        self.asked: list[str] = []
        self.started: list[str] = []
        self.status: dict[str, str] = {}
        self.error: NotebookInstanceError | None = None
        self.answers = threading.Event()
        self.answers.set()

    def hook(self, connection: Any, task: RenderedTask) -> Any:
        self.hooks.append((connection, task.region_name, task.verify))
        return SimpleNamespace(describe_notebook_instance=self.describe, start_notebook_instance=self.start)

    def describe(self, name: str) -> dict[str, Any]:
        self.asked.append(name)
        assert self.answers.wait(30)
        if self.error is not None:
            raise self.error
        status = self.status.get(name, "InService")
        return {"NotebookInstanceName": name, "NotebookInstanceStatus": status, "answer": len(self.asked)}

    def start(self, name: str) -> str:
        self.started.append(name)
        self.status[name] = "Pending"
        return "Pending"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    aws = Aws()
    monkeypatch.setattr(sagemaker_client, "_hook", aws.hook)
    monkeypatch.setattr(sagemaker_client, "_what_counts", lambda connection: connection)
    monkeypatch.setattr(aws_identity, "look_up", lambda conn_id, team, notebook: CONNECTIONS.get(conn_id))
    yield aws
    aws.answers.set()


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=100.0)


@pytest.fixture
def door(clock: SimpleNamespace) -> Notebooks:
    return Notebooks(monotonic=lambda: clock.now)


def test_one_hook_for_an_account_view(door: Notebooks, task: Make, aws: Aws) -> None:
    for other in (task(), task(notebook_instance_name="other"), task(allowed_users=("ada",))):
        assert door.hook(other) is door.hook(task())
    assert door.hook(task(region_name="eu-west-1")) is not door.hook(task())
    assert door.hook(task(aws_conn_id=None)) is not door.hook(task())
    assert door.hook(task(verify=False)) is not door.hook(task(verify=None))
    assert door.hook(task(team_name="red")) is not door.hook(task())
    assert len(aws.hooks) == 5


def test_a_changed_connection_takes_effect_and_another_keeps_its_client(
    door: Notebooks, clock: SimpleNamespace, task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONNECTIONS, "aws_default", "as it was")
    first = door.hook(task())
    clock.now += sagemaker_client.CONNECTION_LIFE + 1.0
    assert door.hook(task()) is first
    monkeypatch.setitem(CONNECTIONS, "aws_default", "changed")
    assert door.hook(task()) is first
    clock.now += sagemaker_client.CONNECTION_LIFE + 1.0
    second = door.hook(task())
    assert second is not first
    assert door.hook(task()) is second


def test_all_who_come_at_once_have_one_client(task: Make, aws: Aws) -> None:
    together = threading.Barrier(8)
    door = Notebooks()

    def hook() -> Any:
        together.wait(30)
        return door.hook(task())

    with ThreadPoolExecutor(8) as pool:
        hooks = [future.result() for future in [pool.submit(hook) for _ in range(8)]]
    assert len({id(hook) for hook in hooks}) == 1
    assert len(aws.hooks) == 1


def test_all_who_look_in_the_same_moment_share_an_answer(door: Notebooks, clock: SimpleNamespace, task: Make) -> None:
    assert [door.describe(task())["answer"] for _ in range(3)] == [1, 1, 1]
    assert door.describe(task(notebook_instance_name="other"))["answer"] == 2
    clock.now += 1
    assert door.describe(task(), since=clock.now)["answer"] == 3
    assert door.describe(task())["answer"] == 3
    clock.now += sagemaker_client.ANSWER_LIFE
    assert door.describe(task())["answer"] == 4


def test_all_who_look_at_once_send_one_describe(task: Make, aws: Aws) -> None:
    """All come while the first still waits for its answer, those who press a button included."""
    aws.answers.clear()
    door = Notebooks()
    with ThreadPoolExecutor(40) as pool:
        first = pool.submit(door.describe, task())
        until(lambda: aws.asked == ["research"])
        others = [pool.submit(door.describe, task()) for _ in range(38)]
        another = pool.submit(door.describe, task(notebook_instance_name="other"))
        until(lambda: "other" in aws.asked)
        aws.answers.set()
        assert {future.result(30)["answer"] for future in (first, *others)} <= {1, 2}
        assert another.result(30)["NotebookInstanceName"] == "other"
    assert sorted(aws.asked) == ["other", "research"]


def test_who_presses_a_button_does_not_take_what_was_asked_before(task: Make, aws: Aws) -> None:
    aws.answers.clear()
    door = Notebooks()
    with ThreadPoolExecutor(30) as pool:
        before = pool.submit(door.describe, task())
        until(lambda: aws.asked == ["research"])
        pressed_at = door.now()
        pressed = [pool.submit(door.describe, task(), since=pressed_at) for _ in range(20)]
        aws.answers.set()
        answers = {future.result(30)["answer"] for future in pressed}
    assert before.result()["answer"] == 1
    # One more for all of them.
    assert answers == {2}
    assert len(aws.asked) == 2


def test_a_failure_is_remembered_for_a_moment(door: Notebooks, clock: SimpleNamespace, task: Make, aws: Aws) -> None:
    aws.error = NotebookInstanceAccessDenied("research", "AWS refused.")
    for since in (None, clock.now, None):
        with pytest.raises(NotebookInstanceAccessDenied):
            door.describe(task(), since=since)
    assert aws.asked == ["research"]
    # Refused for this one only.
    with pytest.raises(NotebookInstanceAccessDenied):
        door.describe(task(notebook_instance_name="other"))
    assert aws.asked == ["research", "other"]
    clock.now += sagemaker_client.FAILURE_LIFE
    aws.error = None
    assert door.describe(task())["NotebookInstanceStatus"] == "InService"


def test_where_nothing_answers_the_next_notebook_does_not_wait_for_it_either(
    door: Notebooks, clock: SimpleNamespace, task: Make, aws: Aws
) -> None:
    aws.error = SageMakerUnavailable("research", "AWS could not describe it just now: timed out.")
    for name in ("research", "other", "third"):
        with pytest.raises(SageMakerUnavailable):
            door.describe(task(notebook_instance_name=name))
    assert aws.asked == ["research"]
    aws.error = None
    # Over another connection everything is as always.
    assert door.describe(task(aws_conn_id="aws_other"))["NotebookInstanceStatus"] == "InService"
    clock.now += sagemaker_client.FAILURE_LIFE
    assert door.describe(task())["NotebookInstanceStatus"] == "InService"


def test_a_throttled_describe_is_of_one_notebook(door: Notebooks, task: Make, aws: Aws) -> None:
    aws.error = SageMakerUnavailable("research", "AWS could not describe it just now: slow down.")
    aws.error.code = "ThrottlingException"
    with pytest.raises(SageMakerUnavailable):
        door.describe(task())
    aws.error = None
    assert door.describe(task(notebook_instance_name="other"))["NotebookInstanceStatus"] == "InService"


def test_after_a_start_nobody_is_told_how_it_was_before(door: Notebooks, task: Make, aws: Aws) -> None:
    aws.status["research"] = "Stopped"
    door.describe(task())
    door.start(task())
    assert door.describe(task())["NotebookInstanceStatus"] == "Pending"


def test_what_was_asked_before_a_start_is_forgotten_even_if_it_comes_after(task: Make, aws: Aws) -> None:
    door = Notebooks()
    aws.answers.clear()
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(door.describe, task())
        until(lambda: aws.asked == ["research"])
        starting = pool.submit(door.start, task())
        until(lambda: aws.started == ["research"])
        aws.answers.set()
        looking.result(30)
        starting.result(30)
    door.describe(task())
    assert len(aws.asked) == 2


def test_of_all_who_start_at_once_one_does(task: Make, aws: Aws) -> None:
    aws.status["research"] = "Stopped"
    door = Notebooks()
    together = threading.Barrier(30)

    def press() -> None:
        together.wait(30)
        pressed_at = door.now()
        with door.turn_to_start(task()):
            if door.describe(task(), since=pressed_at)["NotebookInstanceStatus"] == "Stopped":
                door.start(task())

    with ThreadPoolExecutor(30) as pool:
        for future in [pool.submit(press) for _ in range(30)]:
            future.result()
    assert aws.started == ["research"]


def test_the_connections_own_settings_come_first(monkeypatch: pytest.MonkeyPatch, task: Make) -> None:
    import json

    monkeypatch.undo()
    extra = {"region_name": "eu-west-1", "config_kwargs": {"read_timeout": 77}}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DOOR_TEST", json.dumps(connection))
    client: Any = Notebooks().hook(task(aws_conn_id="door_test")).conn
    config = client.meta.config
    assert (config.read_timeout, config.connect_timeout) == (77, 5)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
