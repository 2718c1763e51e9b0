"""The pending waits of one poller, and what they need next: decisions without side effects."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.waiting.polling_schedule import poll_delay
from airflow_sagemaker_presign.waiting.request_history import RequestHistory
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState, not_found, transition_overdue_at
from airflow_sagemaker_presign.workspaces.base import CAN_START, CAN_STOP, Observation, Phase, Workspace

NEVER = -math.inf

DESCRIBE_SHARE, LIST_SHARE = 0.5, 0.8
"""Which part of ``poll_interval`` passes between two descriptions of a workspace, or between two incremental lists."""

LAST_OBSERVATION_SECONDS = 30.0
"""
Seconds in which a wait that joins after its deadline (the triggerer was down) still gets one observation. They begin
anew with each response for other waits until the workspace is described, and while there is no client.
"""

MAX_LAST_OBSERVATION_SECONDS = 240.0
"""The upper bound of that time, in seconds after the deadline. Airflow ends the trigger after 300 s."""

STALE_AFTER_SECONDS = 120.0
"""Seconds without an observation after which a wait needs a resync before an incremental list reaches back to it."""

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class PendingWait:
    """
    A wait whose trigger awaits its end. All times are seconds on the poller's monotonic clock.

    :param wait: the state of the wait.
    :param poll_interval: the operator's ``poll_interval``, in seconds.
    :param future: the future that the trigger awaits.
    :param context: the trigger's context, so that log lines about this wait go to its task's log.
    :param joined: when the wait joined the poller.
    :param known_until: the time up to which all changes of the workspace are known.
    :param last_seen: when the last response that contained the workspace was requested.
    :param described_at: when the workspace was last described by a request of its own.
    :param changed_at: ``changed_at`` of the last observation.
    :param describe_only: whether the workspace will be described, so that no incremental list reaches back to it.
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
        """The workspace."""
        return self.wait.workspace

    @property
    def name(self) -> str:
        """The workspace's name; a poller serves one kind, so waits with the same name have the same workspace."""
        return self.wait.workspace.name

    @property
    def observed(self) -> bool:
        """Whether the workspace was observed since the wait joined."""
        return self.known_until >= self.joined

    def is_stale(self, now: float) -> bool:
        """Return whether its last observation is too old for the next incremental list to cover the gap."""
        return now - self.known_until > max(STALE_AFTER_SECONDS, 2 * self.poll_interval)

    def mark_known_until(self, requested_at: float) -> None:
        """Record that all changes up to ``requested_at`` are known."""
        self.known_until = max(self.known_until, requested_at)
        self.describe_only = False

    def is_newer(self, observation: Observation) -> bool:
        """Return whether a row of a list is newer than the last observation: lists lag and overlap."""
        if observation.changed_at < self.changed_at:
            return False
        return (observation.status, observation.changed_at) != (self.wait.status, self.changed_at)

    def log_to_task(self, text: str, *values: object) -> None:
        """Write a line to the task's log."""
        self.context.run(log.info, text, *values)

    def succeed(self, wait: WaitState) -> None:
        """End the wait with its final state."""
        if not self.future.done():
            self.future.set_result(wait)

    def fail(self, error: Exception) -> None:
        """End the wait with an error, unless a workspace that was to stop is gone."""
        # A copy for each wait, since raising an error adds a traceback to it.
        ended: Exception | None = error.about(self.workspace) if isinstance(error, WorkspaceError) else copy.copy(error)
        if isinstance(ended, self.workspace.errors.not_found):
            ended = not_found(self.wait, ended)
        if ended is None:
            self.succeed(self.wait)
        elif not self.future.done():
            self.future.set_exception(ended)


