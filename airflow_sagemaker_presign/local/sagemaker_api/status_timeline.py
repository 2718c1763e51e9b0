"""The status of a notebook instance at any time, as a list of transitions without timers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

GONE = "(gone)"
"""Not a status of AWS's: the notebook instance is deleted by then."""


@dataclass(frozen=True)
class Transition:
    """From ``at`` on, the notebook instance has this status."""

    at: datetime
    status: str
    failure_reason: str | None = None


@dataclass(frozen=True)
class NotebookState:
    """
    The state of a notebook instance at one moment.

    :param status: its status.
    :param instance_id: distinguishes it from an earlier one of the same name.
    :param period: distinguishes this period of its status from an earlier one of the same status.
    """

    status: str
    instance_id: str
    period: int


def current(transitions: Sequence[Transition], now: datetime) -> Transition:
    """
    Return the transition that applies at ``now``.

    :param transitions: in the order of time; the first one always holds, even when the clock is before it.
    :param now: the moment.
    """
    begun = [transition for transition in transitions if transition.at <= now]
    return begun[-1] if begun else transitions[0]


@dataclass
class Timeline:
    """
    The past and the planned future of one notebook instance.

    :param start_seconds: from Pending to InService.
    :param stop_seconds: from Stopping to Stopped, and from Deleting to gone.
    """

    start_seconds: float
    stop_seconds: float
    transitions: list[Transition] = field(default_factory=list)
    instance_id: str = field(default_factory=lambda: secrets.token_hex(8))

    def state(self, now: datetime) -> NotebookState:
        """Return the state of the notebook instance at ``now``."""
        begun = [transition for transition in self.transitions if transition.at <= now] or self.transitions[:1]
        # Setting the current status again does not begin a new period.
        period = sum(before.status != after.status for before, after in pairwise(begun))
        return NotebookState(begun[-1].status, self.instance_id, period)

    def at(self, now: datetime) -> Transition:
        """Return the transition that applies at ``now``."""
        return current(self.transitions, now)

    def plan(self, now: datetime, *transitions: Transition) -> None:
        """Replace what was to come after ``now`` with these transitions."""
        past = [transition for transition in self.transitions if transition.at <= now]
        self.transitions = [*past, *transitions]
