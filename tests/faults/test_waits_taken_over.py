"""Waits that are old when they come to a poller: a triggerer was restarted, or another one died."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from tests.helpers.poller_account import Account, Waits

MINUTE = 60.0
AWAY = 5 * MINUTE


def names(count: int, prefix: str = "notebook") -> list[str]:
    return [f"{prefix}-{number:04}" for number in range(count)]


def unavailable(problem: str = "Airflow could not read the connection just now.") -> exceptions.SageMakerUnavailable:
    return exceptions.SageMakerUnavailable("*", problem)


def denied() -> exceptions.SageMakerAccessDenied:
    return exceptions.SageMakerAccessDenied("*", "AWS refused to list it: not authorized.")


def throttled() -> exceptions.SageMakerUnavailable:
    error = unavailable("AWS could not list it just now: Rate exceeded.")
    error.code = "ThrottlingException"
    return error


class Triggerer:
    """What the database has of the waits, and the account; each wait as it was when its task was deferred."""

    def __init__(self) -> None:
        self.account = Account()
        self.waits = Waits(self.account)

    def started(
        self, name: str, *statuses: tuple[float, str], age: float = AWAY, at: float = 0.0, **values: Any
    ) -> Any:
        """Take over a wait whose task sent a Start ``age`` seconds ago; a Start shows after a second."""
        began = self.account.clock.time() + at - age
        self.account.plan(name, (at - age - 1000, "Stopped"), *statuses)
        known = {"status": "Stopped", "moved": False, "sends": 1, "sent_at": began, "began_at": began}
        deadline = values.pop("deadline", began + 3600 + age)
        return self.waits.wait(name, at=at, **{**known, "deadline": deadline, **values})

    def on_its_way(self, name: str, until: float = 600.0, *, age: float = AWAY, at: float = 0.0, **values: Any) -> Any:
        """Take over one whose Start took."""
        return self.started(name, (at - age + 1, "Pending"), (until, "InService"), age=age, at=at, **values)

    def ended_well(self, name: str) -> bool:
        outcome = self.waits.outcomes[name]
        return isinstance(outcome, WaitState) and outcome.status == "InService"


@pytest.fixture
def triggerer() -> Triggerer:
    return Triggerer()


@pytest.mark.parametrize(
    ("count", "age"), [*((40, age) for age in (35, 60, 119, 121, 300, 3600)), *((1000, age) for age in (35, 300, 3600))]
)
def test_old_waits_cost_no_more_requests_than_new_ones(triggerer: Triggerer, count: int, age: float) -> None:
    triggerer.waits.run(*(triggerer.on_its_way(name, 300, age=age) for name in names(count)))
    account = triggerer.account
    assert all(triggerer.ended_well(name) for name in names(count))
    assert account.asked("describe") == account.asked("start") == 0
    assert max(account.per_minute(at, at + MINUTE) for at in range(10, 240, 5)) <= 30
    assert sum(at < 10 for at, _, _ in account.requests) <= 50
    assert max(triggerer.waits.ended_at.values()) < (306 if age < 600 else 336)


def test_five_thousand_old_waits_cost_no_more_requests_than_new_ones(triggerer: Triggerer) -> None:
    triggerer.waits.run(*(triggerer.on_its_way(name, 120) for name in names(5000)))
    account = triggerer.account
    assert all(triggerer.ended_well(name) for name in names(5000))
    assert account.asked("describe") == 0
    assert max(account.per_minute(at, at + MINUTE) for at in range(15, 55, 5)) <= 30


def test_old_and_new_waits_that_come_together_cost_no_more_than_new_ones(triggerer: Triggerer) -> None:
    old, new = names(500), names(500, "new")
    began = triggerer.account.clock.time()
    waits = [triggerer.on_its_way(name, 300) for name in old]
    waits += [triggerer.started(name, (4, "Pending"), (140, "InService"), age=0, began_at=began) for name in new]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in old + new)
    assert triggerer.account.asked("describe") == 0
    assert triggerer.account.per_minute(10, 130) <= 30
    assert max(triggerer.waits.ended_at[name] for name in new) < 146


def test_a_triggerer_that_takes_over_from_another_goes_on_with_its_own_waits(triggerer: Triggerer) -> None:
    own = {name: 90 + number * 0.1 for number, name in enumerate(names(300, "own"))}
    began = triggerer.account.clock.time()
    waits = [triggerer.started(n, (1, "Pending"), (at, "InService"), age=0, began_at=began) for n, at in own.items()]
    waits += [triggerer.on_its_way(name, 400, at=100, age=AWAY) for name in names(1000)]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in [*own, *names(1000)])
    assert max(triggerer.waits.ended_at[name] - at for name, at in own.items()) < 8
    # Those who left the list of Pending between two of its pages, and moved others from one to the other.
    assert triggerer.account.asked("describe") <= 5
    assert max(triggerer.account.per_minute(at, at + MINUTE) for at in range(110, 330, 5)) <= 30


def test_old_waits_that_come_one_after_another_are_not_caught_up_with_one_by_one(triggerer: Triggerer) -> None:
    waits = [triggerer.on_its_way(name, 300, at=number * 0.3) for number, name in enumerate(names(300))]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(300))
    assert max(triggerer.account.per_minute(at, at + MINUTE) for at in range(10, 230, 5)) <= 45


def test_each_gets_the_end_that_its_notebook_instance_has_come_to(triggerer: Triggerer) -> None:
    pending, ready = names(700, "pending"), names(250, "ready")
    failed, deaf, gone, stopped = names(15, "failed"), names(15, "deaf"), names(10, "gone"), names(10, "stopped")
    took = (-AWAY + 1, "Pending")
    waits = [triggerer.on_its_way(name) for name in pending]
    waits += [triggerer.started(name, took, (-30, "InService")) for name in ready]
    waits += [triggerer.started(name, took, (-30, "Failed")) for name in failed]
    waits += [triggerer.started(name) for name in deaf]
    waits += [triggerer.started(name, took, (-30, "gone")) for name in gone]
    waits += [triggerer.started(name, took, (-60, "Stopping"), (-30, "Stopped")) for name in stopped]
    triggerer.waits.run(*waits)
    ended = triggerer.waits.ended_at
    assert all(triggerer.ended_well(name) for name in pending + ready + deaf)
    assert max(ended[name] for name in ready) < 10
    assert {type(triggerer.waits.outcomes[name]) for name in failed} == {exceptions.NotebookInstanceFailed}
    assert {type(triggerer.waits.outcomes[name]) for name in gone} == {exceptions.NotebookInstanceDeleted}
    assert max(ended[name] for name in failed + gone) < 30
    # After a gap, a Start without effect and a Start followed by a manual stop cannot be distinguished.
    assert triggerer.account.asked("start") == len(deaf + stopped)
    assert triggerer.account.asked("start", until=30) == len(deaf + stopped)
    assert triggerer.account.asked("describe") <= len(failed + deaf + gone + stopped) + 5
    assert triggerer.account.per_minute(30, 540) <= 30


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12])
def test_a_few_old_waits_get_the_ends_that_their_notebook_instances_have_come_to(
    triggerer: Triggerer, count: int
) -> None:
    plans: list[tuple[tuple[float, str], ...]] = [
        ((-200, "Pending"), (100, "InService")),
        ((-200, "Pending"), (-30, "InService")),
        (),
        ((-200, "Pending"), (-30, "Failed")),
        ((-200, "Pending"), (-30, "gone")),
    ]
    triggerer.waits.run(*(triggerer.started(name, *plans[n % 5]) for n, name in enumerate(names(count))))
    right = ("WaitState", "WaitState", "WaitState", "NotebookInstanceFailed", "NotebookInstanceDeleted")
    outcomes = [type(triggerer.waits.outcomes[name]).__name__ for name in names(count)]
    assert outcomes == [right[n % 5] for n in range(count)]
    early = [name for n, name in enumerate(names(count)) if n % 5 in (1, 3, 4)]
    assert max((triggerer.waits.ended_at[name] for name in early), default=0) < 10
    assert triggerer.account.asked("start", until=12) == len(range(2, count, 5))


@pytest.mark.parametrize(("others", "age"), [(300, AWAY), (10_000, AWAY), (3000, 3600)])
def test_an_account_in_which_much_changed_meanwhile_is_not_read_from_end_to_end(
    triggerer: Triggerer, others: int, age: float
) -> None:
    """To describe a few takes less than to go back for them through what thousands of others did."""
    for number, name in enumerate(names(others, "other")):
        triggerer.account.plan(name, (-age + age * number / others, "InService"))
    waits = [triggerer.on_its_way(name, 150, age=age) for name in names(970)]
    ready = names(30, "ready")
    waits += [triggerer.started(name, (-age + 1, "Pending"), (-20, "InService"), age=age) for name in ready]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(970) + ready)
    assert max(triggerer.waits.ended_at[name] for name in ready) < 25
    assert len([at for at, _, _ in triggerer.account.requests if at < 60]) <= 10 + 30 + 30 + 30
    assert triggerer.account.per_minute(25, 145) <= 30


def test_a_thousand_changes_without_a_poller_are_found_in_seconds(triggerer: Triggerer) -> None:
    took = (-AWAY + 1, "Pending")
    triggerer.waits.run(*(triggerer.started(name, took, (-30, "InService")) for name in names(1000)))
    assert all(triggerer.ended_well(name) for name in names(1000))
    assert max(triggerer.waits.ended_at.values()) < 10
    assert triggerer.account.asked("describe") == 0


@pytest.mark.parametrize("count", [5, 500])
def test_a_start_that_never_takes_is_given_up_in_reasonable_time(triggerer: Triggerer, count: int) -> None:
    triggerer.account.deaf.add("deaf")
    triggerer.waits.run(triggerer.started("deaf"), *(triggerer.on_its_way(name, 300) for name in names(count)))
    assert isinstance(triggerer.waits.outcomes["deaf"], exceptions.NotebookInstanceStartNotTaken)
    assert triggerer.account.asked("start", until=15) == 1
    assert triggerer.waits.ended_at["deaf"] < 60


@pytest.mark.parametrize("poll_interval", [5, 60])
def test_starts_that_show_late_are_not_described_one_by_one(triggerer: Triggerer, poll_interval: float) -> None:
    """With a long interval no incremental list came since the change: the next one reports it."""
    waits = [
        triggerer.started(name, (3, "Pending"), (200, "InService"), age=0, poll_interval=poll_interval)
        for name in names(1000)
    ]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(1000))
    assert triggerer.account.asked("describe") == 0


def test_a_long_interval_alone_does_not_make_a_wait_old(triggerer: Triggerer) -> None:
    waits = [
        triggerer.started(name, (1, "Pending"), (330, "InService"), age=0, poll_interval=300) for name in names(2500)
    ]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(2500))
    assert triggerer.account.asked("describe") == 0
    assert triggerer.account.per_minute(60, 320) <= 14


@pytest.mark.parametrize("age", [0.0, 20.0, AWAY])
def test_throttling_right_after_a_takeover_describes_no_notebook(triggerer: Triggerer, age: float) -> None:
    account = triggerer.account
    account.refuse = lambda operation, name: throttled() if 1 < account.clock.monotonic() < 50 else None
    waits = [triggerer.started(name, (3 - age, "Pending"), (300, "InService"), age=age) for name in names(500)]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(500))
    assert account.asked("describe") == 0
    assert account.per_minute(120, 280) <= 30


@pytest.mark.parametrize("count", [2, 500])
def test_the_database_is_away_while_they_are_taken_over(triggerer: Triggerer, count: int) -> None:
    account = triggerer.account
    account.refuse = lambda operation, name: (
        unavailable() if operation == "connect" and account.clock.monotonic() < 90 else None
    )
    triggerer.waits.run(*(triggerer.on_its_way(name, 400) for name in names(count)))
    assert all(triggerer.ended_well(name) for name in names(count))
    connected = min(at for at, what, _ in account.requests if what != "connect")
    assert connected < 160
    if count > 2:
        assert account.asked("describe") == 0
        assert account.per_minute(connected + 10, 390) <= 30


def test_the_database_comes_and_goes_and_the_deadlines_pass_meanwhile(triggerer: Triggerer) -> None:
    """They get their last observation once the connection can be read."""
    account = triggerer.account
    account.refuse = lambda operation, name: (
        unavailable() if operation == "connect" and account.clock.monotonic() < 60 else None
    )
    deadline = account.clock.time() - 10
    waits = [triggerer.started(name, (-200, "Pending"), (-30, "InService"), deadline=deadline) for name in names(200)]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(200))


def test_the_deadline_ends_waits_while_the_database_is_unavailable(triggerer: Triggerer) -> None:
    triggerer.account.refuse = lambda operation, name: unavailable()
    deadline = triggerer.account.clock.time() - 10
    triggerer.waits.run(*(triggerer.on_its_way(name, deadline=deadline) for name in names(5)))
    assert {type(each) for each in triggerer.waits.outcomes.values()} == {exceptions.NotebookInstanceWaitTimeout}
    assert max(triggerer.waits.ended_at.values()) <= 4 * MINUTE + 1


@pytest.mark.parametrize("lists", ["allowed", "denied"])
@pytest.mark.parametrize("count", [3, 600])
def test_deadlines_that_passed_meanwhile_leave_everybody_a_last_observation(
    triggerer: Triggerer, count: int, lists: str
) -> None:
    account = triggerer.account
    if lists == "denied":
        account.refuse = lambda operation, name: denied() if operation in ("list", "resync") else None
    deadline = account.clock.time() - 60
    ready, slow = names(count // 3 * 2), names(count // 3, "slow")
    waits = [triggerer.started(n, (-200, "Pending"), (-30, "InService"), deadline=deadline) for n in ready]
    waits += [triggerer.on_its_way(name, deadline=deadline) for name in slow]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in ready)
    assert {type(triggerer.waits.outcomes[name]) for name in slow} == {exceptions.NotebookInstanceWaitTimeout}
    assert max(triggerer.waits.ended_at.values()) < (40 if lists == "allowed" else 4 * MINUTE + 1)


@pytest.mark.parametrize("count", [5, 20])
def test_old_waits_are_described_in_turn_over_the_interval_if_lists_are_denied(
    triggerer: Triggerer, count: int
) -> None:
    account = triggerer.account
    account.refuse = lambda operation, name: denied() if operation in ("list", "resync") else None
    triggerer.waits.run(*(triggerer.on_its_way(name, 100) for name in names(count)))
    assert all(triggerer.ended_well(name) for name in names(count))
    described = [at for at, what, _ in account.requests if what == "describe"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(described)]
    assert min(gaps[: count - 1]) > 0.9 * min(1 / 5, 4 / count)
    assert max(account.described().values()) - min(account.described().values()) <= 2


def test_a_thousand_old_waits_are_described_within_the_rate_limit_where_lists_are_denied(triggerer: Triggerer) -> None:
    account = triggerer.account
    account.refuse = lambda operation, name: denied() if operation in ("list", "resync") else None
    waits = [triggerer.started(n, (-200, "Pending"), (-30, "InService")) for n in names(1000)]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(1000))
    assert set(account.described().values()) == {1}
    assert account.busiest_second() <= 10
    assert max(triggerer.waits.ended_at.values()) < 215


@pytest.mark.parametrize("status", ["Stopping", "Updating", "InMaintenance"])
def test_those_who_had_to_stop_first_are_started_though_nobody_observed(triggerer: Triggerer, status: str) -> None:
    waits = [
        triggerer.started(name, (-280, status), (-100, "Stopped"), status=status, sends=0, sent_at=None)
        for name in names(60)
    ]
    triggerer.waits.run(*waits)
    assert all(triggerer.ended_well(name) for name in names(60))
    assert triggerer.account.asked("start") == 60
    assert triggerer.account.asked("start", until=25) == 60


def test_waits_for_stopped_are_taken_over_likewise(triggerer: Triggerer) -> None:
    began = triggerer.account.clock.time() - AWAY
    stop: dict[str, Any] = {
        "goal": Goal.STOPPED,
        "status": "InService",
        "sends": 1,
        "sent_at": began,
        "began_at": began,
    }
    waits = []
    for number, name in enumerate(names(600)):
        triggerer.account.plan(name, (-5000, "InService"), (-299, "Stopping"), (-60 + number * 0.3, "Stopped"))
        waits.append(triggerer.waits.wait(name, moved=False, deadline=began + 3600, **stop))
    triggerer.waits.run(*waits)
    assert {outcome.status for outcome in triggerer.waits.outcomes.values() if isinstance(outcome, WaitState)} == {
        "Stopped"
    }
    assert len(triggerer.waits.outcomes) == 600
    assert triggerer.account.asked("describe", until=60) == triggerer.account.asked("stop") == 0
    late = [triggerer.waits.ended_at[name] - max(0, -60 + n * 0.3) for n, name in enumerate(names(600))]
    assert max(late) < 8


def test_a_list_that_lags_during_a_takeover_loses_no_wait(triggerer: Triggerer) -> None:
    triggerer.account.lag = 4
    in_service = {name: -2 + number * 0.02 for number, name in enumerate(names(600))}
    triggerer.waits.run(*(triggerer.on_its_way(name, at) for name, at in in_service.items()))
    assert all(triggerer.ended_well(name) for name in in_service)
    assert max(triggerer.waits.ended_at[name] - max(0, at) for name, at in in_service.items()) < 16


@pytest.mark.parametrize("ahead", [-290, 290])
def test_clocks_apart_lose_nobody_who_was_taken_over(triggerer: Triggerer, ahead: float) -> None:
    triggerer.account.ahead = ahead
    in_service = {name: -20 + number * 0.1 for number, name in enumerate(names(600))}
    triggerer.waits.run(*(triggerer.on_its_way(name, at) for name, at in in_service.items()))
    assert all(triggerer.ended_well(name) for name in in_service)
    assert max(triggerer.waits.ended_at[name] - max(0, at) for name, at in in_service.items()) < 10


def test_a_reason_that_only_describe_knows_is_asked_for_once(
    triggerer: Triggerer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    waits = [triggerer.started(name, (-200, "Pending"), (-30, "Failed")) for name in names(100)]
    triggerer.waits.run(*waits)
    assert {type(each) for each in triggerer.waits.outcomes.values()} == {exceptions.NotebookInstanceFailed}
    assert set(triggerer.account.described().values()) == {1}
