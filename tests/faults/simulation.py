"""Runs the operator as Airflow does: execute, defer, the trigger made from its stored arguments, and the resumption."""

from __future__ import annotations

import asyncio
import functools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import TaskDeferred
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator
from airflow_sagemaker_presign.waiting.poller import registry
from airflow_sagemaker_presign.waiting.poller.poller import StatusPoller
from tests.faults.database import Database, TaskInstance
from tests.faults.leak_detector import LeakDetector
from tests.faults.recipients import Arrival, Inbox, Recipient, Send
from tests.faults.transport import Fault, Transport
from tests.faults.virtual_time import VirtualRuntime, VirtualTime
from tests.helpers.service_models import create_loader_once
from tests.helpers.simulated_account import Account

RESUMED_AFTER = 2.0

make_client = SageMakerNotebookInstanceHook.get_client_type
clients: dict[Any, Any] = {}


def shared_client(hook: SageMakerNotebookInstanceHook, region_name: str | None = None, config: Any = None) -> Any:
    """Give those who would get equal clients the same one: making one takes longer than an hour of virtual waiting."""
    connection = hook.conn_config
    options = repr(sorted(vars(config or hook.config).items(), key=lambda option: option[0]))
    wanted = (connection.aws_access_key_id, connection.region_name, hook.verify, options)
    if connection.aws_access_key_id is None or connection.role_arn or connection.endpoint_url:
        return make_client(hook, region_name, config)
    if wanted not in clients:
        clients[wanted] = make_client(hook, region_name, config)
    return clients[wanted]


@dataclass
class Outcome:
    """What came of one task."""

    name: str
    timeout: float
    began: float
    receipt: dict[str, Any] | None = None
    error: Exception | None = None
    waited_until: float | None = None
    reached: bool = True
    """Whether the wait in the triggerer got where it was to get."""
    ended: float = 0.0
    pushed: dict[str, Any] = field(default_factory=dict)


@dataclass
class Deferred:
    """A task that waits in the triggerer, as the database has it."""

    index: int
    at: float
    path: str
    arguments: str
    timeout: float
    event: dict[str, Any] | None = None
    event_at: float = 0.0


