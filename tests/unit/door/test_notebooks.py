from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_sagemaker_presign.door import notebooks
from airflow_sagemaker_presign.door.notebooks import Notebooks
from airflow_sagemaker_presign.door.rendered_task import RenderedTask

Make = Callable[..., RenderedTask]


CONNECTIONS: dict[str | None, str] = {}


class FakeHook:
    made: list[tuple[Any, ...]]

    def __init__(self, *view: Any) -> None:
        self.asked = 0
        self.made.append(view)

    def describe_notebook_instance(self, name: str) -> dict[str, Any]:
        self.asked += 1
        return {"NotebookInstanceName": name, "answer": self.asked}

    def start_notebook_instance(self, name: str) -> str:
        return "Pending"


@pytest.fixture(autouse=True)
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    FakeHook.made = []
    monkeypatch.setattr(notebooks, "_hook", FakeHook)
    monkeypatch.setattr(notebooks, "_connection", CONNECTIONS.get)
    return FakeHook.made


def test_one_hook_for_an_account_view(task: Make, hooks: list[tuple[Any, ...]]) -> None:
    door = Notebooks()
    for other in (task(), task(notebook_instance_name="other"), task(allowed_users=("ada",))):
        assert door.hook(other) is door.hook(task())
    assert door.hook(task(region_name="eu-west-1")) is not door.hook(task())
    assert door.hook(task(aws_conn_id=None)) is not door.hook(task())
    assert door.hook(task(verify=False)) is not door.hook(task(verify=None))
    assert len(hooks) == 4


def test_a_changed_connection_takes_effect_and_another_keeps_its_client(
    task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    door = Notebooks(monotonic=lambda: now)
    monkeypatch.setitem(CONNECTIONS, "aws_default", "as it was")
    first = door.hook(task())
    now = notebooks.CONNECTION_LIFE + 1.0
    assert door.hook(task()) is first
    monkeypatch.setitem(CONNECTIONS, "aws_default", "changed")
    assert door.hook(task()) is first
    now *= 2
    second = door.hook(task())
    assert second is not first
    assert door.hook(task()) is second


def test_all_who_come_at_once_have_one_client(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(8)
    monkeypatch.setattr(notebooks, "_connection", lambda _: (together.wait(), None)[1])
    door = Notebooks()
    with ThreadPoolExecutor(8) as pool:
        hooks = [future.result() for future in [pool.submit(door.hook, task()) for _ in range(8)]]
    assert len({id(hook) for hook in hooks}) == 1


def test_all_who_look_at_once_share_an_answer(task: Make) -> None:
    door = Notebooks()
    assert [door.describe(task())["answer"] for _ in range(3)] == [1, 1, 1]
    assert door.describe(task(notebook_instance_name="other"))["answer"] == 2
    assert door.describe(task(), afresh=True)["answer"] == 3
    assert door.describe(task())["answer"] == 3


def test_after_a_start_nobody_is_told_how_it_was_before(task: Make) -> None:
    door = Notebooks()
    door.describe(task())
    door.start(task())
    assert door.describe(task())["answer"] == 2


def test_the_connections_own_settings_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.undo()
    extra = {"region_name": "eu-west-1", "config_kwargs": {"read_timeout": 77}}
    connection = {"conn_type": "aws", "login": "a", "password": "b", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_DOOR_TEST", json.dumps(connection))
    client: Any = notebooks._hook("door_test", None, None).conn
    config = client.meta.config
    assert (config.read_timeout, config.connect_timeout) == (77, 5)