class PendingWaits:
    """The waits of one poller, by workspace name: several tasks may wait for the same workspace."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[PendingWait]] = {}
        self.count = 0

    def __iter__(self) -> Iterator[PendingWait]:
        for pending_waits in self._by_name.values():
            yield from pending_waits

    def of(self, name: str) -> Sequence[PendingWait]:
        """Return the waits for one workspace."""
        return tuple(self._by_name.get(name, ()))

    def add(self, pending_wait: PendingWait) -> None:
        """Add a wait."""
        self._by_name.setdefault(pending_wait.name, []).append(pending_wait)
        self.count += 1

    def remove(self, pending_wait: PendingWait) -> None:
        """Remove a wait, if it is there."""
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
    The combined needs of all pending waits.

    :param poll_delay: seconds that may pass between two observations of all workspaces.
    :param wake_in: seconds until the next deadline, or until an unchanged status means that a request was lost.
    :param overdue: waits whose deadline has passed.
    :param unmoved: names of workspaces whose status should have changed by now, which no list shows: describe them.
    :param stale_waits: waits without a recent observation whose workspace is not going to be described anyway.
    """

    poll_delay: float
    wake_in: float
    overdue: list[PendingWait]
    unmoved: list[str]
    stale_waits: list[PendingWait]


def survey(
    pending_waits: PendingWaits, now: float, wall: float, share: float, *, listed: bool, responded: float
) -> Survey:
    """
    Survey all waits.

    :param pending_waits: the waits.
    :param now: the time on the poller's monotonic clock, in seconds.
    :param wall: the same moment in seconds since the epoch, as in the state of a wait.
    :param share: which part of ``poll_interval`` normally passes between two observations.
    :param listed: whether lists report changes; otherwise each workspace is described in turn.
    :param responded: when AWS last responded to any request; the present while there is no client.
    """
    found = Survey(math.inf, math.inf, [], [], [])
    for pending_wait in pending_waits:
        wait = pending_wait.wait
        found.poll_delay = min(found.poll_delay, poll_delay(wait, pending_wait.poll_interval, wall, share))
        left = wait.deadline - wall
        if left <= 0 and not pending_wait.observed:
            left = _last_observation_until(pending_wait, responded, now + left) - now
        if left <= 0:
            found.overdue.append(pending_wait)
            continue
        found.wake_in = min(found.wake_in, left)
        if not pending_wait.describe_only and pending_wait.is_stale(now):
            found.stale_waits.append(pending_wait)
        moved_by = transition_overdue_at(wait)
        if moved_by is None or pending_wait.last_seen - now >= moved_by - wall:
            continue
        if moved_by > wall:
            found.wake_in = min(found.wake_in, moved_by - wall)
        elif pending_wait.known_until >= (now - (wall - moved_by) if listed else pending_wait.joined):
            # An incremental list that began since then does not contain it. Where none has begun yet, the next one
            # will report most workspaces, and they need no description.
            found.unmoved.append(pending_wait.name)
    return found


def _last_observation_until(pending_wait: PendingWait, responded: float, deadline: float) -> float:
    window_start = (
        pending_wait.joined if pending_wait.described_at >= pending_wait.joined else max(pending_wait.joined, responded)
    )
    return min(
        window_start + LAST_OBSERVATION_SECONDS,
        max(pending_wait.joined + LAST_OBSERVATION_SECONDS, deadline + MAX_LAST_OBSERVATION_SECONDS),
    )


def expected_status(wait: WaitState) -> str:
    """Return the status to expect if the last Start or Stop took effect: it may not have been observed yet."""
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
    """Return the name of the workspace to describe next, for a poller that does not list, and when."""

    def at(pending_wait: PendingWait) -> float:
        return max(pending_wait.last_seen, pending_wait.described_at) + poll_delay(
            pending_wait.wait, pending_wait.poll_interval, wall, share
        )

    chosen = min(pending_waits, key=at)
    return chosen.name, at(chosen)


def due_errors(
    pending_waits: PendingWaits, overdue: Iterable[PendingWait], history: RequestHistory, now: float, wall: float
) -> Mapping[PendingWait, WorkspaceError]:
    """Return the error of each wait that is overdue, or whose time for a first response is over."""
    errors: dict[PendingWait, WorkspaceError] = {}
    if history.first_response.problem is not None:
        for pending_wait in pending_waits:
            error = history.first_response.given_up(now, pending_wait.joined)
            if error is not None and not pending_wait.wait.status:
                errors[pending_wait] = error
    for pending_wait in overdue:
        try:
            pending_wait.wait.check_deadline(wall, history.outage_log.problem, history.outage_log.advice)
        except WorkspaceError as error:
            errors[pending_wait] = error
    return errors
