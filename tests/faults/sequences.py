"""Any sequence of statuses, delays and faults, as hypothesis makes them up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.faults.faults import (
    answers,
    breaks,
    cut,
    denies,
    ends_early,
    html,
    loses_the_answer,
    never_answers,
    no_connection,
    no_route,
    resets,
    slow,
    throttles,
    without,
)
from tests.faults.recipients import FOR_EVER, Send
from tests.faults.simulation import Simulation
from tests.faults.transport import DESCRIBE, LIST, MINT, START
from tests.helpers.simulated_account import IN_SERVICE, PENDING, STOPPED, STOPPING, Steps

MAINTENANCE = ("Updating", "PendingMaintenance", "InMaintenance")
STATUSES = (PENDING, IN_SERVICE, STOPPING, STOPPED, "Failed", "Deleting", "gone", "Rebalancing", *MAINTENANCE)
FAULTS: dict[str, Callable[..., Any]] = {
    "throttles": throttles,
    "breaks": breaks(500),
    "denies": denies,
    "no_connection": no_connection,
    "no_route": no_route,
    "resets": resets,
    "never_answers": never_answers,
    "loses_the_answer": loses_the_answer,
    "cut": cut,
    "ends_early": ends_early,
    "html": html(200),
    "bad gateway": html(502),
    "empty": answers(),
    "wrong kinds": answers(NotebookInstanceStatus=7, NotebookInstances=[{}], AuthorizedUrl=["no"]),
    "no status": without("NotebookInstanceStatus"),
    "no time": without("LastModifiedTime"),
    "slow": slow(9),
}


@dataclass(frozen=True)
class FaultWindow:
    """A fault, from a second on, for so many seconds, of some operations."""

    fault: str
    since: float
    seconds: float
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Sequence:
    """One script, and the task that is to go through it."""

    deferrable: bool
    timeout: int
    poll_interval: int
    min_validity: int
    attempts: int
    require: str
    status: str
    becomes: Steps
    starts: tuple[Steps, ...]
    happens: Steps
    fault_windows: tuple[FaultWindow, ...]
    expires: tuple[int, int] | None
    away: tuple[int, int] | None
    kills: frozenset[int]
    back_after: int
    ahead: int
    others: int
    people: tuple[tuple[Send, ...], ...]

    def set(self, simulation: Simulation) -> None:
        """Apply it to the simulated Airflow."""
        simulation.account.ahead = self.ahead
        simulation.account.plan("research", self.status, *self.becomes, starts=self.starts)
        if self.happens:
            simulation.account.happens("research", *self.happens)
        for number, name in enumerate(self.names[1:]):
            if number % 2:
                simulation.account.plan(name, STOPPED)
            else:
                simulation.account.plan(name, PENDING, (60, IN_SERVICE))
        for window in self.fault_windows:
            until = window.since + window.seconds
            simulation.fault(FAULTS[window.fault], since=window.since, until=until, operations=window.operations)
        if self.expires:
            expired, renewed = self.expires
            simulation.account.keys = [(-1e9, expired, "KEY1"), (expired + renewed, 1e9, "KEY2")]
        if self.away:
            since, seconds = self.away
            simulation.database.away = [(since, since + seconds)]
        begins = self.others + self.others // 2
        """Requests of the other tasks, before there is a triggerer."""
        simulation.kill = lambda number: 0.03 if number - begins in self.kills else None
        simulation.back_after = self.back_after

    @property
    def names(self) -> tuple[str, ...]:
        """The notebook instances, the one that all this happens to first."""
        return ("research", *(f"other-{number}" for number in range(self.others)))

    def contains(self, *words: str) -> bool:
        """Return whether one of these statuses or faults occurs."""
        statuses = {self.status, *(status for _, status in (*self.becomes, *self.happens))}
        statuses |= {status for start in self.starts for _, status in start}
        return bool({*words} & {*statuses, *(window.fault for window in self.fault_windows)})


seconds = st.integers(0, 400) | st.integers(0, 5)


def steps(most: int) -> st.SearchStrategy[Steps]:
    """Statuses one after the other; often those of a start."""
    some = st.lists(st.tuples(seconds, st.sampled_from(STATUSES)), max_size=most)
    start = st.integers(1, 300).map(lambda at: [(0, PENDING), (at, IN_SERVICE)])
    return (some | start | start).map(lambda steps: tuple(sorted(steps, key=lambda step: step[0])))


def sends() -> st.SearchStrategy[Send]:
    """Sends; one that certainly failed reaches no recipient, as the notifier's error says."""
    takes = st.sampled_from([0.0, 0.0, 3.0, 30.0, 59.0, 61.0, 299.0, 400.0, FOR_EVER])
    well = st.builds(Send, takes)
    fails = st.builds(Send, takes, st.just(False), st.sampled_from([OSError, ValueError, ConnectionRefusedError]))
    unsure = st.builds(Send, takes, st.booleans(), st.sampled_from([TimeoutError, ConnectionResetError]))
    return well | fails | unsure


def fault_windows() -> st.SearchStrategy[FaultWindow]:
    """Faults of some operations, or of all."""
    every = (DESCRIBE, LIST, START, MINT)
    operations = st.just(every) | st.sampled_from(every).map(lambda one: (one,))
    lasting = st.integers(1, 200) | st.integers(1, 200) | st.just(10_000)
    return st.builds(FaultWindow, st.sampled_from(sorted(FAULTS)), seconds, lasting, operations)


def sequences() -> st.SearchStrategy[Sequence]:
    """Make up scripts."""
    return st.builds(
        Sequence,
        deferrable=st.booleans(),
        timeout=st.integers(60, 900).map(lambda timeout: 960 - timeout),
        poll_interval=st.sampled_from([30, 60]),
        min_validity=st.integers(1, 299),
        attempts=st.integers(1, 3),
        require=st.sampled_from(["all", "any"]),
        status=st.sampled_from([STOPPED, STOPPED, STOPPED, *STATUSES]),
        becomes=steps(3),
        starts=st.lists(steps(3), max_size=2).map(tuple),
        happens=st.just(()) | st.just(()) | steps(3),
        fault_windows=st.lists(fault_windows(), max_size=3).map(tuple),
        expires=st.none() | st.tuples(st.integers(1, 300), st.integers(0, 300)),
        away=st.none() | st.none() | st.tuples(st.integers(0, 300), st.integers(1, 120)),
        kills=st.frozensets(st.integers(2, 12), max_size=3),
        back_after=st.sampled_from([10, 10, 60]),
        ahead=st.sampled_from([0, 0, -299, 299]),
        others=st.sampled_from([0, 0, 0, 0, 3, 8]),
        people=st.lists(st.lists(sends(), max_size=3).map(tuple), min_size=1, max_size=2).map(tuple),
    )
