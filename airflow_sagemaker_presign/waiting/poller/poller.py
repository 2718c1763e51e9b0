"""The status poller: one task per client key that sends the requests of all its waits; each wait awaits a future."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime
from airflow_sagemaker_presign.waiting.poller.describe_queue import DescribeQueue
from airflow_sagemaker_presign.waiting.poller.due_jobs import DueJob, next_due, prioritize
from airflow_sagemaker_presign.waiting.poller.list_sweep import TRIGGER_BATCH_SECONDS, ListSweep
from airflow_sagemaker_presign.waiting.poller.pending_waits import (
    DESCRIBE_SHARE,
    LIST_SHARE,
    NEVER,
    PendingWait,
    PendingWaits,
    Survey,
    due_errors,
    next_to_describe,
    survey,
)
from airflow_sagemaker_presign.waiting.poller.rate_limited_client import RateLimitedClient, in_thread
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RateLimiter
from airflow_sagemaker_presign.waiting.poller.send_queue import SendQueue
from airflow_sagemaker_presign.waiting.state_machine import Action, WaitState, transition_overdue_at
from airflow_sagemaker_presign.waiting.step import decide
from airflow_sagemaker_presign.workspaces.base import Observation, Workspace

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook

GATHER_SECONDS = 0.25
"""Seconds that the poller collects waits that start together, before its first request."""

IDLE_CLIENT_SECONDS = 30.0
"""Seconds that a poller without waits keeps its client."""

ROWS_PER_YIELD = 25
"""Rows of a page that are processed before the poller yields to the event loop."""

MAX_LOGGED_WAITS = 20
"""Up to this many waits, an outage is logged to each task's log; above it, to the triggerer's log only."""

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.001, 60.0

log = logging.getLogger(__name__)


class StatusPoller:
    """
    Polls AWS for all waits of one client key and one kind of workspace, until none is left.

    :param kind: the kind of workspace.
    :param connect: returns a hook with a client; called off the event loop, since it blocks.
    :param per_second: the limit of requests per second.
    :param on_end: called when the poller ends, before the remaining waits fail.
    :param runtime: clock and pauses.
    :param call: runs a blocking call off the event loop.
    :param jitter: random numbers for delays; default: a new generator.
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
        self._sends = SendQueue(self._client, runtime, self._fail)
        self._describes = DescribeQueue(self.pending_waits)
        self._described_at = self._responded_at = NEVER
        self._stretch = 1.0

    async def wait_for(self, wait: WaitState, poll_interval: float) -> WaitState:
        """Wait until a workspace has reached the goal, and return the final state of the wait."""
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
            # In a new context: with the first trigger's, the poller would log to that trigger's task.
            self._task = loop.create_task(self._run(), name="status-poller", context=contextvars.Context())
        try:
            return await pending_wait.future
        finally:
            self._remove(pending_wait)

    async def _run(self) -> None:
        ended_by = "no wait was left"
        try:
            await self._gather()
            while await self._step():
                pass
        except Exception as error:
            ended_by = repr(error)
            log.exception("The status poller failed.")
        except asyncio.CancelledError:
            ended_by = "the event loop is closing"
            raise
        finally:
            # Unregister first, so that a new wait does not join a poller that is ending.
            self._on_end()
            for pending_wait in list(self.pending_waits):
                self._fail(pending_wait, RuntimeError(f"The status poller ended: {ended_by}."))
            self._client.close()

    async def _gather(self) -> None:
        """Connect, then pause as long as more waits keep arriving: the first list then covers them all."""
        await self._connect()
        known = 1
        for seconds in (GATHER_SECONDS, TRIGGER_BATCH_SECONDS, TRIGGER_BATCH_SECONDS):
            await self._runtime.pause(seconds)
            if self.pending_waits.count <= known:
                return
            known = self.pending_waits.count

    async def _step(self) -> bool:
        """Send the request that is due next, or pause until one is; return ``False`` once the poller is idle."""
        self._wake.clear()
        metrics.gauge("waits", self.pending_waits.count)
        if not self.pending_waits.count:
            await self._runtime.pause(IDLE_CLIENT_SECONDS, self._wake)
            return self.pending_waits.count > 0
        now, wall = self._runtime.monotonic(), self._runtime.time()
        listed = self.pending_waits.count > self._list_sweep.pages + 1 and not self._list_sweep.is_suspended(now)
        responded = self._responded_at if self._client.connected else now
        found = survey(self.pending_waits, now, wall, self._share, listed=listed, responded=responded)
        for pending_wait, error in due_errors(
            self.pending_waits, found.overdue, self._client.history, now, wall
        ).items():
            self._fail(pending_wait, error)
        self._describe_soon(found.unmoved)
        if not self.pending_waits.count:
            return True
        jobs = self._list_jobs(found, now) if listed else self._describe_jobs(found, now, wall)
        due = next_due(jobs, now)
        seconds = min(max(due.at, self._client.rate_limiter.ready_at(now)) - now, found.wake_in, MAX_PAUSE_SECONDS)
        if seconds > 0:
            await self._runtime.pause(max(seconds, MIN_PAUSE_SECONDS), self._wake)
            if self._wake.is_set():
                await self._runtime.pause(GATHER_SECONDS)
        elif not self._client.connected:
            await self._connect()
        else:
            await due.run()
        return True

    async def _connect(self) -> None:
        try:
            await self._client.connect()
            self._responded_at = self._runtime.monotonic()
        except exceptions.SageMakerUnavailable:
            return
        except Exception as error:
            for pending_wait in list(self.pending_waits):
                self._fail(pending_wait, error)

    @property
    def _share(self) -> float:
        return DESCRIBE_SHARE if self.pending_waits.count <= 2 else LIST_SHARE

    def _list_jobs(self, found: Survey, now: float) -> list[DueJob]:
        """Return the requests of a poller that lists, the most urgent first."""
        self._list_sweep.catch_up(found.stale_waits, now)
        return prioritize(self._list_sweep, self._immediate_jobs(now), now, found.poll_delay)

    def _describe_jobs(self, found: Survey, now: float, wall: float) -> list[DueJob]:
        """Return the requests of a poller that describes each workspace in turn, the most urgent first."""
        self._list_sweep.abandon()
        name, at = next_to_describe(self.pending_waits, wall, self._share * self._stretch)
        spread = self._described_at + found.poll_delay * self._stretch / self.pending_waits.count
        return [*self._immediate_jobs(now), DueJob(max(at, spread), lambda: self._describe(name))]

    def _immediate_jobs(self, now: float) -> list[DueJob]:
        jobs = [DueJob(now, self._sends.send_next)] if self._sends else []
        if name := self._describes.first():
            jobs.append(DueJob(now, functools.partial(self._describe, name)))
        return jobs

    async def _on_page(self, observations: Mapping[str, Observation], requested_at: float) -> None:
        self._responded_at = self._runtime.monotonic()
        for number, (name, observation) in enumerate(observations.items(), 1):
            for pending_wait in self.pending_waits.of(name):
                if pending_wait.is_newer(observation):
                    self._on_observation(pending_wait, observation, requested_at, described=False)
                elif observation.changed_at == pending_wait.changed_at:
                    pending_wait.mark_known_until(requested_at)
                    if transition_overdue_at(pending_wait.wait) is None:
                        pending_wait.last_seen = requested_at
            if number % ROWS_PER_YIELD == 0:
                await self._runtime.pause(0)

    async def _describe(self, name: str) -> None:
        requested_at = self._described_at = self._runtime.monotonic()
        self._stretch = self._jitter.uniform(0.9, 1.0)
        pending_waits = self.pending_waits.of(name)
        for pending_wait in pending_waits:
            pending_wait.described_at = requested_at
        # To the end of the queue, so that a workspace whose request keeps failing does not hold up the others.
        self._describes.defer(name)
        try:
            workspace = pending_waits[0].workspace
            observation = await self._client.request(lambda hook: hook.observe(workspace))
        except exceptions.SageMakerUnavailable:
            return
        except Exception as error:
            for pending_wait in self.pending_waits.of(name):
                self._fail(pending_wait, error)
        else:
            self._responded_at = self._runtime.monotonic()
            self._describes.remove(name)
            for pending_wait in self.pending_waits.of(name):
                self._on_observation(pending_wait, observation, requested_at, described=True)

    def _describe_soon(self, names: Iterable[str]) -> None:
        self._describes.add(names, self._runtime.monotonic())

    def _on_observation(
        self, pending_wait: PendingWait, observation: Observation, requested_at: float, *, described: bool
    ) -> None:
        """Apply an observation to a wait: log the change, end the wait, or queue a request."""
        try:
            step = decide(pending_wait.wait, observation, self._runtime.time())
        except exceptions.WorkspaceError as error:
            if described or isinstance(error, pending_wait.workspace.errors.wait_timeout):
                self._fail(pending_wait, error)
            else:
                # A row of a list has no failure reason: only a description may end a wait with an error.
                self._describes.require(pending_wait.name)
            return
        pending_wait.wait, pending_wait.last_seen = step.wait, requested_at
        pending_wait.changed_at = observation.changed_at
        pending_wait.mark_known_until(requested_at)
        if step.line:
            pending_wait.log_to_task("%s", step.line)
        self._sends.remove(pending_wait)
        if step.action is Action.DONE:
            self._remove(pending_wait)
            pending_wait.succeed(step.wait)
        elif step.has_request:
            self._sends.add(pending_wait, step)

    def _fail(self, pending_wait: PendingWait, error: Exception) -> None:
        self._remove(pending_wait)
        pending_wait.fail(error)

    def _remove(self, pending_wait: PendingWait) -> None:
        self.pending_waits.remove(pending_wait)
        self._sends.remove(pending_wait)
        if not self.pending_waits.count:
            self._wake.set()

    def _log_outage(self, line: str, begins: bool) -> None:
        log.log(logging.WARNING if begins else logging.INFO, "%s", line)
        if self.pending_waits.count <= MAX_LOGGED_WAITS:
            for pending_wait in self.pending_waits:
                pending_wait.log_to_task("%s", line)
