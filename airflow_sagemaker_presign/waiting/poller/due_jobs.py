"""Which request a poller sends next: decisions without side effects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from airflow_sagemaker_presign.waiting.poller.list_sweep import ListSweep
from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER


class DueJob(NamedTuple):
    """A request, and when to send it, on the poller's monotonic clock, in seconds."""

    at: float
    run: Callable[[], Awaitable[None]]


def next_due(jobs: Sequence[DueJob], now: float) -> DueJob:
    """Return the first job that is due, of those the most urgent; if none is, the job that is due soonest."""
    return next((job for job in jobs if job.at <= now), min(jobs, key=lambda job: job.at))


def prioritize(list_sweep: ListSweep, immediate: Sequence[DueJob], now: float, poll_delay: float) -> list[DueJob]:
    """
    Order the requests of a poller that lists, the most urgent first.

    :param immediate: sends and describes that are due at once.
    :param poll_delay: seconds between two incremental lists.
    """
    incremental_list = DueJob(list_sweep.incremental_list_at(now, poll_delay), list_sweep.incremental_list)
    resync = DueJob(list_sweep.resync_at, list_sweep.resync)
    if not list_sweep.is_catching_up:
        return [incremental_list, *immediate, resync]
    if list_sweep.last_incremental_list == NEVER:
        # No earlier wait is delayed, and the resync's responses supply AWS's time for the incremental list.
        return [resync, incremental_list, *immediate]
    # Waits that joined earlier take precedence over new ones.
    return [incremental_list, resync, *immediate]
