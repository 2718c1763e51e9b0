"""The waits that one poller serves, and what they need next: decisions without side effects."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_sagemaker_presign.waiting.state_machine import (
    CAN_START,
    CAN_STOP,
    Goal,
    Look,
    Status,
    Wait,
    must_have_moved_at,
)
from airflow_sagemaker_presign.waiting.polling_schedule import pace

NEVER = -math.inf

BY_ITSELF, BY_SWEEP = 0.5, 0.8
"""The share of ``poll_interval`` between two looks at one notebook instance; between two sweeps, which have pages."""

LAST_LOOK = 30.0
"""
Seconds in which a wait that comes after its deadline (the triggerer was away) still gets a look; they begin anew with
each answer for others while its turn has not come, ...
"""

LONGEST_LAST_LOOK = 240.0
"""... or while there is no client, but end so long after the deadline: five minutes after, Airflow ends the trigger."""

OLD = 120.0
"""Seconds for which a wait was told nothing, after which no sweep goes back for it before a full look did not help."""

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Waiter:
    """
    One wait, and the trigger that is there for its end. Times are of the poller's clock, which never goes back.

    :param wait: what it knows.
    :param poll_interval: the operator's.
    :param future: what the trigger waits on.
    :param context: the trigger's, so that a line about this wait goes to its task's log.
    :param joined: when it came.
    :param known: from when on a change would be news to it; it was told of all before.
    :param heard: when its notebook instance was last in an answer.
    :param tried: when it was last asked about by itself.
    :param last_modified: what the last answer said.
    :param apart: whether it is to be described, so that no sweep goes back for it.
    """

    wait: Wait
    poll_interval: float
    future: asyncio.Future[Wait]
    context: contextvars.Context
    joined: float
    known: float
    heard: float = NEVER
    tried: float = NEVER
    last_modified: str = ""
    apart: bool = False

    @property
    def looked_at(self) -> bool:
        """Whether anybody looked since it came."""
        return self.known >= self.joined

    def is_behind(self, now: float) -> bool:
        """Tell whether it takes more than the next sweep to tell what happened to it."""
        return now - self.known > max(OLD, 2 * self.poll_interval)

    def told(self, asked_at: float) -> None:
        """Note that it knows all up to then."""
        self.known = max(self.known, asked_at)
        self.apart = False

    def is_news(self, look: Look) -> bool:
        """Tell whether a row of a list says more than is known; lists lag, and sweeps overlap."""
        if look.last_modified < self.last_modified:
            return False
        return (look.status, look.last_modified) != (self.wait.status, self.last_modified)

    def tell(self, text: str, *values: object) -> None:
        """Write a line into the task's log."""
        self.context.run(log.info, text, *values)


class Waiters:
    """All waits of one poller, by notebook instance: two tasks may wait for the same one."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[Waiter]] = {}
        self.count = 0

    def __iter__(self) -> Iterator[Waiter]:
        for waiters in self._by_name.values():
            yield from waiters

    def of(self, name: str) -> Sequence[Waiter]:
        """Find the waits for one notebook instance."""
        return tuple(self._by_name.get(name, ()))

    def add(self, waiter: Waiter) -> None:
        """Let one come."""
        self._by_name.setdefault(waiter.wait.notebook_instance_name, []).append(waiter)
        self.count += 1

    def remove(self, waiter: Waiter) -> None:
        """Let one go; it may be gone already."""
        name = waiter.wait.notebook_instance_name
        waiters = self._by_name.get(name, [])
        if waiter in waiters:
            waiters.remove(waiter)
            self.count -= 1
            if not waiters:
                del self._by_name[name]


@dataclass(slots=True)
class Survey:
    """
    What all waits together need.

    :param pace: seconds that may lie between two looks at all.
    :param wake_in: seconds until a deadline passes, or a status that stays means something new.
    :param overdue: whose deadline has passed.
    :param unmoved: names whose status should have changed by now, and no list says so: they have to be described.
    :param behind: who was told nothing for long, and is not to be described anyway.
    """

    pace: float
    wake_in: float
    overdue: list[Waiter]
    unmoved: list[str]
    behind: list[Waiter]


def survey(waiters: Waiters, now: float, wall: float, share: float, *, listed: bool, answered: float) -> Survey:
    """
    Look through all waits.

    :param waiters: the waits.
    :param now: the poller's clock.
    :param wall: the same moment in seconds since the epoch, as waits count.
    :param share: of a ``poll_interval``, between two looks in the usual range.
    :param listed: whether lists tell of changes; else each wait is described in turn.
    :param answered: when somebody last got an answer; now, while there is no client to ask with.
    """
    found = Survey(math.inf, math.inf, [], [], [])
    for waiter in waiters:
        wait = waiter.wait
        found.pace = min(found.pace, pace(wait, waiter.poll_interval, wall, share))
        left = wait.deadline - wall
        if left <= 0 and not waiter.looked_at:
            left = _last_look_until(waiter, answered, now + left) - now
        if left <= 0:
            found.overdue.append(waiter)
            continue
        found.wake_in = min(found.wake_in, left)
        if not waiter.apart and waiter.is_behind(now):
            found.behind.append(waiter)
        moved_by = must_have_moved_at(wait)
        if moved_by is None or waiter.heard - now >= moved_by - wall:
            continue
        if moved_by > wall:
            found.wake_in = min(found.wake_in, moved_by - wall)
        elif waiter.known >= (now - (wall - moved_by) if listed else waiter.joined):
            # A sweep that began since then does not have it. Where none did yet, it would have most of them.
            found.unmoved.append(wait.notebook_instance_name)
    return found


def _last_look_until(waiter: Waiter, answered: float, deadline: float) -> float:
    its_turn = waiter.joined if waiter.tried >= waiter.joined else max(waiter.joined, answered)
    return min(its_turn + LAST_LOOK, max(waiter.joined + LAST_LOOK, deadline + LONGEST_LAST_LOOK))


def status_by_now(wait: Wait) -> str:
    """Say which status a wait should find, if its last Start or Stop took: nobody may have looked since."""
    if wait.sends and not wait.moved:
        if wait.goal == Goal.IN_SERVICE and wait.status in CAN_START:
            return Status.PENDING
        if wait.goal != Goal.IN_SERVICE and wait.status in CAN_STOP:
            return Status.STOPPING
    return wait.status


def next_to_describe(waiters: Waiters, wall: float, share: float) -> tuple[str, float]:
    """
    Choose whom to look at next, where each is looked at by itself.

    :return: the name, and when.
    """

    def at(waiter: Waiter) -> float:
        return max(waiter.heard, waiter.tried) + pace(waiter.wait, waiter.poll_interval, wall, share)

    chosen = min(waiters, key=at)
    return chosen.wait.notebook_instance_name, at(chosen)
