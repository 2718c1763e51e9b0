from __future__ import annotations

import asyncio
import contextvars
import logging
import statistics
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.poller_account import Account, Waits

REASON = "Insufficient notebook instance capacity. Retry later or with a different instance type."


def throttled(name: str = "*") -> exceptions.SageMakerUnavailable:
    error = exceptions.SageMakerUnavailable(name, "AWS could not list it just now: Rate exceeded.")
    error.code = "ThrottlingException"
    return error


def denied(code: str = "AccessDeniedException") -> exceptions.SageMakerAccessDenied:
    error = exceptions.SageMakerAccessDenied("*", "AWS refused to list it: not authorized.")
    error.code = code
    return error


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def waits(account: Account) -> Waits:
    return Waits(account)


def names(count: int) -> list[str]:
    return [f"notebook-{number:04}" for number in range(count)]


def delays(waits: Waits, in_service: dict[str, float]) -> list[float]:
    return sorted(waits.ended_at[name] - at for name, at in in_service.items())


def test_one_wait_is_described_and_ends_soon_after_the_change(account: Account, waits: Waits) -> None:
    account.plan("research", (-1, "Pending"), (143, "InService"))
    waits.run(waits.wait("research", poll_interval=2))
    outcome = waits.outcomes["research"]
    assert isinstance(outcome, WaitState)
    assert outcome.status == "InService"
    assert waits.ended_at["research"] - 143 <= 1
    assert account.asked("list") == 0
    assert account.connections == 1


def test_a_single_wait_is_detected_within_half_its_poll_interval_on_average_a_quarter(account: Account) -> None:
    late = []
    for number in range(40):
        account = Account()
        waits = Waits(account)
        account.plan("research", (-1, "Pending"), (100 + number * 0.17, "InService"))
        waits.run(waits.wait("research", poll_interval=2))
        late += delays(waits, {"research": 100 + number * 0.17})
    assert max(late) <= 1
    assert statistics.mean(late) < 0.6


def test_many_waits_cost_one_incremental_list_an_interval_and_a_resync_a_minute(account: Account, waits: Waits) -> None:
    for name in names(1000):
        account.plan(name, (-1, "Pending"), (600, "InService"))
    waits.run(*(waits.wait(name) for name in names(1000)))
    assert len(waits.outcomes) == 1000
    assert account.per_minute(120, 600) <= 30
    assert account.busiest_second() <= 10
    assert account.asked("describe") == 0
    assert account.connections == 1


@pytest.mark.parametrize("count", [10, 100, 1000, 2500])
def test_the_rate_of_requests_does_not_grow_with_the_waits(account: Account, waits: Waits, count: int) -> None:
    for name in names(count):
        account.plan(name, (-1, "Pending"), (400, "InService"))
    waits.run(*(waits.wait(name) for name in names(count)))
    assert 15 <= account.per_minute(120, 400) <= 30


def test_notebooks_nobody_waits_for_cost_nothing(account: Account, waits: Waits) -> None:
    for name in names(3000):
        account.plan(f"other-{name}", (-1000, "Stopped"))
    for name in names(100):
        account.plan(name, (-1, "Pending"), (500, "InService"))
    waits.run(*(waits.wait(name) for name in names(100)))
    assert account.per_minute(120, 480) <= 20


def test_a_thousand_that_change_within_a_minute_are_detected_in_seconds(account: Account, waits: Waits) -> None:
    in_service = {name: 200 + number * 0.06 for number, name in enumerate(names(1000))}
    for name, at in in_service.items():
        account.plan(name, (-1, "Pending"), (at, "InService"))
    waits.run(*(waits.wait(name) for name in in_service))
    late = delays(waits, in_service)
    assert statistics.median(late) < 3
    assert late[990] < 6


def test_waits_that_come_one_after_another_share_the_incremental_lists(account: Account, waits: Waits) -> None:
    for name in names(300):
        account.plan(name, (-1, "Pending"), (300, "InService"))
    waits.run(*(waits.wait(name, at=number * 0.3) for number, name in enumerate(names(300))))
    assert len(waits.outcomes) == 300
    assert account.per_minute(10, 240) <= 30
    assert account.connections == 1


