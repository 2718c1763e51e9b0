from __future__ import annotations

import random

import pytest

from airflow_sagemaker_presign.exceptions import SageMakerUnavailable
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RateLimiter
from airflow_sagemaker_presign.waiting.request_history import OutageLog


@pytest.fixture
def rate_limiter() -> RateLimiter:
    return RateLimiter(5, random.Random(1))


def send_for(rate_limiter: RateLimiter, seconds: float, now: float = 0.0) -> list[float]:
    """Send as much as the rate limiter lets through, each at once when it may."""
    sent = []
    end = now + seconds
    while (now := rate_limiter.ready_at(now)) < end:
        rate_limiter.take(now)
        sent.append(now)
    return sent


def test_no_second_sees_more_than_twice_the_limit_and_a_minute_no_more_than_the_limit(
    rate_limiter: RateLimiter,
) -> None:
    sent = send_for(rate_limiter, 60)
    assert max(sum(at <= other < at + 1 for other in sent) for at in sent) <= 10
    assert len(sent) <= 5 * 60 + 5


def test_throttling_halves_the_rate_and_successful_responses_restore_it(rate_limiter: RateLimiter) -> None:
    rate_limiter.failed(0, throttled=True)
    assert rate_limiter.rate == 2.5
    for _ in range(100):
        rate_limiter.record_response()
    assert rate_limiter.rate == 5


def test_other_failures_pauses_and_leaves_the_rate(rate_limiter: RateLimiter) -> None:
    rate_limiter.failed(0, throttled=False)
    assert rate_limiter.rate == 5
    assert rate_limiter.ready_at(0) >= 0.5


def test_pauses_double_up_to_a_minute(rate_limiter: RateLimiter) -> None:
    pauses = []
    for _ in range(12):
        rate_limiter.failed(0, throttled=True)
        pauses.append(rate_limiter.ready_at(0))
    assert pauses[0] <= 1
    assert all(30 <= pause <= 60 for pause in pauses[7:])
    assert rate_limiter.rate == 5 / 32


def test_a_slow_limit_still_sends() -> None:
    sent = send_for(RateLimiter(0.1, random.Random(1)), 100)
    assert 10 <= len(sent) <= 11


@pytest.mark.parametrize("per_second", [0, -1, float("nan")])
def test_a_rate_limit_must_be_above_zero(per_second: float) -> None:
    with pytest.raises(ValueError, match="requests_per_second must be above 0"):
        RateLimiter(per_second, random.Random(1))


THROTTLED = SageMakerUnavailable("research", "Rate exceeded.")


def test_outage_is_logged_when_it_begins_and_when_it_is_over() -> None:
    outage_log = OutageLog()
    lines = [outage_log.request_failed(THROTTLED, now) for now in (0.0, 1.0, 3.0, 7.0)]
    assert lines == ["Rate exceeded. The wait continues, with fewer requests.", None, None, None]
    assert [outage_log.request_succeeded(now) for now in (8.0, 40.0, 68.0, 70.0)] == [
        None,
        None,
        "AWS responds again.",
        None,
    ]


def test_outage_that_comes_and_goes_is_logged_every_ten_minutes() -> None:
    outage_log = OutageLog()
    lines = []
    for second in range(3600):
        line = (
            outage_log.request_failed(THROTTLED, second) if second % 200 < 5 else outage_log.request_succeeded(second)
        )
        lines += [line] if line else []
    assert 10 <= len(lines) <= 12
