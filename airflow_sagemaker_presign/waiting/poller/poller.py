"""One poller for all waits of an account view: it looks at AWS once for everybody, and each wait waits on a future."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import functools
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.waiting.state_machine import Action, Look, Wait, decide, must_have_moved_at, not_found
from airflow_sagemaker_presign.waiting.poller.describe_queue import DescribeQueue
from airflow_sagemaker_presign.waiting.poller.list_sweep import ROUND, Lists
from airflow_sagemaker_presign.waiting.poller.rate_limited_client import Clock, Hook, PatientClient, in_thread
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RequestBudget
from airflow_sagemaker_presign.waiting.poller.pending_waits import (
    BY_ITSELF,
    BY_SWEEP,
    NEVER,
    Survey,
    Waiter,
    Waiters,
    next_to_describe,
    survey,
)

GATHER = 0.25
"""Seconds in which those who come together are let in, before the poller looks up."""

LINGER = 30.0
"""Seconds that a poller without waits keeps its client for the next one."""

CHUNK = 25
"""Rows of a page after which the event loop gets its turn."""

FEW_LOGS = 20
"""Up to so many waits are told of trouble in their own logs; with more it would be a flood."""

LEAST_PAUSE, MOST_PAUSE = 0.001, 60.0

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class StatusPoller:
    """
    Serves the waits of one account view, for as long as there are any.

    :param connect: makes the hook; called off the event loop.
    :param per_second: how many requests a second it may send.
    :param on_end: called when it ends, before anybody learns of it.
    :param clock: the time.
    :param call: makes a blocking call off the event loop.
    :param jitter: random numbers.
    """

    def __init__(
        self,
        connect: Callable[[], Hook],
        per_second: float,
        on_end: Callable[[], object] = lambda: None,
        *,
        clock: Clock | None = None,
        call: Callable[..., Awaitable[Any]] = in_thread,
        jitter: random.Random | None = None,
    ) -> None:
        self.waiters = Waiters()
        self._clock = clock or Clock()
        self._jitter = jitter or random.Random()
        self._client = PatientClient(connect, RequestBudget(per_second, self._jitter), self._clock, self._tell, call)
        self._lists = Lists(self.waiters, self._client, self._clock, self._hear_page, self._describe_soon, self._jitter)
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._sends: dict[Waiter, tuple[Action, Look]] = {}
        self._describes = DescribeQueue(self.waiters)
        self._described_at = self._answered_at = NEVER
        self._stretch = 1.0

    async def wait_for(self, wait: Wait, poll_interval: float) -> Wait:
        """
        Wait until a notebook instance is where it is to be.

        :param wait: what the wait knows so far.
        :param poll_interval: seconds within which a change is noticed in the usual range.
        :return: what it knows at the end.
        :raises NotebookInstanceError: the class that says why the goal will not be reached.
        """
        loop, now = asyncio.get_running_loop(), self._clock.now()
        waiter = Waiter(
            wait,
            poll_interval,
            future=loop.create_future(),
            context=contextvars.copy_context(),
            joined=now,
            known=now - max(0.0, self._clock.wall() - wait.began_at),
        )
        self.waiters.add(waiter)
        self._client.accepted = self._client.accepted or bool(wait.status)
        self._wake.set()
        if self._task is None:
            # In a context of its own: the first trigger's would give it that one's log.
            self._task = loop.create_task(self._run(), name="status-poller", context=contextvars.Context())
        try:
            return await waiter.future
        finally:
            self._let_go(waiter)

    async def _run(self) -> None:
        ended_by = "nobody waited any more"
        try:
            await self._gather()
            while await self._turn():
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
            for waiter in list(self.waiters):
                self._end(waiter, RuntimeError(f"The poller of the notebook instances ended: {ended_by}"))
            self._client.close()

    async def _gather(self) -> None:
        """Make the client while those come who come at the same time: many at once keep a triggerer busy as it is."""
        await self._connect()
        came = 1
        for seconds in (GATHER, ROUND, ROUND):
            await self._clock.pause(seconds)
            if self.waiters.count <= came:
                return
            came = self.waiters.count

    async def _turn(self) -> bool:
        """Do what is due next, or let time pass until then; ``False``: nobody has waited for a while."""
        self._wake.clear()
        metrics.level("waits", self.waiters.count)
        if not self.waiters.count:
            await self._clock.pause(LINGER, self._wake)
            return self.waiters.count > 0
        now, wall = self._clock.now(), self._clock.wall()
        listed = self.waiters.count > self._lists.pages + 1 and not self._lists.refused(now)
        answered = self._answered_at if self._client.connected else now
        found = survey(self.waiters, now, wall, self._share, listed=listed, answered=answered)
        for waiter in found.overdue:
            self._end_overdue(waiter, wall)
        self._end_unanswered(now)
        self._describe_soon(found.unmoved)
        if not self.waiters.count:
            return True
        jobs = self._list_jobs(found, now) if listed else self._describe_jobs(found, now, wall)
        at, job = next((each for each in jobs if each[0] <= now), min(jobs, key=lambda each: each[0]))
        seconds = min(max(at, self._client.budget.ready_at(now)) - now, found.wake_in, MOST_PAUSE)
        if seconds > 0:
            await self._clock.pause(max(seconds, LEAST_PAUSE), self._wake)
            if self._wake.is_set():
                await self._clock.pause(GATHER)
        elif not self._client.connected:
            await self._connect()
        else:
            await job()
        return True

    async def _connect(self) -> None:
        try:
            await self._client.connect()
            self._answered_at = self._clock.now()
        except exceptions.SageMakerUnavailable:
            return
        except Exception as error:
            for waiter in list(self.waiters):
                self._end(waiter, error)

    @property
    def _share(self) -> float:
        return BY_ITSELF if self.waiters.count <= 2 else BY_SWEEP

    def _list_jobs(self, found: Survey, now: float) -> list[tuple[float, Job]]:
        """Say what is to be done and when; what comes first goes first when several are due."""
        self._lists.catch_up(found.behind, now)
        sweep = (self._lists.sweep_at(now, found.pace), self._lists.sweep)
        full_look = (self._lists.full_look_at(), self._lists.full_look)
        if not self._lists.hurried:
            return [sweep, *self._soon(now), full_look]
        # Who was here before goes first. If nobody was, the full look does: its answers tell AWS's time for the sweep.
        lists = [full_look, sweep] if self._lists.swept == NEVER else [sweep, full_look]
        return [*lists, *self._soon(now)]

    def _describe_jobs(self, found: Survey, now: float, wall: float) -> list[tuple[float, Job]]:
        """Say the same where nothing is listed, and each is described in turn."""
        self._lists.abandon()
        name, at = next_to_describe(self.waiters, wall, self._share * self._stretch)
        spread = self._described_at + found.pace * self._stretch / self.waiters.count
        return [*self._soon(now), (max(at, spread), lambda: self._describe(name))]

    def _soon(self, now: float) -> list[tuple[float, Job]]:
        soon: list[tuple[float, Job]] = [(now, self._send_one)] if self._sends else []
        if name := self._describes.first():
            soon.append((now, functools.partial(self._describe, name)))
        return soon

    async def _hear_page(self, looks: Mapping[str, Look], asked_at: float) -> None:
        self._answered_at = self._clock.now()
        for number, (name, look) in enumerate(looks.items(), 1):
            for waiter in self.waiters.of(name):
                if waiter.is_news(look):
                    self._hear(waiter, look, asked_at, described=False)
                elif look.last_modified == waiter.last_modified:
                    waiter.told(asked_at)
                    if must_have_moved_at(waiter.wait) is None:
                        waiter.heard = asked_at
            if number % CHUNK == 0:
                await self._clock.pause(0)

    async def _describe(self, name: str) -> None:
        asked_at = self._described_at = self._clock.now()
        self._stretch = self._jitter.uniform(0.9, 1.0)
        for waiter in self.waiters.of(name):
            waiter.tried = asked_at
        # Behind the others, in case it comes to nothing: it may be this one only that fails.
        self._describes.defer(name)
        try:
            look = await self._client.ask("look_at", name)
        except exceptions.SageMakerUnavailable:
            return
        except Exception as error:
            for waiter in self.waiters.of(name):
                self._end(waiter, error)
        else:
            self._answered_at = self._clock.now()
            self._describes.remove(name)
            for waiter in self.waiters.of(name):
                self._hear(waiter, look, asked_at, described=True)

    async def _send_one(self) -> None:
        waiter, (action, look) = next(iter(self._sends.items()))
        name = waiter.wait.notebook_instance_name
        try:
            await self._client.ask("send", action, name)
        except exceptions.SageMakerUnavailable:
            if waiter in self._sends:
                self._sends[waiter] = self._sends.pop(waiter)
        except Exception as error:
            self._end(waiter, error)
        else:
            self._sends.pop(waiter, None)
            waiter.wait = waiter.wait.after_sending(look, self._clock.wall())
            waiter.tell("Sent a %s to notebook instance %s.", action.value, name)

    def _describe_soon(self, names: Iterable[str]) -> None:
        self._describes.add(names, self._clock.now())

    def _hear(self, waiter: Waiter, look: Look, asked_at: float, *, described: bool) -> None:
        """Let a wait know what AWS said of its notebook instance."""
        status = waiter.wait.status
        try:
            wait, action = decide(waiter.wait, look, self._clock.wall())
        except exceptions.NotebookInstanceError as error:
            if described or isinstance(error, exceptions.NotebookInstanceWaitTimeout):
                self._end(waiter, error)
            else:
                # A row of a list has no reason in it, and nothing ends badly by a row alone.
                self._describes.insist(waiter.wait.notebook_instance_name)
            return
        waiter.wait, waiter.heard, waiter.last_modified = wait, asked_at, look.last_modified
        waiter.told(asked_at)
        if wait.status != status:
            waiter.tell("Notebook instance %s is %s.", wait.notebook_instance_name, wait.status)
        self._sends.pop(waiter, None)
        if action is Action.DONE:
            self._let_go(waiter)
            if not waiter.future.done():
                waiter.future.set_result(wait)
        elif action is not Action.WAIT:
            self._sends[waiter] = (action, look)

    def _end_overdue(self, waiter: Waiter, wall: float) -> None:
        try:
            waiter.wait.check_deadline(wall, self._client.trouble.problem, self._client.trouble.advice)
        except exceptions.NotebookInstanceWaitTimeout as error:
            self._end(waiter, error)

    def _end_unanswered(self, now: float) -> None:
        """End the waits that AWS never answered, once that has lasted too long."""
        if self._client.first_answer.problem is None:
            return
        for waiter in list(self.waiters):
            error = None if waiter.wait.status else self._client.first_answer.given_up(now, waiter.joined)
            if error is not None:
                self._end(waiter, error)

    def _end(self, waiter: Waiter, error: Exception) -> None:
        self._let_go(waiter)
        if isinstance(error, exceptions.NotebookInstanceNotFound):
            error = not_found(waiter.wait, error)
        if not waiter.future.done():
            # Each gets one of its own: raising writes a traceback into it.
            waiter.future.set_exception(_named(error, waiter.wait.notebook_instance_name))

    def _let_go(self, waiter: Waiter) -> None:
        self.waiters.remove(waiter)
        self._sends.pop(waiter, None)
        if not self.waiters.count:
            self._wake.set()

    def _tell(self, line: str) -> None:
        log.warning("%s", line)
        if self.waiters.count <= FEW_LOGS:
            for waiter in self.waiters:
                waiter.tell("%s", line)


def _named(error: Exception, name: str) -> Exception:
    if isinstance(error, exceptions.NotebookInstanceError):
        return type(error)(name, error.problem, error.advice)
    return copy.copy(error)