def test_waits_added_in_the_same_triggerer_loops_join_before_the_first_incremental_list(
    account: Account, waits: Waits
) -> None:
    for name in names(300):
        account.plan(name, (-1, "Pending"), (300, "InService"))
    waits.run(*(waits.wait(name, at=number // 100 * 1.2) for number, name in enumerate(names(300))))
    first = min(at for at, operation, _ in account.requests if operation != "connect")
    assert 2.4 < first < 3
    assert len(waits.outcomes) == 300


def test_the_first_observation_is_not_delayed_for_long(account: Account, waits: Waits) -> None:
    for name in names(300):
        account.plan(name, (-1, "Pending"), (300, "InService"))
    waits.run(*(waits.wait(name, at=number * 0.2) for number, name in enumerate(names(300))))
    assert min(at for at, operation, _ in account.requests if operation != "connect") < 3


@pytest.mark.parametrize("ahead", [-290, -3, 0, 3, 290])
def test_clocks_apart_lose_nothing(account: Account, waits: Waits, ahead: float) -> None:
    account.ahead = ahead
    in_service = {name: 100 + number * 1.7 for number, name in enumerate(names(50))}
    for name, at in in_service.items():
        account.plan(name, (-1, "Pending"), (at, "InService"))
    waits.run(*(waits.wait(name) for name in in_service))
    assert max(delays(waits, in_service)) < 6


def test_a_change_between_the_workers_observation_and_the_first_incremental_list_is_seen_by_that_incremental_list(
    account: Account, waits: Waits
) -> None:
    for name in names(20):
        account.plan(name, (-100, "Pending"), (-20, "InService"))
    began = account.clock.time() - 30
    waits.run(*(waits.wait(name, began_at=began) for name in names(20)))
    assert max(waits.ended_at.values()) < 3


def test_a_change_that_a_list_shows_too_late_is_found_by_the_resync(account: Account, waits: Waits) -> None:
    account.lag = 20
    in_service = {name: 100.0 + number for number, name in enumerate(names(20))}
    for name, at in in_service.items():
        account.plan(name, (-50, "Pending"), (at, "InService"))
    waits.run(*(waits.wait(name) for name in in_service))
    assert max(delays(waits, in_service)) < 20 + 66


def test_one_change_in_a_thousand_that_no_incremental_list_shows_is_found_in_about_a_minute(
    account: Account, waits: Waits
) -> None:
    for name in names(1000):
        account.plan(name, (-1, "Pending"), (400, "InService"))
    account.plan("notebook-0007", (200, "gone"))
    waits.run(*(waits.wait(name) for name in names(1000)))
    assert 200 < waits.ended_at["notebook-0007"] < 200 + 60 + 20
    assert account.per_minute(120, 390) <= 30


def test_a_resync_of_thousands_sends_no_more_requests_in_any_minute(account: Account, waits: Waits) -> None:
    for name in names(2500):
        account.plan(name, (-1, "Pending"), (600, "InService"))
    waits.run(*(waits.wait(name) for name in names(2500)))
    assert max(account.per_minute(at, at + 60) for at in range(70, 540, 5)) <= 30


def test_a_failed_is_described_once_for_its_reason(account: Account, waits: Waits) -> None:
    for name in names(50):
        account.plan(name, (-1, "Pending"), (100, "InService"))
    account.plan("notebook-0007", (50, "Failed"), reason=REASON)
    waits.run(*(waits.wait(name) for name in names(50)))
    error = waits.outcomes["notebook-0007"]
    assert isinstance(error, exceptions.NotebookInstanceNoCapacity)
    assert REASON in error.problem
    assert account.described() == {"notebook-0007": 1}


def test_a_row_of_a_list_alone_ends_nothing_badly(account: Account, waits: Waits) -> None:
    """A list may lag: the row says Stopped, the notebook instance is on its way."""
    for name in names(10):
        account.plan(name, (-1, "Pending"), (100, "InService"))
    account.plan("notebook-0003", (-1, "Pending"), (20, "Stopped"), (20.5, "Pending"), (100, "InService"))
    account.lag = 3
    waits.run(*(waits.wait(name) for name in names(10)))
    assert isinstance(waits.outcomes["notebook-0003"], WaitState)


def test_a_manual_stop_ends_only_the_wait_for_that_notebook(account: Account, waits: Waits) -> None:
    for name in names(50):
        account.plan(name, (-1, "Pending"), (100, "InService"))
    account.plan("notebook-0007", (50, "Stopping"), (60, "Stopped"))
    waits.run(*(waits.wait(name) for name in names(50)))
    assert isinstance(waits.outcomes.pop("notebook-0007"), exceptions.NotebookInstanceStopped)
    assert all(isinstance(outcome, WaitState) for outcome in waits.outcomes.values())


def test_a_deleted_notebook_is_found_by_the_resync(account: Account, waits: Waits) -> None:
    for name in names(50):
        account.plan(name, (-1, "Pending"), (300, "InService"))
    account.plan("notebook-0007", (50, "gone"))
    waits.run(*(waits.wait(name) for name in names(50)))
    assert isinstance(waits.outcomes["notebook-0007"], exceptions.NotebookInstanceDeleted)
    assert waits.ended_at["notebook-0007"] < 50 + 66


@pytest.mark.parametrize("count", [1, 100])
def test_a_stop_whose_notebook_is_gone_is_done(account: Account, waits: Waits, count: int) -> None:
    for name in names(count):
        account.plan(name, (-1, "Stopping"), (30, "gone"))
    waits.run(*(waits.wait(name, status="Stopping", moved=True, goal=Goal.STOPPED) for name in names(count)))
    assert [type(waits.outcomes[name]) for name in names(count)] == [WaitState] * count


def test_stopping_notebooks_are_started_within_the_rate_limit(account: Account, waits: Waits) -> None:
    for name in names(100):
        account.plan(name, (-1, "Stopping"), (60, "Stopped"))
    waits.run(*(waits.wait(name, status="Stopping", moved=False) for name in names(100)))
    assert all(isinstance(outcome, WaitState) for outcome in waits.outcomes.values())
    assert account.asked("start") == 100
    assert account.busiest_second() <= 10


def test_a_start_that_does_not_take_is_sent_again_and_then_given_up(account: Account, waits: Waits) -> None:
    account.deaf.add("notebook-0007")
    for name in names(20):
        account.plan(name, (-1, "Pending"), (300, "InService"))
    account.plan("notebook-0007", (-100, "Stopped"))
    sent: dict[str, Any] = {"status": "Stopped", "moved": False, "sent_at": account.clock.time(), "sends": 1}
    others = [waits.wait(name) for name in names(20) if name != "notebook-0007"]
    waits.run(waits.wait("notebook-0007", **sent), *others)
    assert isinstance(waits.outcomes["notebook-0007"], exceptions.NotebookInstanceStartNotTaken)
    assert account.asked("start") == 1
    assert 60 < waits.ended_at["notebook-0007"] < 70


def test_a_row_that_each_incremental_list_repeats_hides_no_start_that_did_not_take(
    account: Account, waits: Waits
) -> None:
    """If no response has a Date header, each incremental list goes back for minutes."""
    account.tells_time = False
    for name in names(20):
        account.plan(name, (-1, "Pending"), (300, "InService"))
    account.plan("notebook-0007", (-20, "Stopped"))
    sent: dict[str, Any] = {"status": "Stopped", "moved": False, "sent_at": account.clock.time(), "sends": 1}
    others = [waits.wait(name) for name in names(20) if name != "notebook-0007"]
    waits.run(waits.wait("notebook-0007", **sent), *others)
    assert isinstance(waits.outcomes["notebook-0007"], WaitState)
    assert 30 < min(at for at, what, _ in account.requests if what == "start") < 40


def test_two_waits_for_one_notebook_both_end(account: Account, waits: Waits) -> None:
    account.plan("research", (-1, "Pending"), (100, "InService"))
    outcomes: list[WaitState] = []

    async def both() -> None:
        wait = WaitState(NotebookInstance("research"), Goal.READY, account.clock.time(), account.clock.time() + 3600)
        outcomes.extend(await asyncio.gather(waits.poller.wait_for(wait, 5), waits.poller.wait_for(wait, 5)))

    waits.run(both())
    assert [outcome.status for outcome in outcomes] == ["InService", "InService"]


def test_each_wait_is_described_in_turn_if_lists_are_denied(account: Account, waits: Waits) -> None:
    account.refuse = lambda operation, name: denied() if operation == "list" else None
    for name in names(20):
        account.plan(name, (-1, "Pending"), (300, "InService"))
    waits.run(*(waits.wait(name) for name in names(20)))
    assert len(waits.outcomes) == 20
    counts = account.described().values()
    assert max(counts) - min(counts) <= 2
    assert account.busiest_second() <= 10
    assert account.asked("list") == 1


def test_a_list_that_keeps_failing_is_paused_and_each_wait_is_described(account: Account, waits: Waits) -> None:
    broken = exceptions.SageMakerUnavailable("*", "AWS returned a list without names or statuses.")
    account.refuse = lambda operation, name: broken if operation == "list" else None
    for name in names(20):
        account.plan(name, (-1, "Pending"), (120, "InService"))
    waits.run(*(waits.wait(name) for name in names(20)))
    assert max(waits.ended_at.values()) < 140


def test_denied_to_describe_ends_a_wait_at_once(account: Account, waits: Waits) -> None:
    account.refuse = lambda operation, name: denied() if operation == "describe" else None
    account.plan("research", (-1, "Pending"))
    waits.run(waits.wait("research"))
    error = waits.outcomes["research"]
    assert isinstance(error, exceptions.SageMakerAccessDenied)
    assert error.notebook_instance_name == "research"
    assert waits.ended_at["research"] < 1


def test_a_connection_that_is_not_usable_ends_all_waits_at_once(account: Account, waits: Waits) -> None:
    account.refuse = lambda operation, name: denied() if operation == "connect" else None
    for name in names(100):
        account.plan(name, (-1, "Pending"))
    waits.run(*(waits.wait(name) for name in names(100)))
    assert account.asked("connect") == 1
    assert {type(outcome) for outcome in waits.outcomes.values()} == {exceptions.SageMakerAccessDenied}


@pytest.mark.parametrize("code", ["ExpiredTokenException", "InvalidClientTokenId"])
def test_stale_credentials_are_looked_up_again(account: Account, waits: Waits, code: str) -> None:
    account.plan("research", (-1, "Pending"), (300, "InService"))

    def refuse(operation: str, name: str) -> Exception | None:
        return (
            denied(code)
            if operation == "describe" and account.connections == 1 and account.clock.monotonic() > 60
            else None
        )

    account.refuse = refuse
    waits.run(waits.wait("research"))
    assert isinstance(waits.outcomes["research"], WaitState)
    assert account.connections == 2


@pytest.mark.parametrize("count", [1, 300])
def test_ten_minutes_of_throttling_end_nothing_and_take_few_requests(
    account: Account, waits: Waits, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    account.refuse = lambda operation, name: throttled() if 30 < account.clock.monotonic() < 630 else None
    for name in names(count):
        account.plan(name, (-1, "Pending"), (100, "InService"))
    waits.run(*(waits.wait(name) for name in names(count)))
    assert all(isinstance(outcome, WaitState) for outcome in waits.outcomes.values())
    assert sum(30 < at < 630 for at, _, _ in account.requests) <= 25
    assert max(waits.ended_at.values()) < 630 + 70
    assert sum("Rate exceeded" in record.message for record in caplog.records) <= 2
    levels = {record.levelname for record in caplog.records if "AWS responds again" in record.message}
    assert levels == ({"INFO"} if count > 1 else set()), "a single wait has ended by then"


def test_the_deadline_ends_a_wait_through_outage_and_names_it(account: Account, waits: Waits) -> None:
    account.refuse = lambda operation, name: throttled() if operation != "connect" else None
    account.plan("research", (-1, "Pending"))
    waits.run(waits.wait("research", deadline=account.clock.time() + 180))
    error = waits.outcomes["research"]
    assert isinstance(error, exceptions.NotebookInstanceWaitTimeout)
    assert "Rate exceeded" in error.problem
    assert waits.ended_at["research"] == pytest.approx(180, abs=1)


def test_the_deadline_of_many_ends_them_all_in_time(account: Account, waits: Waits) -> None:
    for name in names(500):
        account.plan(name, (-1, "Pending"))
    waits.run(*(waits.wait(name, deadline=account.clock.time() + 600) for name in names(500)))
    assert {type(outcome) for outcome in waits.outcomes.values()} == {exceptions.NotebookInstanceWaitTimeout}
    assert max(waits.ended_at.values()) < 601


def test_a_wait_added_after_its_deadline_still_gets_an_observation(account: Account, waits: Waits) -> None:
    now = account.clock.time()
    account.plan("research", (-1000, "Pending"), (-500, "InService"))
    waits.run(waits.wait("research", began_at=now - 3700, deadline=now - 100))
    assert isinstance(waits.outcomes["research"], WaitState)


def test_aws_allowing_two_requests_a_second_refuses_few_and_loses_none(account: Account, waits: Waits) -> None:
    allowed = {"tokens": 2.0, "at": 0.0, "asked": 0, "refused": 0}

    def refuse(operation: str, name: str) -> Exception | None:
        now = account.clock.monotonic()
        if operation == "connect":
            return None
        allowed["tokens"] = min(2.0, allowed["tokens"] + (now - allowed["at"]) * 2)
        allowed["at"] = now
        allowed["asked"] += 1
        if allowed["tokens"] >= 1:
            allowed["tokens"] -= 1
            return None
        allowed["refused"] += 1
        return throttled()

    account.refuse = refuse
    in_service = {name: 200 + number * 0.06 for number, name in enumerate(names(1000))}
    for name, at in in_service.items():
        account.plan(name, (-1, "Pending"), (at, "InService"))
    waits.run(*(waits.wait(name) for name in in_service))
    assert all(isinstance(outcome, WaitState) for outcome in waits.outcomes.values())
    assert allowed["refused"] <= allowed["asked"] / 10
    assert delays(waits, in_service)[990] < 10


def test_a_cancelled_wait_leaves_nothing_behind(account: Account, waits: Waits) -> None:
    for name in names(5):
        account.plan(name, (-1, "Pending"))

    async def cancelled() -> None:
        tasks = [asyncio.ensure_future(waits.wait(name)) for name in names(5)]
        await account.clock.until(30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    waits.run(cancelled())
    assert waits.poller.pending_waits.count == 0
    assert list(waits.poller.pending_waits) == []
    assert account.closed == 1
    assert account.clock.monotonic() < 70


def test_a_failing_poller_unregisters_before_it_fails_its_waits(
    account: Account, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.plan("research", (-1, "Pending"))
    monkeypatch.setattr("airflow_sagemaker_presign.waiting.poller.poller.survey", lambda *_, **__: 1 / 0)
    waits.run(waits.wait("research"))
    assert waits.ended == ["poller"]
    assert "ZeroDivisionError" in str(waits.outcomes["research"])


def test_a_wait_of_an_hour_writes_fewer_than_twenty_lines(
    account: Account, waits: Waits, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="airflow_sagemaker_presign")
    account.plan("research", (-1, "Pending"), (3300, "InService"))
    account.refuse = lambda operation, name: throttled() if account.clock.monotonic() % 200 > 100 else None
    waits.run(waits.wait("research"))
    assert isinstance(waits.outcomes["research"], WaitState)
    lines = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert len({line.message for line in lines}) >= 3
    # Of each line about an outage, one of the two is in the triggerer's log.
    triggerers = [line for line in lines if line.levelno == logging.WARNING]
    assert len(lines) - len(triggerers) < 20
    assert len(triggerers) < 20


def test_a_start_that_drags_on_is_observed_less_often(account: Account, waits: Waits) -> None:
    account.plan("research", (-1, "Pending"), (3000, "InService"))
    waits.run(waits.wait("research"))
    assert account.per_minute(0, 500) > 2 * account.per_minute(1500, 3000)


def test_fields_of_a_wait_that_ended_are_what_the_trigger_reports(account: Account, waits: Waits) -> None:
    account.plan("research", (-1, "Updating"), (30, "Stopped"))
    waits.run(waits.wait("research", status="Updating", moved=False))
    outcome: Any = waits.outcomes["research"]
    assert (outcome.status, outcome.sends) == ("InService", 1)


def test_a_log_line_about_a_wait_goes_to_its_tasks_log_and_the_poller_has_its_own_context(
    account: Account, waits: Waits, caplog: pytest.LogCaptureFixture
) -> None:
    task: contextvars.ContextVar[str] = contextvars.ContextVar("task", default="nobody's")
    written: list[tuple[str, str]] = []
    connected_by: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append((task.get(), record.getMessage()))

    async def wait(name: str) -> None:
        task.set(name)
        await waits.wait(name)

    account.refuse = lambda operation, name: connected_by.append(task.get()) if operation == "connect" else None
    for name in names(2):
        account.plan(name, (-1, "Pending"), (30, "InService"))
    logger, keep = logging.getLogger("airflow_sagemaker_presign"), Keep()
    caplog.set_level(logging.INFO, logger=logger.name)
    logger.addHandler(keep)
    try:
        waits.run(*(wait(name) for name in names(2)))
    finally:
        logger.removeHandler(keep)
    assert sorted(written) == [(name, f"The notebook instance {name} is InService.") for name in names(2)]
    assert connected_by == ["nobody's"]
