"""Thread limits for blocking requests: a connection that hangs blocks its own threads only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from airflow_sagemaker_presign.launch_page.lru_dict import LruDict
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask

T = TypeVar("T")

DATABASE_THREADS = 20
MAX_CONNECTIONS = 256


class ThreadLimits:
    """Runs blocking functions in threads. A request that waits for a free thread does not occupy one."""

    def __init__(self, for_a_connection: int) -> None:
        self._for_a_connection = for_a_connection
        self._own = anyio.CapacityLimiter(DATABASE_THREADS)
        # Used in the event loop only, which has one thread.
        self._connections: LruDict[object, anyio.CapacityLimiter] = LruDict(MAX_CONNECTIONS)

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function that uses Airflow's database."""
        return await anyio.to_thread.run_sync(functools.partial(function, *arguments), limiter=self._own)

    async def run_for_connection(self, task: RenderedTask, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function that calls SageMaker, in one of the threads of the task's connection."""
        connection = task.team_name, task.aws_conn_id
        limiter = self._connections.get(connection)
        if limiter is None:
            limiter = self._connections[connection] = anyio.CapacityLimiter(self._for_a_connection)
        return await anyio.to_thread.run_sync(functools.partial(function, *arguments), limiter=limiter)
