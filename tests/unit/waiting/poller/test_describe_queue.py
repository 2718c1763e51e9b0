from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator

import pytest

from airflow_sagemaker_presign.waiting.poller.describe_queue import DescribeQueue
from airflow_sagemaker_presign.waiting.poller.pending_waits import PendingWait, PendingWaits
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance


@pytest.fixture
def pending_waits() -> Iterator[PendingWaits]:
    pending_waits, loop = PendingWaits(), asyncio.new_event_loop()
    for name in ("a", "b", "c"):
        wait = WaitState(NotebookInstance(name), Goal.READY, 0, 1)
        pending_waits.add(PendingWait(wait, 5, loop.create_future(), contextvars.Context(), joined=0, known_until=0))
    yield pending_waits
    loop.close()


def last_seen(pending_waits: PendingWaits, name: str, at: float) -> None:
    for pending_wait in pending_waits.of(name):
        pending_wait.last_seen = at


def test_names_come_out_in_the_order_in_which_they_came(pending_waits: PendingWaits) -> None:
    queue = DescribeQueue(pending_waits)
    queue.add(["b", "a"], 10)
    queue.add(["a", "c"], 11)
    order = []
    while name := queue.first():
        order.append(name)
        queue.remove(name)
    assert order == ["b", "a", "c"]


def test_a_workspace_that_a_list_reported_meanwhile_is_not_described(pending_waits: PendingWaits) -> None:
    queue = DescribeQueue(pending_waits)
    queue.add(["a", "b"], 10)
    last_seen(pending_waits, "a", 10)
    last_seen(pending_waits, "b", 9)
    assert queue.first() == "b"


def test_a_workspace_whose_reason_is_needed_is_described_even_if_listed(pending_waits: PendingWaits) -> None:
    queue = DescribeQueue(pending_waits)
    queue.require("a")
    queue.add(["a"], 10)
    last_seen(pending_waits, "a", 20)
    assert queue.first() == "a"


def test_a_failed_name_moves_to_the_end_and_one_without_waits_is_dropped(pending_waits: PendingWaits) -> None:
    queue = DescribeQueue(pending_waits)
    queue.add(["a", "gone", "b"], 10)
    queue.defer("a")
    assert queue.first() == "b"
    queue.remove("b")
    assert queue.first() == "a"
