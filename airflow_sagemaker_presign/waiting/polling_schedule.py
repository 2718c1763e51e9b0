"""How often a wait observes its notebook instance, in worker and triggerer alike: decisions without side effects."""

from __future__ import annotations

from airflow_sagemaker_presign.waiting.state_machine import WaitState

QUIET_START_SECONDS = 3.0
"""Nothing starts that quickly: until then, one observation per poll interval is plenty."""

TYPICAL_START_SECONDS = 600.0
"""Seconds within which most starts end; a wait polls twice per poll interval until then."""

LATE_POLL_SHARE = 1 / 120
MAX_LATE_POLL_SECONDS = 30.0
"""Seconds. What drags on is looked at after each 120th part of the time it has taken, but at least this often."""

MAX_BACKOFF_SECONDS = 60.0


def poll_delay(wait: WaitState, poll_interval: float, now: float, share: float = 0.5) -> float:
    """
    Return how many seconds may lie between two observations.

    A change in the usual range is noticed within ``poll_interval`` seconds. In its first seconds a start needs no
    hurry, and one that drags on has waited so long already that a few seconds more are few.

    :param wait: what the wait knows.
    :param poll_interval: the operator's ``poll_interval``, in seconds.
    :param now: seconds since the epoch.
    :param share: of ``poll_interval``, in the usual range.
    """
    age = now - wait.began_at
    if age < QUIET_START_SECONDS:
        return poll_interval
    if age < TYPICAL_START_SECONDS:
        return poll_interval * share
    return max(poll_interval, min(age * LATE_POLL_SHARE, MAX_LATE_POLL_SECONDS))


def next_poll_delay(wait: WaitState, poll_interval: float, now: float) -> float:
    """
    Return in how many seconds to look again, for a wait that polls by itself; failed requests slow it down to one a
    minute.

    :param wait: what the wait knows.
    :param poll_interval: the operator's ``poll_interval``, in seconds.
    :param now: seconds since the epoch.
    """
    if wait.failed_requests:
        pause: float = min(poll_interval * 2**wait.failed_requests, max(poll_interval, MAX_BACKOFF_SECONDS))
    else:
        pause = poll_delay(wait, poll_interval, now)
    return max(0.0, min(pause, wait.deadline - now))
