from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator

import pytest

from airflow_sagemaker_presign.waiting.state_machine import Goal, Wait
from airflow_sagemaker_presign.waiting.poller.describe_queue import DescribeQueue
from airflow_sagemaker_presign.waiting.poller.pending_waits import Waiter, Waiters


@pytest.fixture
def waiters() -> Iterator[Waiters]:
    waiters, loop = Waiters(), asyncio.new_event_loop()
    for name in ("a", "b", "c"):
        wait = Wait(name, Goal.IN_SERVICE, 0, 1)
        waiters.add(Waiter(wait, 5, loop.create_future(), contextvars.Context(), joined=0, known=0))
    yield waiters
    loop.close()


def heard(waiters: Waiters, name: str, at: float) -> None:
    for waiter in waiters.of(name):
        waiter.heard = at


def test_names_come_out_in_the_order_in_which_they_came(waiters: Waiters) -> None:
    queue = DescribeQueue(waiters)
    queue.add(["b", "a"], 10)
    queue.add(["a", "c"], 11)
    order = []
    while name := queue.first():
        order.append(name)
        queue.remove(name)
    assert order == ["b", "a", "c"]


def test_who_a_list_told_of_meanwhile_needs_no_describing(waiters: Waiters) -> None:
    queue = DescribeQueue(waiters)
    queue.add(["a", "b"], 10)
    heard(waiters, "a", 10)
    heard(waiters, "b", 9)
    assert queue.first() == "b"


def test_whose_reason_is_needed_is_described_whatever_a_list_tells(waiters: Waiters) -> None:
    queue = DescribeQueue(waiters)
    queue.insist("a")
    queue.add(["a"], 10)
    heard(waiters, "a", 20)
    assert queue.first() == "a"


def test_one_that_fails_goes_behind_the_others_and_one_nobody_waits_for_goes(waiters: Waiters) -> None:
    queue = DescribeQueue(waiters)
    queue.add(["a", "gone", "b"], 10)
    queue.defer("a")
    assert queue.first() == "b"
    queue.remove("b")
    assert queue.first() == "a"
