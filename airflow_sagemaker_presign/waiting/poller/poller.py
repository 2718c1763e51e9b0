"""One poller for all waits of an client key: it asks AWS once for all of them, and each wait waits on a future."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import functools
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime
from airflow_sagemaker_presign.waiting.poller.describe_queue import DescribeQueue
from airflow_sagemaker_presign.waiting.poller.list_sweep import TRIGGER_BATCH_SECONDS, ListSweep
from airflow_sagemaker_presign.waiting.poller.pending_waits import (
    DESCRIBE_SHARE,
    LIST_SHARE,
    NEVER,
    PendingWait,
    PendingWaits,
    Survey,
    next_to_describe,
    survey,
)
from airflow_sagemaker_presign.waiting.poller.rate_limited_client import RateLimitedClient, in_thread
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RateLimiter
from airflow_sagemaker_presign.waiting.state_machine import Action, WaitState, not_found, transition_overdue_at
from airflow_sagemaker_presign.waiting.step import Step, decide
from airflow_sagemaker_presign.workspaces.base import Observation, Workspace

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook

GATHER_SECONDS = 0.25
"""Seconds in which those who come together are let in, before the poller makes its first request."""

IDLE_CLIENT_SECONDS = 30.0
"""Seconds that a poller without waits keeps its client for the next one."""

ROWS_PER_YIELD = 25
"""Rows of a page after which the event loop gets its turn."""

MAX_LOGGED_WAITS = 20
"""Up to so many waits log an outage in their own task logs; with more it would be a flood."""

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.001, 60.0

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class StatusPoller:
    """
    Serves the waits of one client key for one kind of workspace, for as long as there are any.

    :param kind: the kind.
    :param connect: makes the hook; called off the event loop.
    :param per_second: how many requests a second it may send.
    :param on_end: called when it ends, before anybody learns of it.
    :param runtime: the time.
    :param call: makes a blocking call off the event loop.
    :param jitter: random numbers.
    """

    def __init__(
        self,
        kind: type[Workspace],
        connect: Callable[[], WorkspaceHook],
        per_second: float,
        on_end: Callable[[], object] = lambda: None,
        *,
        runtime: Runtime = RUNTIME,
        call: Callable[..., Awaitable[Any]] = in_thread,
        jitter: random.Random | None = None,
    ) -> None:
        self.pending_waits = PendingWaits()
        self._runtime = runtime
        self._jitter = jitter or random.Random()
        self._client = RateLimitedClient(
            connect, RateLimiter(per_second, self._jitter), runtime, self._log_outage, call
        )
        self._list_sweep = ListSweep(
            kind, self.pending_waits, self._client, runtime, self._on_page, self._describe_soon, self._jitter
        )
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._sends: dict[PendingWait, Step] = {}
        self._describes = DescribeQueue(self.pending_waits)
        self._described_at = self._answered_at = NEVER
        self._stretch = 1.0

    async def wait_for(self, wait: WaitState, poll_interval: float) -> WaitState:
        """
        Wait until a notebook instance is where it is to be.

        :param wait: what the wait knows so far.
        :param poll_interval: seconds within which a change is noticed in the usual range.
        :return: what it knows at the end.
        :raises WorkspaceError: the class that says why the goal will not be reached.
        """
        loop, now = asyncio.get_running_loop(), self._runtime.monotonic()
        pending_wait = PendingWait(
            wait,
            poll_interval,
            future=loop.create_future(),
            context=contextvars.copy_context(),
            joined=now,
            known_until=now - max(0.0, self._runtime.time() - wait.began_at),
        )
        self.pending_waits.add(pending_wait)
        self._client.history.accepted = self._client.history.accepted or bool(wait.status)
        self._wake.set()
        if self._task is None:
            # In a context of its own: the first trigger's would give it that one's log.
            self._task = loop.create_task(self._run(), name="status-poller", context=contextvars.Context())
        try:
            return await pending_wait.future
        finally:
            self._let_go(pending_wait)

    async def _run(self) -> None:
        ended_by = "nobody waited any more"
        try:
            await self._gather()
            while await self._step():
                pass
        except Exception as error:
            ended_by = repr(error)
            log.exception("The poller of the notebook instances failed.")
        except asyncio.CancelledError:
            ended_by = "the event loop ends"
            raise
        finally:
            # First make room for another, so that whoever comes now does not come to this one.
            self._on_end()
            for pending_wait in list(self.pending_waits):
                self._end(pending_wait, RuntimeError(f"The poller of the notebook instances ended: {ended_by}"))
            self._client.close()

    async def _gather(self) -> None:
        """Make the client while those come who come at the same time: many at once keep a triggerer busy as it is."""
        await self._connect()
        came = 1
        for seconds in (GATHER_SECONDS, TRIGGER_BATCH_SECONDS, TRIGGER_BATCH_SECONDS):
            await self._runtime.pause(seconds)
            if self.pending_waits.count <= came:
                return
            came = self.pending_waits.count

    async def _step(self) -> bool:
        """Do what is due next, or let time pass until then; ``False``: nobody has waited for a while."""
        self._wake.clear()
        metrics.gauge("waits", self.pending_waits.count)
        if not self.pending_waits.count:
            await self._runtime.pause(IDLE_CLIENT_SECONDS, self._wake)
            return self.pending_waits.count > 0
        now, wall = self._runtime.monotonic(), self._runtime.time()
        listed = self.pending_waits.count > self._list_sweep.pages + 1 and not self._list_sweep.is_suspended(now)
        answered = self._answered_at if self._client.connected else now
        found = survey(self.pending_waits, now, wall, self._share, listed=listed, answered=answered)
        for pending_wait in found.overdue:
            self._end_overdue(pending_wait, wall)
        self._end_unanswered(now)
        self._describe_soon(found.unmoved)
        if not self.pending_waits.count:
            return True
        jobs = self._list_jobs(found, now) if listed else self._describe_jobs(found, now, wall)
        at, job = next((each for each in jobs if each[0] <= now), min(jobs, key=lambda each: each[0]))
        seconds = min(max(at, self._client.rate_limiter.ready_at(now)) - now, found.wake_in, MAX_PAUSE_SECONDS)
        if seconds > 0:
            await self._runtime.pause(max(seconds, MIN_PAUSE_SECONDS), self._wake)
            if self._wake.is_set():
                await self._runtime.pause(GATHER_SECONDS)
        elif not self._client.connected:
            await self._connect()
        else:
            await job()
        return True

    async def _connect(self) -> None:
        try:
            await self._client.connect()
            self._answered_at = self._runtime.monotonic()
        except exceptions.SageMakerUnavailable:
            return
        except Exception as error:
            for pending_wait in list(self.pending_waits):
                self._end(pending_wait, error)

    @property
    def _share(self) -> float:
        return DESCRIBE_SHARE if self.pending_waits.count <= 2 else LIST_SHARE

    def _list_jobs(self, found: Survey, now: float) -> list[tuple[float, Job]]:
        """Return what is to be done and when; what comes first goes first when several are due."""
        self._list_sweep.catch_up(found.behind, now)
        incremental_list = (
            self._list_sweep.incremental_list_at(now, found.poll_delay),
            self._list_sweep.incremental_list,
        )
        resync = (self._list_sweep.resync_at(), self._list_sweep.resync)
        if not self._list_sweep.hurried:
            return [incremental_list, *self._soon(now), resync]
        # Who was here before goes first. If nobody was, the resync does: its answers tell AWS's time for the
        # incremental list.
        lists = (
            [resync, incremental_list]
            if self._list_sweep.last_incremental_list == NEVER
            else [incremental_list, resync]
        )
        return [*lists, *self._soon(now)]

    def _describe_jobs(self, found: Survey, now: float, wall: float) -> list[tuple[float, Job]]:
        """Return the same where nothing is listed, and each is described in turn."""
        self._list_sweep.abandon()
        name, at = next_to_describe(self.pending_waits, wall, self._share * self._stretch)
        spread = self._described_at + found.poll_delay * self._stretch / self.pending_waits.count
        return [*self._soon(now), (max(at, spread), lambda: self._describe(name))]

    def _soon(self, now: float) -> list[tuple[float, Job]]:
        soon: list[tuple[float, Job]] = [(now, self._send_one)] if self._sends else []
        if name := self._describes.first():
            soon.append((now, functools.partial(self._describe, name)))
        return soon

    async def _on_page(self, observations: Mapping[str, Observation], asked_at: float) -> None:
        self._answered_at = self._runtime.monotonic()
        for number, (name, observation) in enumerate(observations.items(), 1):
            for pending_wait in self.pending_waits.of(name):
                if pending_wait.is_newer(observation):
                    self._on_observation(pending_wait, observation, asked_at, described=False)
                elif observation.changed_at == pending_wait.changed_at:
                    pending_wait.mark_known_until(asked_at)
                    if transition_overdue_at(pending_wait.wait) is None:
                        pending_wait.last_seen = asked_at
            if number % ROWS_PER_YIELD == 0:
                await self._runtime.pause(0)

    async def _describe(self, name: str) -> None:
        asked_at = self._described_at = self._runtime.monotonic()
        self._stretch = self._jitter.uniform(0.9, 1.0)
        pending_waits = self.pending_waits.of(name)
        for pending_wait in pending_waits:
            pending_wait.described_at = asked_at
        # Behind the others, in case it comes to nothing: it may be this one only that fails.
        self._describes.defer(name)
        try:
            workspace = pending_waits[0].workspace
            observation = await self._client.request(lambda hook: hook.observe(workspace))
        except exceptions.SageMakerUnavailable:
            return
        except Exception as error:
            for pending_wait in self.pending_waits.of(name):
                self._end(pending_wait, error)
        else:
            self._answered_at = self._runtime.monotonic()
            self._describes.remove(name)
            for pending_wait in self.pending_waits.of(name):
                self._on_observation(pending_wait, observation, asked_at, described=True)

    async def _send_one(self) -> None:
        pending_wait, step = next(iter(self._sends.items()))
        try:
            await self._client.request(step.send)
        except exceptions.SageMakerUnavailable:
            if pending_wait in self._sends:
                self._sends[pending_wait] = self._sends.pop(pending_wait)
        except Exception as error:
            self._end(pending_wait, error)
        else:
            self._sends.pop(pending_wait, None)
            pending_wait.wait = step.sent(self._runtime.time())
            workspace = pending_wait.workspace
            pending_wait.log_to_task("Sent a %s to the %s %s.", step.action.value, workspace.noun, workspace.name)

    def _describe_soon(self, names: Iterable[str]) -> None:
        self._describes.add(names, self._runtime.monotonic())

    def _on_observation(
        self, pending_wait: PendingWait, observation: Observation, asked_at: float, *, described: bool
    ) -> None:
        """Apply an observation to a wait."""
        try:
            step = decide(pending_wait.wait, observation, self._runtime.time())
        except exceptions.WorkspaceError as error:
            if described or isinstance(error, pending_wait.workspace.errors.wait_timeout):
                self._end(pending_wait, error)
            else:
                # A row of a list has no reason in it, and nothing ends badly by a row alone.
                self._describes.insist(pending_wait.name)
            return
        pending_wait.wait, pending_wait.last_seen = step.wait, asked_at
        pending_wait.changed_at = observation.changed_at
        pending_wait.mark_known_until(asked_at)
        if step.news:
            pending_wait.log_to_task("%s", step.news)
        self._sends.pop(pending_wait, None)
        if step.action is Action.DONE:
            self._let_go(pending_wait)
            if not pending_wait.future.done():
                pending_wait.future.set_result(step.wait)
        elif step.has_request:
            self._sends[pending_wait] = step

    def _end_overdue(self, pending_wait: PendingWait, wall: float) -> None:
        try:
            outage = self._client.history.outage_log
            pending_wait.wait.check_deadline(wall, outage.problem, outage.advice)
        except exceptions.WorkspaceError as error:
            self._end(pending_wait, error)

    def _end_unanswered(self, now: float) -> None:
        """End the waits that AWS never answered, once that has lasted too long."""
        first_response = self._client.history.first_response
        if first_response.problem is None:
            return
        for pending_wait in list(self.pending_waits):
            error = None if pending_wait.wait.status else first_response.given_up(now, pending_wait.joined)
            if error is not None:
                self._end(pending_wait, error)

    def _end(self, pending_wait: PendingWait, error: Exception) -> None:
        self._let_go(pending_wait)
        workspace = pending_wait.workspace
        # Each gets one of its own: raising writes a traceback into it.
        error = error.about(workspace) if isinstance(error, exceptions.WorkspaceError) else copy.copy(error)
        if isinstance(error, workspace.errors.not_found):
            error = not_found(pending_wait.wait, error)
        if not pending_wait.future.done():
            pending_wait.future.set_exception(error)

    def _let_go(self, pending_wait: PendingWait) -> None:
        self.pending_waits.remove(pending_wait)
        self._sends.pop(pending_wait, None)
        if not self.pending_waits.count:
            self._wake.set()

    def _log_outage(self, line: str) -> None:
        log.warning("%s", line)
        if self.pending_waits.count <= MAX_LOGGED_WAITS:
            for pending_wait in self.pending_waits:
                pending_wait.log_to_task("%s", line)
