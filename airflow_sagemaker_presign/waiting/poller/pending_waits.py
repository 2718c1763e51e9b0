"""The waits that one poller serves, and what they need next: decisions without side effects."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_sagemaker_presign.waiting.polling_schedule import poll_delay
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState, transition_overdue_at
from airflow_sagemaker_presign.workspaces.base import CAN_START, CAN_STOP, Observation, Phase, Workspace

NEVER = -math.inf

DESCRIBE_SHARE, LIST_SHARE = 0.5, 0.8
"""The share of ``poll_interval`` between two observations of a notebook instance, and between two incremental lists."""

LAST_OBSERVATION_SECONDS = 30.0
"""
Seconds in which a wait that comes after its deadline (the triggerer was away) still gets an observation; they begin
anew with each answer for others while its turn has not come, ...
"""

MAX_LAST_OBSERVATION_SECONDS = 240.0
"""... or while there is no client, but end so long after the deadline: five minutes after, Airflow ends the trigger."""

BEHIND_AFTER_SECONDS = 120.0
"""Seconds without an observation after which a wait needs a resync before an incremental list goes back for it."""

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class PendingWait:
    """
    One wait, and the trigger that is there for its end. Times are of the poller's clock, which never goes back.

    :param wait: what it knows.
    :param poll_interval: the operator's.
    :param future: what the trigger waits on.
    :param context: the trigger's, so that a line about this wait goes to its task's log.
    :param joined: when it came.
    :param known_until: the time up to which all changes are known to it.
    :param last_seen: when its notebook instance was last in an answer.
    :param described_at: when it was last asked about by itself.
    :param changed_at: what the last answer said.
    :param describe_only: whether it is to be described, so that no incremental list goes back for it.
    """

    wait: WaitState
    poll_interval: float
    future: asyncio.Future[WaitState]
    context: contextvars.Context
    joined: float
    known_until: float
    last_seen: float = NEVER
    described_at: float = NEVER
    changed_at: str = ""
    describe_only: bool = False

    @property
    def workspace(self) -> Workspace:
        """What is waited for."""
        return self.wait.workspace

    @property
    def name(self) -> str:
        """Its name: a poller serves one kind, so two waits with the same name wait for the same."""
        return self.wait.workspace.name

    @property
    def observed(self) -> bool:
        """Whether anybody looked since it came."""
        return self.known_until >= self.joined

    def is_behind(self, now: float) -> bool:
        """Return whether it takes more than the next incremental list to tell what happened to it."""
        return now - self.known_until > max(BEHIND_AFTER_SECONDS, 2 * self.poll_interval)

    def mark_known_until(self, asked_at: float) -> None:
        """Record that all changes up to then are known."""
        self.known_until = max(self.known_until, asked_at)
        self.describe_only = False

    def is_newer(self, observation: Observation) -> bool:
        """Return whether a row of a list says more than is known; lists lag, and incremental lists overlap."""
        if observation.changed_at < self.changed_at:
            return False
        return (observation.status, observation.changed_at) != (self.wait.status, self.changed_at)

    def log_to_task(self, text: str, *values: object) -> None:
        """Write a line to the task's log."""
        self.context.run(log.info, text, *values)


