"""Rate-limited requests to AWS, one at a time, from a worker thread; transient failures slow them down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_sagemaker_presign import exceptions, metrics
from airflow_sagemaker_presign.hooks.error_codes import STALE_CREDENTIALS_CODES, THROTTLING_CODES
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RateLimiter
from airflow_sagemaker_presign.waiting.request_history import RequestHistory

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook

T = TypeVar("T")

MIN_CLIENT_SECONDS = 30.0
"""Seconds that a client lives at least, before credentials gone stale are reason enough for a new one."""


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
    :param runtime: the time.
    :param log: takes a line about an outage that begins or ends.
    :param call: makes a blocking call off the event loop.
    """

    def __init__(
        self,
        connect: Callable[[], WorkspaceHook],
        rate_limiter: RateLimiter,
        runtime: Runtime,
        log: Callable[[str], object],
        call: Callable[..., Awaitable[Any]] = in_thread,
    ) -> None:
        self.rate_limiter = rate_limiter
        self.history = RequestHistory(lambda line, begins: log(line))
        self.throttled = False
        """Whether the last failure was that AWS throttled."""
        self._connect = connect
        self._runtime = runtime
        self._call = call
        self._hook: WorkspaceHook | None = None
        self._made_at = 0.0

    async def request(self, send: Callable[[WorkspaceHook], T]) -> T:
        """
        Send one request; the rate limiter has to be ready for it.

        :param send: sends it through the hook; :meth:`connect` comes first.
        :raises SageMakerUnavailable: when it failed, and may work later.
        :raises WorkspaceError: the class that says why AWS refused.
        """
        self.rate_limiter.take(self._runtime.monotonic())
        try:
            answer: T = await self._call(send, self._hook)
        except exceptions.WorkspaceError as error:
            raise self._failed(error) from None
        self.history.succeeded(self._runtime.monotonic())
        self.rate_limiter.answered()
        return answer

    @property
    def connected(self) -> bool:
        """Whether there is a client."""
        return self._hook is not None

    async def connect(self) -> None:
        """
        Make the client.

        :raises SageMakerUnavailable: when that may work later.
        :raises WorkspaceError: the class that says why there can be none.
        """
        try:
            self._hook = await self._call(self._connect)
        except exceptions.WorkspaceError as error:
            raise self._failed(error) from None
        self._made_at = self._runtime.monotonic()

    def close(self) -> None:
        """Close the client, if there is one."""
        hook, self._hook = self._hook, None
        if hook is not None:
            hook.close()

    def _failed(self, error: exceptions.WorkspaceError) -> exceptions.WorkspaceError:
        """Note a request that failed; return the error that the waits get."""
        now = self._runtime.monotonic()
        error = self.history.failed(error, now)
        if not isinstance(error, exceptions.SageMakerUnavailable):
            self.rate_limiter.answered()
            return error
        self.throttled = error.code in THROTTLING_CODES
        self.rate_limiter.failed(now, throttled=self.throttled)
        if self.throttled:
            metrics.incr("throttles")
        if error.code in STALE_CREDENTIALS_CODES and now - self._made_at >= MIN_CLIENT_SECONDS:
            self.close()
        return error
