"""The AWS requests of all watches with the same client key in an event loop: one client, one limit, one at a time."""

from __future__ import annotations

import asyncio
import logging
import random
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.idle.look import Request
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.poller.rate_limited_client import RateLimitedClient
from airflow_sagemaker_presign.waiting.poller.rate_limiter import RateLimiter
from airflow_sagemaker_presign.waiting.poller.registry import requests_per_second

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook

log = logging.getLogger(__name__)


class _SharedClient:
    """The client of a client key, and how many watches use it."""

    def __init__(self, client_key: ClientKey, runtime: Runtime) -> None:
        self.users = 0
        self._runtime = runtime
        self._one_at_a_time = asyncio.Lock()
        self.client = RateLimitedClient(
            lambda: _connect(client_key),
            RateLimiter(requests_per_second(), random.Random()),
            runtime,
            lambda line, begins: (log.warning if begins else log.info)("%s", line),
        )

    async def request(self, send: Callable[[WorkspaceHook], Any]) -> Any:
        """Send a request, once the limit allows it; raises what the client raises."""
        async with self._one_at_a_time:
            now = self._runtime.monotonic()
            await self._runtime.pause(max(0.0, self.client.rate_limiter.ready_at(now) - now))
            if not self.client.connected:
                await self.client.connect()
            return await self.client.request(send)


def _connect(client_key: ClientKey) -> WorkspaceHook:
    # What looks need is imported here, too, off the event loop.
    from airflow_sagemaker_presign.usage import jupyter_session  # noqa: F401

    return client_key.connect()


_CLIENTS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[ClientKey, _SharedClient]] = (
    weakref.WeakKeyDictionary()
)


@asynccontextmanager
async def shared_requests(client_key: ClientKey, runtime: Runtime) -> AsyncIterator[Request]:
    """Send requests for as long as the block runs; the client is closed after its last block."""
    clients = _CLIENTS.setdefault(asyncio.get_running_loop(), {})
    shared = clients.setdefault(client_key, _SharedClient(client_key, runtime))
    shared.users += 1
    try:
        yield shared.request
    finally:
        shared.users -= 1
        if not shared.users:
            del clients[client_key]
            shared.client.close()