class PendingWaits:
    """All waits of one poller, by notebook instance: two tasks may wait for the same one."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[PendingWait]] = {}
        self.count = 0

    def __iter__(self) -> Iterator[PendingWait]:
        for pending_waits in self._by_name.values():
            yield from pending_waits

    def of(self, name: str) -> Sequence[PendingWait]:
        """Find the waits for one notebook instance."""
        return tuple(self._by_name.get(name, ()))

    def add(self, pending_wait: PendingWait) -> None:
        """Let one come."""
        self._by_name.setdefault(pending_wait.name, []).append(pending_wait)
        self.count += 1

    def remove(self, pending_wait: PendingWait) -> None:
        """Let one go; it may be gone already."""
        name = pending_wait.name
        pending_waits = self._by_name.get(name, [])
        if pending_wait in pending_waits:
            pending_waits.remove(pending_wait)
            self.count -= 1
            if not pending_waits:
                del self._by_name[name]


@dataclass(slots=True)
class Survey:
    """
    What all waits together need.

    :param poll_delay: seconds that may lie between two observations of all.
    :param wake_in: seconds until a deadline passes, or a status that stays means something new.
    :param overdue: whose deadline has passed.
    :param unmoved: names whose status should have changed by now, and no list says so: they have to be described.
    :param behind: who was told nothing for long, and is not to be described anyway.
    """

    poll_delay: float
    wake_in: float
    overdue: list[PendingWait]
    unmoved: list[str]
    behind: list[PendingWait]


def survey(
    pending_waits: PendingWaits, now: float, wall: float, share: float, *, listed: bool, answered: float
) -> Survey:
    """
    Survey all waits.

    :param pending_waits: the waits.
    :param now: the poller's clock.
    :param wall: the same moment in seconds since the epoch, as waits count.
    :param share: of a ``poll_interval``, between two observations in the usual range.
    :param listed: whether lists tell of changes; else each wait is described in turn.
    :param answered: when somebody last got an answer; now, while there is no client to ask with.
    """
    found = Survey(math.inf, math.inf, [], [], [])
    for pending_wait in pending_waits:
        wait = pending_wait.wait
        found.poll_delay = min(found.poll_delay, poll_delay(wait, pending_wait.poll_interval, wall, share))
        left = wait.deadline - wall
        if left <= 0 and not pending_wait.observed:
            left = _last_observation_until(pending_wait, answered, now + left) - now
        if left <= 0:
            found.overdue.append(pending_wait)
            continue
        found.wake_in = min(found.wake_in, left)
        if not pending_wait.describe_only and pending_wait.is_behind(now):
            found.behind.append(pending_wait)
        moved_by = transition_overdue_at(wait)
        if moved_by is None or pending_wait.last_seen - now >= moved_by - wall:
            continue
        if moved_by > wall:
            found.wake_in = min(found.wake_in, moved_by - wall)
        elif pending_wait.known_until >= (now - (wall - moved_by) if listed else pending_wait.joined):
            # An incremental list that began since then does not have it. Where none did yet, it would have most of
            # them.
            found.unmoved.append(pending_wait.name)
    return found


def _last_observation_until(pending_wait: PendingWait, answered: float, deadline: float) -> float:
    its_turn = (
        pending_wait.joined if pending_wait.described_at >= pending_wait.joined else max(pending_wait.joined, answered)
    )
    return min(
        its_turn + LAST_OBSERVATION_SECONDS,
        max(pending_wait.joined + LAST_OBSERVATION_SECONDS, deadline + MAX_LAST_OBSERVATION_SECONDS),
    )


def expected_status(wait: WaitState) -> str:
    """Return the status that a wait should find if its last Start or Stop took: nobody may have observed it since."""
    if wait.sends and not wait.moved:
        if wait.goal is Goal.READY and wait.phase in CAN_START:
            return _transient_status(wait, Phase.STARTING)
        if wait.goal is not Goal.READY and wait.phase in CAN_STOP:
            return _transient_status(wait, Phase.STOPPING)
    return wait.status


def _transient_status(wait: WaitState, phase: Phase) -> str:
    workspace = wait.workspace
    return next((each for each in workspace.transient_statuses if workspace.phase_of(each) is phase), wait.status)


def next_to_describe(pending_waits: PendingWaits, wall: float, share: float) -> tuple[str, float]:
    """
    Choose which to describe next, where each is described by itself.

    :return: the name, and when.
    """

    def at(pending_wait: PendingWait) -> float:
        return max(pending_wait.last_seen, pending_wait.described_at) + poll_delay(
            pending_wait.wait, pending_wait.poll_interval, wall, share
        )

    chosen = min(pending_waits, key=at)
    return chosen.name, at(chosen)
