"""Rate-limited requests to AWS, one at a time, from a worker thread; transient failures slow them down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.waiting.outage_log import FirstResponse, OutageLog
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RateLimiter
from airflow_sagemaker_presign.waiting.state_machine import Action, Observation
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstancePage

MIN_CLIENT_SECONDS = 30.0
"""Seconds that a client lives at least, before credentials gone stale are reason enough for a new one."""


class Hook(Protocol):
    """What is needed of :class:`~airflow_sagemaker_presign.hooks.sagemaker_notebook.SageMakerNotebookInstanceHook`."""

    def observe(self, name: str) -> Observation:
        """Describe."""

    def list_notebook_instances(
        self,
        *,
        last_modified_after: datetime | None = None,
        status_equals: str | None = None,
        next_token: str | None = None,
    ) -> NotebookInstancePage:
        """Return one page of a list."""

    def send(self, action: Action, name: str) -> bool:
        """Start or stop."""

    def close(self) -> None:
        """Give the connection back."""


class Clock:
    """The time, and how it passes; tests turn one of their own."""

    def now(self) -> float:
        """Tell the seconds of a clock that never goes back."""
        return time.monotonic()

    def wall(self) -> float:
        """Tell the seconds since the epoch."""
        return time.time()

    async def pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Let time pass, at the longest until ``wake`` is set."""
        if wake is None:
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait_for(wake.wait(), seconds)
        except TimeoutError:
            return


async def in_thread(call: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """
    Make a call that blocks, off the event loop. Who is cancelled meanwhile still waits for the call to end.

    With asgiref, a dependency of Airflow's, since before 3.2 a triggerer's channel to its supervisor belongs to its
    event loop: look-ups in a thread that asgiref does not know read each other's answers, and the triggerer dies of it.
    """
    from asgiref.sync import sync_to_async

    thread = asyncio.ensure_future(sync_to_async(call, thread_sensitive=False)(*values, **named))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        thread.exception()  # Else asyncio logs an error that nobody asked for.
        raise


class RateLimitedClient:
    """
    The client of one client key, made when it is first needed.

    :param connect: makes the hook; slow, so it is called off the event loop.
    :param rate_limiter: when the next request may go out.
    :param clock: the time.
    :param log_outage: takes a line about an outage that begins or ends.
    :param call: makes a blocking call off the event loop.
    """

    def __init__(
        self,
        connect: Callable[[], Hook],
        rate_limiter: RateLimiter,
        clock: Clock,
        log_outage: Callable[[str], None],
        call: Callable[..., Awaitable[Any]] = in_thread,
    ) -> None:
        self.rate_limiter = rate_limiter
        self.outage_log = OutageLog()
        self.first_response = FirstResponse()
        self.accepted = False
        """Whether AWS accepted a request of one of the waits, be it before they came here."""
        self.throttled = False
        """Whether the last failure was that AWS throttled."""
        self._connect = connect
        self._clock = clock
        self._log_outage = log_outage
        self._call = call
        self._hook: Hook | None = None
        self._made_at = 0.0

    async def ask(self, operation: str, *values: Any, **named: Any) -> Any:
        """
        Send one request; the rate limiter has to be ready for it.

        :param operation: a method of the hook; :meth:`connect` comes first.
        :raises SageMakerUnavailable: when it failed, and may well work later.
        :raises NotebookInstanceError: the class that says why AWS refused.
        """
        self.rate_limiter.take(self._clock.now())
        try:
            answer = await self._call(getattr(self._hook, operation), *values, **named)
        except exceptions.NotebookInstanceError as error:
            raise self._note_failure(error) from None
        self.accepted = True
        self._answered()
        return answer

    @property
    def connected(self) -> bool:
        """Whether there is a client."""
        return self._hook is not None

    async def connect(self) -> None:
        """
        Make the client.

        :raises SageMakerUnavailable: when that may well work later.
        :raises NotebookInstanceError: the class that says why there can be none.
        """
        try:
            self._hook = await self._call(self._connect)
        except exceptions.NotebookInstanceError as error:
            raise self._note_failure(error) from None
        self._made_at = self._clock.now()

    def close(self) -> None:
        """Give the connection back, and the client with it."""
        hook, self._hook = self._hook, None
        if hook is not None:
            hook.close()

    def _note_failure(self, error: exceptions.NotebookInstanceError) -> exceptions.NotebookInstanceError:
        """Note what came of a request; return the error that the waits get."""
        from airflow_sagemaker_presign.hooks import aws_errors

        error = aws_errors.transient_if_accepted_before(error, accepted=self.accepted)
        if not isinstance(error, exceptions.SageMakerUnavailable):
            self._answered()
            return error
        if error.code in aws_errors.STALE_CREDENTIALS_CODES and self._clock.now() - self._made_at >= MIN_CLIENT_SECONDS:
            self.close()
        self._note(error, throttled=error.code in aws_errors.THROTTLING_CODES)
        return error

    def _note(self, error: exceptions.SageMakerUnavailable, *, throttled: bool) -> None:
        now, self.throttled = self._clock.now(), throttled
        self.first_response.failed(error, now)
        self.rate_limiter.failed(now, throttled=throttled)
        if throttled:
            metrics.incr("throttles")
        if line := self.outage_log.request_failed(error, now):
            self._log_outage(line)

    def _answered(self) -> None:
        self.first_response.arrived()
        self.rate_limiter.answered()
        if line := self.outage_log.request_succeeded(self._clock.now()):
            self._log_outage(line)
