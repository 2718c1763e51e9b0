"""Notebooks with a real JupyterLab: what is idle is stopped after a warning, and no kernel is killed that was busy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import BaseNotifier, TaskDeferred
from airflow_sagemaker_presign.exceptions import NotebookInstanceUsageUnknown
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerStopNotebookInstanceOperator as Stop
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.triggers.base import AwsTrigger
from airflow_sagemaker_presign.usage import activity
from airflow_sagemaker_presign.usage.stop_warning import KEEP_KEY
from tests.helpers.ports import free_port
from tests.helpers.scripted_sagemaker import TaskInstance

HOUR = 3600.0
NAMES = ("one", "two")


class TurnedTime(Runtime):
    """
    The machine's time and what it was turned by so far: a pause turns it.

    The Jupyter servers' times are turned as well, each by what it had been turned by at that time.
    """

    def __init__(self) -> None:
        self._turns: list[tuple[datetime, timedelta]] = []
        self.on_pause: Callable[[], object] = lambda: None
        """Called after each pause that is longer than a minute."""

    @property
    def hours(self) -> float:
        """How far it was turned, in hours."""
        return self._turned_until(datetime.max.replace(tzinfo=UTC)) / timedelta(hours=1)

    def at(self, machine: datetime) -> datetime:
        """Return the turned time of a moment of the machine."""
        return machine + self._turned_until(machine)

    def utc_now(self) -> datetime:
        return self.at(datetime.now(UTC))

    def sleep(self, seconds: float) -> None:
        self._turns.append((datetime.now(UTC), timedelta(seconds=seconds)))

    async def pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        await asyncio.sleep(0)
        self.sleep(seconds)
        if seconds > 60:
            await asyncio.to_thread(self.on_pause)

    def _turned_until(self, moment: datetime) -> timedelta:
        return sum((by for at, by in self._turns if at <= moment), timedelta(0))


class Warnings(BaseNotifier):
    """Notes the warnings."""

    template_fields = ()

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def notify(self, context: Any) -> None:
        self.sent.append(context["stop_warning"])


class Task(TaskInstance):
    def xcom_pull(self, key: str, **_: Any) -> Any:
        return self.xcoms.get(key)


class Watched:
    """A stop task of one notebook: its worker, its triggerer, and its time."""

    def __init__(self, services: LocalServices, name: str, time: TurnedTime) -> None:
        self.time, self.name, self._services = time, name, services
        self.task, self.warnings = Task(), Warnings()
        self.events: list[str] = []
        self.on_event: Callable[[str], None] = lambda _: None
        self.running_at_stop: list[str] = []
        """What was in use when it was stopped."""
        self.kill_triggerer_at = 0
        """The number of the deferral in which the triggerer is killed."""

    @property
    def status(self) -> str | None:
        return self._services.sagemaker.status(self.name)

    def run(self, **values: Any) -> str:
        """Run the task to its end, in a new process after each deferral."""
        method, arguments = "execute", list[Any]()
        context: dict[str, Any] = {"ti": self.task, "dag": None, "params": {}}
        while True:
            operator = Stop(
                **{
                    "task_id": "stop",
                    "notebook_instance_name": self.name,
                    "idle_for": HOUR,
                    "notifiers": [self.warnings],
                    "aws_conn_id": None,
                    "region_name": "us-east-1",
                    "deferrable": True,
                    "wait_for_completion": False,
                    **values,
                }
            )
            operator._runtime = self.time
            try:
                return str(getattr(operator, method)(context, *arguments))
            except TaskDeferred as deferred:
                event = asyncio.run(self._event(deferred))
                self.events.append(event["status"])
                self.on_event(event["status"])
                method, arguments = deferred.method_name, [event]

    async def _event(self, deferred: TaskDeferred) -> dict[str, Any]:
        _, stored = deferred.trigger.serialize()
        while True:
            trigger = type(deferred.trigger)(**json.loads(json.dumps(stored)))
            watching = asyncio.ensure_future(anext(trigger.run()))
            if self.kill_triggerer_at and len(self.events) == self.kill_triggerer_at - 1:
                self.kill_triggerer_at = 0
                await asyncio.sleep(0)
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                continue
            event = await watching
            return {**event.payload}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServices]:
    with LocalServices(folder=tmp_path_factory.mktemp("local"), notebooks=NAMES) as services:
        yield services


@pytest.fixture
def time(services: LocalServices, monkeypatch: pytest.MonkeyPatch) -> TurnedTime:
    time = TurnedTime()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_ENDPOINT_URL", services.endpoint_url)
    server_time, time_of = activity._server_time, activity._time
    # A response's Date has whole seconds, so what it is turned by is what it is now.
    monkeypatch.setattr(activity, "_server_time", lambda date: server_time(date) + timedelta(hours=time.hours))
    monkeypatch.setattr(activity, "_time", lambda row, key: time.at(time_of(row, key)))
    monkeypatch.setattr(AwsTrigger, "_runtime", time)
    for name in NAMES:
        services.sagemaker.set_status(name, "Stopped")
        services.sagemaker.set_status(name, "InService")
    return time


@pytest.fixture
def watched(services: LocalServices, time: TurnedTime, monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched(services, "one", time)
    stop = SageMakerNotebookInstanceHook.stop

    def stop_what_is_not_busy(hook: SageMakerNotebookInstanceHook, workspace: Any) -> bool:
        watched.running_at_stop.append(hook.notebook_instance_usage(workspace.name).running)
        return stop(hook, workspace)

    monkeypatch.setattr(SageMakerNotebookInstanceHook, "stop", stop_what_is_not_busy)
    return watched


def running(name: str = "one") -> str:
    """What is in use in a notebook right now, as the hook sees it."""
    return SageMakerNotebookInstanceHook(None, region_name="us-east-1").notebook_instance_usage(name).running


def test_a_silent_cell_of_many_hours_is_not_stopped_and_what_follows_it_is(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    (kernel,) = services.make_busy("one")["kernels"]
    assert (kernel["execution_state"], kernel["connections"]) == ("busy", 0)
    time.on_pause = lambda: services.make_idle("one") if time.hours >= 8 else None
    assert watched.run() == "Stopping"
    # It is known to have been busy until the last look, half an hour before its end at most.
    assert 8.45 < time.hours < 10
    (warning,) = watched.warnings.sent
    assert warning.idle_since >= warning.stops_at - timedelta(hours=1, minutes=31)
    assert watched.running_at_stop == [""]


def test_a_terminal_with_output_is_in_use_until_it_ends(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    services.make_busy("one", "printing-terminal")

    def end_after_three_hours() -> None:
        sleep(1.1)  # It prints meanwhile, once a second.
        if time.hours >= 3:
            services.make_idle("one")

    time.on_pause = end_after_three_hours
    assert watched.run() == "Stopping"
    assert 3.5 < time.hours < 5


def test_a_kernel_that_nobody_ever_connected_to_is_idle_since_its_start(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    (kernel,) = services.make_busy("one", "unconnected-kernel")["kernels"]
    assert kernel["execution_state"] == "starting"
    assert watched.run() == "Stopping"
    # On a busy machine its process starts late, which is an activity.
    assert 0.99 < time.hours < 6
    assert watched.running_at_stop == [""]


def test_of_two_notebooks_the_busy_one_runs_on_with_its_kernel(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    services.make_busy("two")
    services.make_idle("one")
    assert watched.run() == "Stopping"
    assert running("two") == "a busy kernel (python3)"
    busy = Watched(services, "two", time)
    time.on_pause = lambda: services.make_idle("two") if time.hours > 5 else None
    busy.kill_triggerer_at = 1
    assert busy.run() == "Stopping"
    assert time.hours > 5.45
    assert watched.running_at_stop == ["", ""]


def test_one_that_becomes_busy_between_warning_and_stop_is_not_stopped(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    services.make_idle("one")
    busy_since: list[float] = []

    def work_after_the_warning() -> None:
        if watched.warnings.sent and not busy_since:
            busy_since.append(time.hours)
            services.make_busy("one")
        elif busy_since and time.hours > 4:
            services.make_idle("one")

    time.on_pause = work_after_the_warning
    assert watched.run() == "Stopping"
    assert time.hours > 4.45
    assert len(watched.warnings.sent) == 2
    assert watched.running_at_stop == [""]


def test_one_that_becomes_busy_between_the_triggerers_look_and_the_stop_is_not_stopped(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    services.make_idle("one")

    def work_once(event: str) -> None:
        if event == "stop" and watched.events == ["warn", "stop"]:
            services.make_busy("one")

    watched.on_event = work_once
    time.on_pause = lambda: services.make_idle("one")
    assert watched.run() == "Stopping"
    assert watched.events == ["warn", "stop", "warn", "stop"]
    assert watched.running_at_stop == [""]


def test_one_that_somebody_keeps_runs_on(services: LocalServices, watched: Watched, time: TurnedTime) -> None:
    services.make_idle("one")

    def press_after_the_warning() -> None:
        if watched.warnings.sent:
            watched.task.xcoms.setdefault(KEEP_KEY, time.utc_now().isoformat())

    time.on_pause = press_after_the_warning
    assert watched.run() == "Stopping"
    assert len(watched.warnings.sent) == 2
    assert 1.9 < time.hours < 2.3


def test_at_the_latest_it_is_stopped_with_a_warning_that_names_what_runs(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    services.make_busy("one")
    assert watched.run(at_latest=timedelta(hours=3)) == "Stopping"
    assert 2.99 < time.hours < 3.1
    (warning,) = watched.warnings.sent
    assert (warning.at_latest, warning.running) == (True, "a busy kernel (python3)")


def test_one_that_cannot_be_reached_is_left_running_and_an_error_after_an_hour(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    services.make_busy("one")
    with pytest.MonkeyPatch.context() as patch:
        # AWS is reached by another name than the notebook, whose proxy is down.
        patch.setenv("AWS_ENDPOINT_URL", services.endpoint_url.replace("127.0.0.1", "localhost"))
        patch.setenv("no_proxy", "localhost")
        patch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
        refused = r"for 60 min .* could not be reached: Connection refused"
        with pytest.raises(NotebookInstanceUsageUnknown, match=refused):
            watched.run()
    assert 0.99 < time.hours < 1.1
    assert watched.status == "InService"
    assert running() == "a busy kernel (python3)"
    assert watched.warnings.sent == []


def test_a_triggerer_that_is_killed_changes_nothing(
    services: LocalServices, watched: Watched, time: TurnedTime
) -> None:
    services.make_idle("one")
    watched.kill_triggerer_at = 2
    assert watched.run() == "Stopping"
    assert watched.events == ["warn", "stop"]
    assert len(watched.warnings.sent) == 1
