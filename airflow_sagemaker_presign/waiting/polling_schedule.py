"""The polling schedule of a wait, in worker and triggerer alike: decisions without side effects."""

from __future__ import annotations

from airflow_sagemaker_presign.waiting.state_machine import WaitState

QUIET_START_SECONDS = 3.0
"""The minimum duration of a start, in seconds: until then, one observation per poll interval is enough."""

TYPICAL_START_SECONDS = 600.0
"""Seconds within which most starts finish; until then, a wait polls twice per poll interval."""

LATE_POLL_SHARE = 1 / 120
MAX_LATE_POLL_SECONDS = 30.0
"""A long wait polls after each 120th part of the time that it has taken so far, but at least this often (seconds)."""

MAX_BACKOFF_SECONDS = 60.0


def poll_delay(wait: WaitState, poll_interval: float, now: float, share: float = 0.5) -> float:
    """
    Return how many seconds may pass between two observations.

    A change within the typical time of a start is noticed within ``poll_interval`` seconds. Polling is slower in the
    first seconds, when no start can be finished, and after a long wait, when a few more seconds hardly matter.

    :param share: which part of ``poll_interval`` normally passes between two observations.
    """
    age = now - wait.began_at
    if age < QUIET_START_SECONDS:
        return poll_interval
    if age < TYPICAL_START_SECONDS:
        return poll_interval * share
    return max(poll_interval, min(age * LATE_POLL_SHARE, MAX_LATE_POLL_SECONDS))


def next_poll_delay(wait: WaitState, poll_interval: float, now: float) -> float:
    """Return the seconds until the next observation of a wait in the worker; failures slow it to one a minute."""
    if wait.failed_requests:
        pause: float = min(poll_interval * 2**wait.failed_requests, max(poll_interval, MAX_BACKOFF_SECONDS))
    else:
        pause = poll_delay(wait, poll_interval, now)
    return max(0.0, min(pause, wait.deadline - now))
