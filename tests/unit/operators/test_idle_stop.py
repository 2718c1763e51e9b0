"""The stop of what is idle, from the task's side: warn, look again, stop; and never what is in use."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.compat import DAG, BaseNotifier, TaskDeferred
from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.idle.latest import stop_at_of
from airflow_sagemaker_presign.links import SageMakerNotebookKeepLink, launch_url
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerStopNotebookInstanceOperator as Stop
from airflow_sagemaker_presign.triggers.base import AwsTrigger
from airflow_sagemaker_presign.usage.stop_warning import KEEP_KEY, StopWarning
from airflow_sagemaker_presign.usage.unavailable import SessionRefused
from tests.helpers.scripted_sagemaker import DENIED, URL, Clock, TaskInstance
from tests.helpers.scripted_usage import BUSY, OUT_OF_REACH, OneNotebook, ScriptedUsage

MINUTE = timedelta(minutes=1)
REFUSED = SessionRefused("research.example refused the session (HTTP status 403).", "Check the policy")


class Warnings(BaseNotifier):
    """Notes what it is given instead of sending it."""

    template_fields = ("text",)

    def __init__(self, text: str = "{{ recipient }}", error: Exception | None = None) -> None:
        super().__init__()
        self.text = text
        self.sent: list[tuple[datetime, StopWarning, str, str]] = []
        self.clock: Clock | None = None
        self.error = error
        self.on_notify: Callable[[], None] = lambda: None

    def notify(self, context: Any) -> None:
        if self.error is not None:
            raise self.error
        assert self.clock is not None
        self.on_notify()
        self.sent.append((self.clock.now, context["stop_warning"], context["launch_url"], self.text))


class Task(TaskInstance):
    """A task instance with XComs that can be pulled."""

    try_number = 1

    def __init__(self) -> None:
        super().__init__()
        self.on_pull: Callable[[], None] = lambda: None

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        self.on_pull()
        return self.xcoms.get(key)


class Machine:
    """A task, its worker and its triggerer, with a clock that only they turn."""

    def __init__(
        self, hook: SageMakerNotebookInstanceHook, clock: Clock, usage: ScriptedUsage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.clock, self.usage, self._hook = clock, usage, hook
        self.began = clock.now
        self.warnings = Warnings()
        self.warnings.clock = clock
        self.task = Task()
        self.context: dict[str, Any] = {"ti": self.task, "dag": None, "params": {}}
        self.deferrals: list[TaskDeferred] = []
        self.on_event: Callable[[str], None] = lambda _: None
        self.on_defer: Callable[[], None] = lambda: None
        monkeypatch.setattr(ClientKey, "connect", lambda _: hook)
        monkeypatch.setattr(hook, "close", lambda: None)
        monkeypatch.setattr(AwsTrigger, "_runtime", clock)
        monkeypatch.setattr(type(hook), "has_connection", property(lambda _: True))

    def operator(self, **values: Any) -> Stop:
        operator = Stop(
            **{
                "task_id": "notebook",
                "notebook_instance_name": "research",
                "idle_for": timedelta(hours=1),
                "notifiers": [self.warnings],
                "deferrable": True,
                "wait_for_completion": False,
                **values,
            }
        )
        operator.__dict__["hook"] = self._hook
        operator._runtime = self.clock
        return operator

    def run(self, **values: Any) -> str:
        """Run the task to its end: each deferral to its event, and on in a new process."""
        operator = self.operator(**values)
        method = "execute"
        event: tuple[Any, ...] = ()
        while True:
            try:
                return str(getattr(operator, method)(self.context, *event))
            except TaskDeferred as deferred:
                self.deferrals.append(deferred)
                assert len(self.deferrals) < 200, "it defers again and again"
                self.on_defer()
                _, arguments = deferred.trigger.serialize()
                trigger = type(deferred.trigger)(**json.loads(json.dumps(arguments)))

                async def events(trigger: Any = trigger) -> list[Any]:
                    return [event.payload async for event in trigger.run()]

                event = tuple(asyncio.run(events()))
                self.on_event(event[0]["status"])
                operator, method = self.operator(**values), deferred.method_name

    def execute(self, operator: Any) -> Any:
        return operator.execute(self.context)

    @property
    def minutes(self) -> float:
        """The minutes since the beginning."""
        return (self.clock.now - self.began).total_seconds() / 60


@pytest.fixture
def machine(
    hook: SageMakerNotebookInstanceHook,
    clock: Clock,
    usage: ScriptedUsage,
    notebook: OneNotebook,
    monkeypatch: pytest.MonkeyPatch,
) -> Machine:
    monkeypatch.setattr("airflow_sagemaker_presign.operators.idle_stop.launch_url", lambda *_: "https://page")
    return Machine(hook, clock, usage, monkeypatch)


@pytest.fixture(params=[True, False], ids=["in the triggerer", "in the worker"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_an_idle_notebook_is_warned_of_looked_at_again_and_stopped(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    usage.idle_since(machine.began - 20 * MINUTE)
    assert machine.run(recipient="ada@example.com", deferrable=deferrable) == "Stopped"
    ((at, warning, launch_url, text),) = machine.warnings.sent
    assert at - machine.began == 25 * MINUTE
    assert warning.stops_at - machine.began == 40 * MINUTE
    assert (warning.idle_since, warning.at_latest) == (machine.began - 20 * MINUTE, False)
    assert (launch_url, text) == ("https://page", "ada@example.com")
    assert 40 <= machine.minutes < 41
    # One that finds it idle, one that warns, one that ends the watch, one right before the stop.
    assert usage.looks == 4
    assert notebook.requests["StopNotebookInstance"] == 1


def test_a_busy_notebook_is_not_stopped_until_it_is_idle(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    usage.busy(20).idle(minutes=61)
    assert machine.run(deferrable=deferrable) == "Stopped"
    ((at, *_),) = machine.warnings.sent
    assert at - machine.began >= 19 * 30 * MINUTE
    assert machine.minutes >= 19 * 30 + 15


def test_use_between_the_warning_and_the_stop_needs_another_warning(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle(minutes=50).busy(2).idle(minutes=61)
    machine.run()
    assert len(machine.warnings.sent) == 2


def test_use_right_before_the_stop_is_seen_by_the_worker(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    # The looks: the one that warns, the triggerer's, the worker's. Then all over again.
    usage.idle(minutes=50, times=2).busy().idle(minutes=50)
    machine.run()
    assert len(machine.warnings.sent) == 2
    assert machine.minutes > 60


@pytest.mark.parametrize("behind", [-30, 8, 30])
def test_a_worker_whose_clock_differs_from_the_triggerers_needs_no_more_deferrals(
    behind: int, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 20 * MINUTE)
    machine.on_event = lambda _: machine.clock.advance(-behind)
    assert machine.run() == "Stopped"
    assert (len(machine.deferrals), len(machine.warnings.sent)) == (2, 1)
    assert machine.clock.now >= machine.warnings.sent[0][1].stops_at


def test_a_triggerer_that_takes_over_takes_lost_looks_for_use(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began)
    machine.on_defer = lambda: machine.clock.advance(7200) if len(machine.deferrals) == 1 else None
    assert machine.run() == "Stopped"
    assert [sent[0] - machine.began for sent in machine.warnings.sent] == [(120 + 45) * MINUTE]


def test_what_somebody_keeps_running_runs_for_as_long_again(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)

    def press_once() -> None:
        if machine.warnings.sent:
            machine.task.xcoms.setdefault(KEEP_KEY, (machine.began + 10 * MINUTE).isoformat())

    machine.task.on_pull = press_once
    assert machine.run(deferrable=deferrable) == "Stopped"
    assert [sent[0] - machine.began for sent in machine.warnings.sent] == [0 * MINUTE, 55 * MINUTE]
    assert 70 <= machine.minutes < 71


def test_what_is_kept_before_the_warning_is_not_warned_of(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)
    machine.task.xcoms[KEEP_KEY] = machine.began.isoformat()
    machine.run()
    assert [sent[0] - machine.began for sent in machine.warnings.sent] == [45 * MINUTE]


@pytest.mark.parametrize("forged", ["for ever", 7, "9999-12-31T00:00:00+00:00", ["2026"]])
def test_a_forged_wish_keeps_it_running_at_most(
    forged: Any, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)
    machine.task.xcoms[KEEP_KEY] = forged
    if forged == "9999-12-31T00:00:00+00:00":
        machine.task.on_pull = lambda: machine.task.xcoms.clear() if machine.minutes > 100 else None
    assert machine.run() == "Stopped"


@pytest.mark.parametrize(("error", "reason"), [(OUT_OF_REACH, "No route to host"), (REFUSED, "HTTP status 403")])
def test_what_nobody_knows_is_left_running_and_an_error_after_an_hour(
    error: Exception,
    reason: str,
    machine: Machine,
    usage: ScriptedUsage,
    notebook: OneNotebook,
    deferrable: bool,
) -> None:
    usage.idle(minutes=50).unknown(error)
    with pytest.raises(exceptions.NotebookInstanceUsageUnknown, match=reason):
        machine.run(deferrable=deferrable)
    assert notebook.requests["StopNotebookInstance"] == 0
    assert 75 <= machine.minutes < 76


def test_a_worker_that_cannot_see_it_stops_nothing_and_says_so(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    since = machine.began - 50 * MINUTE
    usage.idle_since(since)
    for _ in range(6):
        usage.idle_since(since).unknown()
    with pytest.raises(exceptions.NotebookInstanceUsageUnknown, match="in 6 looks from a worker"):
        machine.run()
    assert notebook.requests["StopNotebookInstance"] == 0


def test_a_worker_that_comes_late_and_cannot_see_it_says_so(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    since = machine.began - 40 * MINUTE
    usage.idle_since(since, times=2)
    for _ in range(6):
        usage.unknown().idle_since(since)
    # Each slot is so late that the worker looks again before it warns.
    machine.on_event = lambda _: machine.clock.advance(120)
    with pytest.raises(exceptions.NotebookInstanceUsageUnknown, match="in 6 looks from a worker"):
        machine.run()
    assert machine.warnings.sent == []


def test_a_stop_by_somebody_else_ends_the_watch(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    def stopped() -> None:
        notebook.status = "Stopped"

    usage.busy(3).unknown(SessionRefused("It refused the URL.", "Check"), after=stopped)
    assert machine.run(deferrable=deferrable) == "Stopped"
    assert notebook.requests["StopNotebookInstance"] == 0
    assert machine.warnings.sent == []


@pytest.mark.parametrize("status", ["Stopped", "Failed", "Deleting"])
def test_what_does_not_run_needs_no_watch(
    status: str, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    notebook.status = status
    refuse_mints(notebook, status)
    usage.unknown()
    assert machine.run() == status
    assert usage.looks == 0
    assert machine.warnings.sent == []


def test_what_starts_is_watched_from_then_on(machine: Machine, usage: ScriptedUsage, notebook: OneNotebook) -> None:
    notebook.status = "Pending"
    refuse_mints(notebook, "Pending")

    def in_service(_: float) -> None:
        if machine.minutes > 20 and notebook.status == "Pending":
            notebook.status = "InService"
            notebook.refused.clear()

    machine.clock.on_advance = in_service
    usage.idle_since(machine.began + 20 * MINUTE)
    assert machine.run() == "Stopped"
    assert 80 <= machine.minutes < 82


def test_a_deleted_notebook_ends_the_watch(machine: Machine, usage: ScriptedUsage, notebook: OneNotebook) -> None:
    gone = ClientError({"Error": {"Code": "ValidationException", "Message": "RecordNotFound"}}, "Any")

    def delete() -> None:
        notebook.refused = {"DescribeNotebookInstance": gone, "CreatePresignedNotebookInstanceUrl": gone}

    usage.busy(2).unknown(after=delete)
    machine.run()
    assert notebook.requests["StopNotebookInstance"] == 0


def test_one_that_does_not_exist_is_an_error(machine: Machine, usage: ScriptedUsage, notebook: OneNotebook) -> None:
    gone = ClientError({"Error": {"Code": "ValidationException", "Message": "RecordNotFound"}}, "Any")
    notebook.refused["DescribeNotebookInstance"] = gone
    with pytest.raises(exceptions.NotebookInstanceNotFound):
        machine.run()


def test_a_mint_that_aws_denies_is_an_error_at_once(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    notebook.refused["CreatePresignedNotebookInstanceUrl"] = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": DENIED}}, "CreatePresignedNotebookInstanceUrl"
    )
    usage.idle(minutes=90)
    with pytest.raises(exceptions.SageMakerAccessDenied):
        machine.run(deferrable=deferrable)
    assert notebook.requests["StopNotebookInstance"] == 0


def test_what_somebody_starts_again_after_the_stop_is_theirs(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)
    notebook.after_stop = ["Stopping", "Stopping", "Pending", "InService"]
    assert machine.run(wait_for_completion=True, deferrable=deferrable) == "Pending"
    assert notebook.requests["StopNotebookInstance"] == 1


def test_what_somebody_stops_and_starts_again_is_theirs(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    def stop() -> None:
        notebook.become("Stopping")
        notebook.after_stop = ["Stopping", "Stopping", "Pending", "InService"]

    usage.busy(2).unknown(after=stop)
    assert machine.run(wait_for_completion=True, deferrable=deferrable) == "Pending"
    assert notebook.requests["StopNotebookInstance"] == 0


def test_a_stop_that_aws_does_not_take_is_sent_again_only_after_another_look(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
) -> None:
    throttled = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "Any")
    notebook.refused["StopNotebookInstance"] = throttled
    # A look that warns, one that is due, one right before the stop; then somebody works.
    usage.idle(minutes=50, times=3).busy(3).idle(minutes=61)
    machine.clock.on_advance = lambda _: notebook.refused.clear() if usage.looks > 4 else None
    assert machine.run(deferrable=deferrable) == "Stopped"
    assert len(machine.warnings.sent) == 2
    assert notebook.requests["StopNotebookInstance"] == 2


def test_a_press_after_the_last_look_is_in_time(machine: Machine, usage: ScriptedUsage, notebook: OneNotebook) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)

    def press() -> None:
        if usage.looks == 3:
            machine.task.xcoms.setdefault(KEEP_KEY, machine.clock.now.isoformat())

    notebook.before["DescribeNotebookInstance"] = press
    assert machine.run() == "Stopped"
    assert len(machine.warnings.sent) == 2


def test_a_press_concerns_one_of_several_mapped_tasks(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)
    machine.task.map_index = 3
    machine.task.xcoms[KEEP_KEY] = machine.began.isoformat()
    machine.run()
    assert [sent[0] - machine.began for sent in machine.warnings.sent] == [45 * MINUTE]


@pytest.mark.parametrize("status", ["Updating", "Pending"])
def test_what_is_being_changed_right_before_the_stop_is_watched_on(
    status: str, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)

    def change() -> None:
        if usage.looks == 3:
            notebook.status = status if machine.minutes < 16 else "InService"

    notebook.before["DescribeNotebookInstance"] = change

    def in_service(_: str) -> None:
        notebook.status = "InService"

    machine.on_event = in_service
    assert machine.run() == "Stopped"
    assert len(machine.warnings.sent) == 2
    assert machine.minutes >= 75


def test_a_watch_in_the_worker_may_warn_as_often_as_somebody_keeps_it_running(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)

    def press() -> None:
        if len(machine.warnings.sent) < 400:
            machine.task.xcoms[KEEP_KEY] = machine.clock.now.isoformat()

    machine.warnings.on_notify = press
    assert machine.run(deferrable=False) == "Stopped"
    assert len(machine.warnings.sent) == 401


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_retry_counts_as_use_since_airflow_forgets_who_kept_it_running(
    number: int, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)
    machine.task.try_number = number
    machine.run()
    assert [sent[0] - machine.began for sent in machine.warnings.sent] == [(0 if number == 1 else 45) * MINUTE]


def test_a_press_while_the_warning_is_delivered_needs_another_warning(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 50 * MINUTE)

    def deliver_slowly() -> None:
        machine.clock.advance(60)
        machine.task.xcoms.setdefault(KEEP_KEY, machine.clock.now.isoformat())
        machine.clock.advance(120)

    machine.warnings.on_notify = deliver_slowly
    assert machine.run() == "Stopped"
    assert len(machine.warnings.sent) == 2


def test_a_late_slot_for_the_warning_looks_again(machine: Machine, usage: ScriptedUsage, notebook: OneNotebook) -> None:
    usage.idle_since(machine.began, times=3).busy().idle(minutes=61)
    machine.on_event = lambda event: machine.clock.advance(3600) if event == "warn" else None
    assert machine.run() == "Stopped"
    ((at, warning, *_),) = machine.warnings.sent
    assert warning.idle_since is not None
    assert warning.idle_since > machine.began + 90 * MINUTE
    assert at > machine.began + 120 * MINUTE


def test_credentials_that_expired_are_renewed_during_a_watch_in_the_worker(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[float] = []

    def renew(_: object) -> None:
        renewed.append(machine.minutes)
        notebook.refused.clear()

    monkeypatch.setattr(SageMakerNotebookInstanceHook, "renew", renew)
    expired = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "Any")
    usage.busy(2).unknown(after=lambda: notebook.refused.update(CreatePresignedNotebookInstanceUrl=expired)).idle(
        minutes=61
    )
    assert machine.run(deferrable=False) == "Stopped"
    assert len(renewed) == 1


class TestAtTheLatest:
    def test_it_is_stopped_whatever_runs_after_a_warning_without_a_button(
        self, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, deferrable: bool
    ) -> None:
        usage.busy()
        machine.task.xcoms[KEEP_KEY] = (machine.began + 100 * MINUTE).isoformat()
        assert machine.run(at_latest=timedelta(hours=2), deferrable=deferrable) == "Stopped"
        ((at, warning, launch_url, _),) = machine.warnings.sent
        assert at - machine.began == 105 * MINUTE
        assert (warning.at_latest, warning.running, launch_url) == (True, BUSY, "")
        assert 120 <= machine.minutes < 121

    def test_an_idle_one_is_stopped_before(self, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook) -> None:
        usage.idle_since(machine.began)
        machine.run(at_latest=timedelta(hours=8))
        assert 60 <= machine.minutes < 61

    @pytest.mark.parametrize("number", [1, 2])
    @pytest.mark.parametrize(
        ("run_began", "at_latest", "minutes"),
        [
            # Ten hours ago, and the time of day was an hour later: today's is meant.
            (timedelta(hours=10), time(23), 15 * 60),
            # A slot, or a retry, came five minutes late.
            (timedelta(minutes=20), time(7, 55), 15),
            # The run began after it.
            (timedelta(minutes=2), time(7, 55), 24 * 60 - 5),
        ],
    )
    def test_a_time_of_day_is_the_same_in_each_try(
        self,
        run_began: timedelta,
        at_latest: time,
        minutes: int,
        number: int,
        machine: Machine,
        usage: ScriptedUsage,
        notebook: OneNotebook,
    ) -> None:
        assert machine.began.time() == time(8)
        usage.busy()
        machine.task.try_number = number
        machine.context["dag_run"] = SimpleNamespace(start_date=machine.began - run_began)
        assert machine.run(at_latest=at_latest) == "Stopped"
        assert minutes <= machine.minutes < minutes + 1

    def test_a_time_of_day_is_the_one_of_the_dag(
        self, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
    ) -> None:
        usage.busy()
        began = datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))
        machine.context["dag"] = DAG("d", schedule=None, start_date=began)
        machine.run(at_latest=time(20))
        assert 3 * 60 <= machine.minutes < 3 * 60 + 1

    def test_a_press_in_the_last_moment_of_an_idle_stop_does_not_put_it_off(
        self, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
    ) -> None:
        usage.idle_since(machine.began - 50 * MINUTE)

        def press() -> None:
            if usage.looks == 3:
                machine.task.xcoms.setdefault(KEEP_KEY, machine.clock.now.isoformat())

        notebook.before["DescribeNotebookInstance"] = press
        assert machine.run(at_latest=timedelta(minutes=20)) == "Stopped"
        assert [(sent[0] - machine.began, sent[1].at_latest) for sent in machine.warnings.sent] == [
            (0 * MINUTE, False),
            (15 * MINUTE, True),
        ]
        assert 30 <= machine.minutes < 31

    def test_what_nobody_knows_is_stopped_with_a_warning_that_says_so(
        self, machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
    ) -> None:
        usage.unknown()
        denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": DENIED}}, "Any")
        notebook.refused["CreatePresignedNotebookInstanceUrl"] = denied
        assert machine.run(at_latest=timedelta(hours=3)) == "Stopped"
        ((_, warning, *_),) = machine.warnings.sent
        assert warning.unknown
        assert 180 <= machine.minutes < 181


def test_a_warning_that_does_not_arrive_stops_nothing(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle(minutes=90)
    machine.warnings.error = SendFailed("The mail server is gone.")
    with pytest.raises(
        exceptions.StopWarningDeliveryError, match="The warning of the stop was not delivered"
    ) as raised:
        machine.run()
    assert "watches the workspace again" in str(raised.value)
    assert notebook.requests["StopNotebookInstance"] == 0


def test_without_notifiers_nobody_is_warned_and_the_stop_is_as_late(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.idle_since(machine.began - 2 * 60 * MINUTE)
    assert machine.run(notifiers=()) == "Stopped"
    assert 15 <= machine.minutes < 16


def test_nothing_secret_is_in_what_airflow_stores(
    machine: Machine, usage: ScriptedUsage, notebook: OneNotebook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    usage.idle_since(machine.began)
    machine.run(at_latest=timedelta(hours=2))
    assert len(machine.deferrals) == 2
    stored = json.dumps([deferred.trigger.serialize() for deferred in machine.deferrals])
    assert "research" in stored
    for text in (stored, json.dumps(machine.task.xcoms), caplog.text):
        assert URL.partition("=")[2] not in text


def test_a_session_is_used_for_half_an_hour(machine: Machine, usage: ScriptedUsage, notebook: OneNotebook) -> None:
    usage.busy(2).unknown(times=2).idle(minutes=20)
    # The triggerer's looks: after half an hour, and after 10 and 20 minutes more with the same session; the others are
    # half an hour apart, or the worker's.
    machine.run()
    assert notebook.requests["CreatePresignedNotebookInstanceUrl"] < usage.looks


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"idle_for": 0}, "idle_for=0: must be"),
        ({"idle_for": "an hour"}, "idle_for='an hour': must be"),
        ({"idle_for": timedelta(minutes=15)}, "warn_before=.*: must be below idle_for"),
        ({"warn_before": 0}, "warn_before=0: must be"),
        ({"idle_for": None}, "notifiers=.*: must be None unless idle_for is set"),
        ({"idle_for": None, "notifiers": (), "at_latest": time(20)}, "at_latest=.*: must be None unless"),
        ({"at_latest": "8 pm"}, "at_latest='8 pm': must be a time of day"),
        ({"at_latest": 20}, "at_latest=20: must be"),
        ({"at_latest": "1800"}, "at_latest='1800': must be a time of day"),
        ({"at_latest": "12:00:00"}, "at_latest='12:00:00': must be .*; a duration is a timedelta"),
        ({"at_latest": "24:00"}, "at_latest='24:00': must be a time of day"),
        ({"at_latest": "20:00+25:00"}, r"at_latest='20:00\+25:00': must be a time of day"),
        ({"at_latest": timedelta(0)}, "at_latest=.*: must be"),
        ({"at_latest": timedelta.max}, r"at_latest=.*: must be .* at most 365 days, or None\.$"),
        ({"idle_for": timedelta.max}, r"idle_for=.*: must be .* at most 365 days, or None\.$"),
        ({"idle_for": -5}, r"idle_for=-5: must be .* at most 365 days, or None\.$"),
        ({"idle_for": [3600]}, r"idle_for=\[3600\]: must be .* is of type list: with render_template_as_native_obj"),
        ({"notifiers": "slack"}, "notifiers='slack': must be"),
        ({"count_connections": "no"}, "count_connections='no': must be True or False"),
        ({"allowed_users": []}, "allowed_users="),
        ({"notifiers": [Warnings("{{ presigned_url.url }}")]}, "presigned_url"),
    ],
)
def test_a_wrong_parameter_is_named_when_the_dag_is_parsed(values: dict[str, Any], says: str, machine: Machine) -> None:
    with pytest.raises(ValueError, match=says):
        machine.operator(**values)


def test_templates_are_checked_when_they_are_rendered(machine: Machine, notebook: OneNotebook) -> None:
    operator = machine.operator(idle_for="{{ params.seconds }}", at_latest="{{ params.at }}")
    operator.idle_for, operator.at_latest = "600", "20:00"
    with pytest.raises(ValueError, match=r"warn_before=.*: must be below idle_for"):
        machine.execute(operator)
    assert notebook.requests.total() == 0


def test_without_idle_for_it_stops_at_once(machine: Machine, notebook: OneNotebook) -> None:
    assert machine.run(idle_for=None, notifiers=(), deferrable=False) == "Stopped"
    assert machine.minutes < 1
    assert machine.operator(idle_for=None, notifiers=()).idle_for is None


NOW = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at_latest", "zone", "stop_at"),
    [
        (None, UTC, None),
        (timedelta(hours=3), UTC, datetime(2026, 3, 2, 21, tzinfo=UTC)),
        (time(20), UTC, datetime(2026, 3, 2, 20, tzinfo=UTC)),
        (time(18), UTC, datetime(2026, 3, 3, 18, tzinfo=UTC)),
        (time(20), ZoneInfo("Europe/Berlin"), datetime(2026, 3, 2, 19, tzinfo=UTC)),
        (time(20, tzinfo=UTC), ZoneInfo("Europe/Berlin"), datetime(2026, 3, 2, 20, tzinfo=UTC)),
        (time(1), ZoneInfo("Pacific/Auckland"), datetime(2026, 3, 3, 12, tzinfo=UTC)),
        (time(8), ZoneInfo("Pacific/Auckland"), datetime(2026, 3, 2, 19, tzinfo=UTC)),
    ],
)
def test_a_time_of_day_is_the_next_one(at_latest: Any, zone: Any, stop_at: datetime | None) -> None:
    assert stop_at_of(at_latest, NOW, zone, NOW) == stop_at


@pytest.mark.parametrize(
    ("began_before", "at_latest", "stop_at"),
    [
        (1, time(17, 30), datetime(2026, 3, 3, 17, 30, tzinfo=UTC)),
        (60, time(18), NOW),
        (60, time(17, 30), NOW - timedelta(minutes=30)),
        (600, time(17), datetime(2026, 3, 3, 17, tzinfo=UTC)),
    ],
)
def test_a_time_of_day_that_has_just_passed_is_meant_if_the_run_began_before(
    began_before: int, at_latest: time, stop_at: datetime
) -> None:
    now = NOW + timedelta(minutes=6)
    assert stop_at_of(at_latest, now, UTC, now - timedelta(minutes=began_before)) == stop_at


def test_a_time_of_day_just_before_midnight_may_have_passed_yesterday() -> None:
    now = datetime(2026, 3, 2, 0, 10, tzinfo=UTC)
    assert stop_at_of(time(23, 55), now, UTC, now - timedelta(hours=3)) == now - timedelta(minutes=15)


def test_the_button_leads_to_the_page_only_where_there_is_something_to_keep(machine: Machine) -> None:
    key = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    link = SageMakerNotebookKeepLink()
    assert link.get_link(machine.operator(idle_for=None, notifiers=()), ti_key=key) == ""  # type: ignore[arg-type]
    shown = link.get_link(machine.operator(), ti_key=key)  # type: ignore[arg-type]
    assert bool(shown) == (launch_url("d", "r", "t") is not None)


def refuse_mints(notebook: OneNotebook, status: str) -> None:
    message = f"Status ({status}) not in ([InService]). Unable to transition to (Opened)"
    notebook.refused["CreatePresignedNotebookInstanceUrl"] = ClientError(
        {"Error": {"Code": "ValidationException", "Message": message}}, "CreatePresignedNotebookInstanceUrl"
    )
