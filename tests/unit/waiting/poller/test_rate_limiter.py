from __future__ import annotations

import random

import pytest

from airflow_sagemaker_presign.exceptions import SageMakerUnavailable
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RequestBudget
from airflow_sagemaker_presign.waiting.outage_log import Trouble


@pytest.fixture
def budget() -> RequestBudget:
    return RequestBudget(5, random.Random(1))


def send_for(budget: RequestBudget, seconds: float, now: float = 0.0) -> list[float]:
    """Send as much as the budget lets through, each at once when it may."""
    sent = []
    end = now + seconds
    while (now := budget.ready_at(now)) < end:
        budget.take(now)
        sent.append(now)
    return sent


def test_no_second_sees_more_than_twice_the_limit_and_a_minute_no_more_than_the_limit(budget: RequestBudget) -> None:
    sent = send_for(budget, 60)
    assert max(sum(at <= other < at + 1 for other in sent) for at in sent) <= 10
    assert len(sent) <= 5 * 60 + 5


def test_throttling_halves_the_rate_and_answers_bring_it_back(budget: RequestBudget) -> None:
    budget.failed(0, throttled=True)
    assert budget.rate == 2.5
    for _ in range(100):
        budget.answered()
    assert budget.rate == 5


def test_other_trouble_pauses_and_leaves_the_rate(budget: RequestBudget) -> None:
    budget.failed(0, throttled=False)
    assert budget.rate == 5
    assert budget.ready_at(0) >= 0.5


def test_pauses_double_up_to_a_minute(budget: RequestBudget) -> None:
    pauses = []
    for _ in range(12):
        budget.failed(0, throttled=True)
        pauses.append(budget.ready_at(0))
    assert pauses[0] <= 1
    assert all(30 <= pause <= 60 for pause in pauses[7:])
    assert budget.rate == 5 / 32


def test_a_slow_limit_still_sends() -> None:
    sent = send_for(RequestBudget(0.1, random.Random(1)), 100)
    assert 10 <= len(sent) <= 11


@pytest.mark.parametrize("per_second", [0, -1, float("nan")])
def test_a_budget_of_nothing_is_refused(per_second: float) -> None:
    with pytest.raises(ValueError, match="requests_per_second must be above 0"):
        RequestBudget(per_second, random.Random(1))


THROTTLED = SageMakerUnavailable("research", "Rate exceeded.")


def test_trouble_is_told_when_it_begins_and_when_it_is_over() -> None:
    trouble = Trouble()
    told = [trouble.began(THROTTLED, now) for now in (0.0, 1.0, 3.0, 7.0)]
    assert told == ["Rate exceeded. The wait goes on, with fewer requests.", None, None, None]
    assert [trouble.answered(now) for now in (8.0, 40.0, 68.0, 70.0)] == [None, None, "AWS answers again.", None]


def test_trouble_that_comes_and_goes_is_told_every_ten_minutes() -> None:
    trouble = Trouble()
    lines = []
    for second in range(3600):
        line = trouble.began(THROTTLED, second) if second % 200 < 5 else trouble.answered(second)
        lines += [line] if line else []
    assert 10 <= len(lines) <= 12
