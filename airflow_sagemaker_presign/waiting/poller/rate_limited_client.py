"""Rate-limited requests to AWS, one at a time, from a worker thread; transient failures slow the client down."""

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
"""The minimum age of a client, in seconds, before stale credentials make the poller replace it."""


async def in_thread(call: Callable[..., Any], *values: Any, **named: Any) -> Any:
    """
    Run a blocking call off the event loop. On cancellation, wait for the call to end before raising.

    The thread is asgiref's (a dependency of Airflow): before Airflow 3.2, a triggerer's channel to its supervisor
    belongs to its event loop, and lookups from a thread unknown to asgiref read each other's responses, which
    crashes the triggerer.
    """
    from asgiref.sync import sync_to_async

    thread = asyncio.ensure_future(sync_to_async(call, thread_sensitive=False)(*values, **named))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await asyncio.wait([thread])
        thread.exception()  # Otherwise asyncio logs that the exception was never retrieved.
        raise


class RateLimitedClient:
    """
    The AWS client of one client key, created by :meth:`connect`.

    :param connect: returns a hook with a client; called off the event loop, since it blocks.
    :param rate_limiter: the limit of its requests.
    :param runtime: the clock.
    :param log: called with a log line when an outage begins or ends, and whether it begins.
    :param call: runs a blocking call off the event loop.
    """

    def __init__(
        self,
        connect: Callable[[], WorkspaceHook],
        rate_limiter: RateLimiter,
        runtime: Runtime,
        log: Callable[[str, bool], object],
        call: Callable[..., Awaitable[Any]] = in_thread,
    ) -> None:
        self.rate_limiter = rate_limiter
        self.history = RequestHistory(log)
        self.throttled = False
        """Whether the last failure was throttling."""
        self._connect = connect
        self._runtime = runtime
        self._call = call
        self._hook: WorkspaceHook | None = None
        self._made_at = 0.0

    async def request(self, send: Callable[[WorkspaceHook], T]) -> T:
        """
        Send one request. The client must be connected, and the rate limiter ready.

        :param send: sends the request through the hook.
        :raises SageMakerUnavailable: for a transient failure.
        :raises WorkspaceError: for any other failure, as the class that fits.
        """
        self.rate_limiter.take(self._runtime.monotonic())
        try:
            response: T = await self._call(send, self._hook)
        except exceptions.WorkspaceError as error:
            raise self._failed(error) from None
        self.history.succeeded(self._runtime.monotonic())
        self.rate_limiter.record_response()
        return response

    @property
    def connected(self) -> bool:
        """Whether the client exists."""
        return self._hook is not None

    async def connect(self) -> None:
        """Create the client; raise what :meth:`request` raises."""
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
        """Record a failed request; return the error for the waits."""
        now = self._runtime.monotonic()
        error = self.history.failed(error, now)
        if not isinstance(error, exceptions.SageMakerUnavailable):
            self.rate_limiter.record_response()
            return error
        self.throttled = error.code in THROTTLING_CODES
        self.rate_limiter.failed(now, throttled=self.throttled)
        if self.throttled:
            metrics.incr("throttles")
        if error.code in STALE_CREDENTIALS_CODES and now - self._made_at >= MIN_CLIENT_SECONDS:
            self.close()
        return error