class Simulation:
    """
    Everything around the package, on virtual time.

    :param monkeypatch: puts it in the place of the real one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = VirtualTime()
        self.account = Account()
        self.transport = Transport(self.account, self.time)
        self.database = Database(self.time, self.account)
        self.inbox = Inbox(self.time)
        self.leak_detector = LeakDetector()
        self.kill: Callable[[int], float | None] = lambda number: None
        """Says, for the number of a request, in how many seconds from it the triggerer dies; ..."""
        self.back_after = 10.0
        """... and after how many seconds there is another."""
        self.resumed_after = RESUMED_AFTER
        """In how many seconds from its event a task has a slot again."""
        self._install(monkeypatch)

    def _install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("urllib3.connectionpool.HTTPConnectionPool.urlopen", _method(self.transport.urlopen))
        monkeypatch.setattr(SageMakerNotebookInstanceHook, "get_client_type", shared_client)
        monkeypatch.setattr("botocore.session.create_loader", create_loader_once)
        self.runtime = VirtualRuntime(self.time)
        monkeypatch.setattr(registry, "StatusPoller", functools.partial(StatusPoller, jitter=random.Random(7)))
        # Its second line of defence must not do the work of the first.
        monkeypatch.setattr("airflow_sagemaker_presign.compat.mask_secret", lambda *_: None, raising=False)
        self.database.install(monkeypatch)

    def fault(self, what: Callable[..., Any], **when: Any) -> None:
        """Add to the script."""
        self.transport.faults.append(Fault(what, **when))

    def person(self, *sends: Send, to: str = "ada@example.com") -> Recipient:
        """Make a notifier."""
        return Recipient(to, self.inbox, sends)

    def run(self, *names: str, **arguments: Any) -> list[Outcome]:
        """
        Run a task for each notebook instance, all at once.

        :param names: the notebook instances; default: ``research``.
        :param arguments: the operators'.
        """
        with self.leak_detector.watching():
            outcomes = self.run_unwatched(*names or ("research",), **arguments)
        for outcome in outcomes:
            self.leak_detector.saw([outcome.receipt, outcome.pushed])
            self.leak_detector.saw_error(outcome.error)
        return outcomes

    def run_one(self, **arguments: Any) -> Outcome:
        """Run a task for one notebook instance, ``research``."""
        (outcome,) = self.run(**arguments)
        return outcome

    def starts(self, name: str = "research") -> int:
        """Count the Starts that AWS took."""
        return [started for _, started in self.account.started].count(name)

    def arrivals(self, name: str = "research", to: str | None = None) -> list[Arrival]:
        """List the delivered links to a notebook instance."""
        return [each for each in self.inbox.arrivals if f"//{name}." in each.url and to in (None, each.to)]

    def validity_left(self, arrival: Arrival) -> float:
        """Say for how many seconds a link lived on when it arrived."""
        bare = arrival.url.partition("&view=")[0]
        (mint,) = [mint for mint in self.account.mints if mint.url == bare]
        return mint.expires - arrival.at

    def run_unwatched(self, *names: str, **arguments: Any) -> list[Outcome]:
        """Run a task for each notebook instance, with logs and consoles as they are."""
        began = self.time.seconds
        tasks = []
        for name in names:
            given = {"deferrable": True, **arguments}
            given.setdefault("notifiers", [self.person(to=f"{name}@example.com")])
            tasks.append(
                functools.partial(
                    SageMakerPresignedNotebookUrlOperator, task_id="notebook", notebook_instance_name=name, **given
                )
            )
        timeout = tasks[0]().timeout.total_seconds()
        outcomes = [Outcome(name, timeout, began) for name in names]
        waiting = []
        for index, (task, outcome) in enumerate(zip(tasks, outcomes, strict=True)):
            self.time.seconds = began
            deferred = self._step(task, outcome, "execute")
            if deferred is not None:
                waiting.append(self._stored(index, deferred))
        while waiting:
            self._triggerer(waiting)
            resumed, waiting = waiting, []
            for trigger in resumed:
                deferred = self._resume(tasks[trigger.index], outcomes[trigger.index], trigger)
                if deferred is not None:
                    waiting.append(self._stored(trigger.index, deferred))
        self.time.seconds = max(outcome.ended for outcome in outcomes)
        return outcomes

    def _resume(self, task: Callable[[], Any], outcome: Outcome, trigger: Deferred) -> TaskDeferred | None:
        """Go on after the trigger's event; the task may wait again."""
        self.time.seconds = trigger.event_at + self.resumed_after
        outcome.waited_until = trigger.event_at
        outcome.reached = bool(trigger.event and trigger.event["status"] == "success")
        return self._step(task, outcome, "execute_complete", trigger.event)

    def _step(self, task: Callable[[], Any], outcome: Outcome, method: str, *event: Any) -> TaskDeferred | None:
        """Run a part of the task as if in a separate process."""
        operator = task()
        operator.__dict__["hook"] = SageMakerNotebookInstanceHook(
            operator.aws_conn_id,
            region_name=operator.region_name,
            verify=operator.verify,
            config=operator.botocore_config,
            clock=self.time.now,
        )
        operator._runtime = self.runtime
        ti = TaskInstance(self.database, outcome.pushed)
        deferred = None
        try:
            outcome.receipt = getattr(operator, method)({"ti": ti, "dag": None, "params": {}}, *event)
        except TaskDeferred as error:
            deferred = error
        except Exception as error:
            outcome.error = error
        outcome.ended = self.time.seconds
        return deferred

    def _stored(self, index: int, deferred: TaskDeferred) -> Deferred:
        assert deferred.method_name == "execute_complete"
        assert deferred.timeout is not None
        path, arguments = deferred.trigger.serialize()
        self.leak_detector.saw(arguments)
        return Deferred(index, self.time.seconds, path, json.dumps(arguments), deferred.timeout.total_seconds())

    def _triggerer(self, waiting: list[Deferred]) -> None:
        """Run the triggers until all have ended, with as many starts of the triggerer as it takes."""
        if not waiting:
            return
        self.time.seconds = min(trigger.at for trigger in waiting)
        while any(trigger.event is None for trigger in waiting):
            self.time.run(self._life_of_triggerer(waiting))
            self.time.seconds += self.back_after

    async def _life_of_triggerer(self, waiting: list[Deferred]) -> None:
        loop, killed = asyncio.get_running_loop(), asyncio.Event()

        def die(number: int) -> None:
            after = self.kill(number)
            if after is not None:
                loop.call_soon_threadsafe(loop.call_later, after, killed.set)

        self.transport.on_request = die
        try:
            waits = asyncio.gather(*(self._trigger(trigger) for trigger in waiting if trigger.event is None))
            waits.add_done_callback(lambda _: killed.set())
            await killed.wait()
            if waits.done():
                await waits
        finally:
            self.transport.on_request = lambda number: None

    async def _trigger(self, stored: Deferred) -> None:
        await asyncio.sleep(max(0.0, stored.at - self.time.seconds))
        module, _, name = stored.path.rpartition(".")
        trigger = getattr(import_module(module), name)(**json.loads(stored.arguments))
        trigger._runtime = self.runtime
        async with asyncio.timeout(stored.at + stored.timeout - self.time.seconds):
            (event,) = [event.payload async for event in trigger.run()]
        self.leak_detector.saw(event)
        stored.event, stored.event_at = json.loads(json.dumps(event)), self.time.seconds


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a class call it as its own method."""
    return lambda self, *values, **named: function(self, *values, **named)
