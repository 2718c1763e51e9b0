"""What has to come of a task, whatever goes wrong on its way: a link in time, or an error that says why not."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_sagemaker_presign.exceptions import LinkDeliveryError, WorkspaceError
from tests.faults.simulation import Outcome, Simulation

MIN_VALIDITY = 240.0

UNDER_WAY = 20.0
"""Seconds for the one request that is under way when the deadline passes, and for the poller to see it."""


@dataclass(frozen=True)
class Link:
    """
    A link with enough life left, delivered once.

    :param starts: how many Starts AWS took for it.
    :param before: by which second.
    """

    starts: int = 1
    before: float = 3600.0

    def check(self, simulation: Simulation, outcome: Outcome) -> None:
        everything_holds(simulation, outcome)
        assert outcome.error is None, repr(outcome.error)
        assert outcome.receipt is not None
        (delivery,) = outcome.receipt["deliveries"]
        assert "failure" not in delivery
        (arrival,) = simulation.arrivals(outcome.name)
        assert simulation.validity_left(arrival) >= MIN_VALIDITY
        assert arrival.at < self.before
        assert simulation.starts(outcome.name) == self.starts


@dataclass(frozen=True)
class Error:
    """
    No link, and an error that names the notebook, the cause and what to do next.

    :param kind: its class.
    :param words: what its text has in it.
    :param starts: how many Starts AWS took all the same.
    :param before: by which second.
    """

    kind: type[Exception]
    words: str
    starts: int = 1
    before: float = 3600.0 + UNDER_WAY

    def check(self, simulation: Simulation, outcome: Outcome) -> None:
        everything_holds(simulation, outcome)
        assert outcome.receipt is None
        assert type(outcome.error) is self.kind, repr(outcome.error)
        assert self.words in str(outcome.error), str(outcome.error)
        assert simulation.arrivals(outcome.name) == []
        assert outcome.ended < self.before
        assert simulation.starts(outcome.name) == self.starts


def everything_holds(simulation: Simulation, outcome: Outcome) -> None:
    """Check what holds for each task that ended, whatever the script was."""
    assert simulation.leak_detector.lines
    assert simulation.leak_detector.leaks() == []
    assert len(str(simulation.leak_detector.stored)) < 20_000
    assert len(str(outcome.error)) < 3_000
    assert (outcome.receipt is None) != (outcome.error is None)
    if outcome.waited_until is not None:
        assert outcome.waited_until <= outcome.began + outcome.timeout + UNDER_WAY
    if outcome.error is not None:
        assert isinstance(outcome.error, (WorkspaceError, LinkDeliveryError)), repr(outcome.error)
        assert outcome.name in str(outcome.error)
        assert outcome.error.advice in str(outcome.error)
