"""Whatever waits come, however old, and whatever fails meanwhile: each ends as its notebook instance did, and soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings, strategies as st

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.waiting.state_machine import WaitState
from tests.helpers.poller_account import Account, Waits

SOON = 130.0
"""Seconds after the last event: a failed request is retried within a minute, and a resync comes each minute."""

ENDS: dict[str, type[object]] = {
    "is on its way": WaitState,
    "got there meanwhile": WaitState,
    "did not take its Start": WaitState,
    "failed meanwhile": exceptions.NotebookInstanceFailed,
    "is gone": exceptions.NotebookInstanceDeleted,
    "fails later": exceptions.NotebookInstanceFailed,
    "is deleted later": exceptions.NotebookInstanceDeleted,
}


@dataclass(frozen=True)
class Came:
    """A wait that comes to the poller, and what its notebook instance does."""

    course: str
    age: float
    at: float
    takes: float

    def plan(self, account: Account, name: str) -> None:
        sent, half = self.at - self.age, self.at - self.age / 2
        plans: dict[str, list[tuple[float, str]]] = {
            "is on its way": [(sent + 2, "Pending"), (self.at + self.takes, "InService")],
            "got there meanwhile": [(sent + 2, "Pending"), (max(half, sent + 3), "InService")],
            "did not take its Start": [],
            "failed meanwhile": [(sent + 2, "Pending"), (max(half, sent + 3), "Failed")],
            "is gone": [(sent + 2, "Pending"), (max(half, sent + 3), "gone")],
            "fails later": [(sent + 2, "Pending"), (self.at + self.takes, "Failed")],
            "is deleted later": [(sent + 2, "Pending"), (self.at + self.takes, "gone")],
        }
        account.plan(name, (sent - 1000, "Stopped"), *plans[self.course])

    def by(self, fault_ends: float) -> float:
        """Return by when it should have ended if AWS can be observed from then on."""
        if self.course == "did not take its Start":
            return max(self.at + max(0.0, 36 - self.age), fault_ends) + 120
        later = self.course in ("is on its way", "fails later", "is deleted later")
        return max(self.at + (self.takes if later else 3), fault_ends)


@dataclass(frozen=True)
class FaultWindow:
    """What fails from when until when."""

    what: str
    since: float
    seconds: float

    def refuses(self, operation: str, now: float) -> Exception | None:
        if not self.since <= now < self.since + self.seconds:
            return None
        if self.what == "lists are denied" and operation in ("list", "resync"):
            return exceptions.SageMakerAccessDenied("*", "AWS refused to list it: not authorized.")
        if self.what == "the database is away" and operation == "connect":
            return exceptions.SageMakerUnavailable("*", "Airflow could not read the connection just now.")
        if self.what == "AWS throttles" and operation != "connect":
            error = exceptions.SageMakerUnavailable("*", "AWS could not do it just now: Rate exceeded.")
            error.code = "ThrottlingException"
            return error
        return None


came = st.builds(
    Came,
    st.sampled_from(sorted(ENDS)),
    st.sampled_from([0.0, 20.0, 40.0, 115.0, 150.0, 300.0, 3000.0]),
    st.sampled_from([0.0, 0.0, 0.0, 0.3, 2.0, 40.0, 41.0]),
    st.sampled_from([8.0, 25.0, 200.0]),
)
fault_windows = st.builds(
    FaultWindow,
    st.sampled_from(["lists are denied", "the database is away", "AWS throttles"]),
    st.sampled_from([0.0, 1.0, 3.0, 45.0]),
    st.sampled_from([2.0, 30.0, 90.0]),
)


@settings(max_examples=40)
@given(
    many=st.lists(came, min_size=1, max_size=40),
    fault=st.none() | fault_windows,
    others=st.sampled_from([0, 0, 150, 1500]),
    ahead=st.sampled_from([0, 0, -200, 200]),
    lag=st.sampled_from([0, 0, 3]),
)
def test_each_wait_ends_as_its_notebook_instance_did_and_soon(
    many: list[Came], fault: FaultWindow | None, others: int, ahead: float, lag: float
) -> None:
    account = Account(ahead=ahead, lag=lag)
    if fault:
        account.refuse = lambda operation, name: fault.refuses(operation, account.clock.monotonic())
    waits = Waits(account)
    for number in range(others):
        account.plan(f"other-{number:04}", (-3000 + number * 2, "InService"))
    coming: list[Any] = []
    # Somebody waits until all have come: a poller without waits ends.
    many = [Came("is on its way", age=0, at=0, takes=60), *many]
    for number, each in enumerate(many):
        name = f"notebook-{number:02}"
        each.plan(account, name)
        began = account.clock.time() + each.at - each.age
        known: dict[str, Any] = {"status": "Stopped", "moved": False, "sends": 1, "sent_at": began, "began_at": began}
        coming.append(waits.wait(name, at=each.at, deadline=began + 7200, **known))
    waits.run(*coming)
    for number, each in enumerate(many):
        name = f"notebook-{number:02}"
        assert type(waits.outcomes[name]) is ENDS[each.course], (each, waits.outcomes[name])
        fault_ends = fault.since + fault.seconds if fault else 0.0
        assert waits.ended_at[name] < each.by(fault_ends) + SOON, each
    starts = [at for at, what, _ in account.requests if what == "start"]
    taken = [at for at in starts if not (fault and fault.refuses("start", at))]
    assert len(taken) == sum(each.course == "did not take its Start" for each in many)
    assert account.busiest_second() <= 10
