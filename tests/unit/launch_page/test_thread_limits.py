"""A connection to an unresponsive endpoint does not delay other users' pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from airflow_sagemaker_presign.launch_page.thread_limits import ThreadLimits

Make = Callable[..., RenderedTask]


def test_45_pages_over_a_dead_connection_leave_the_others_alone(task: Make) -> None:
    never = threading.Event()
    blocked = threading.Semaphore(0)

    def hang() -> None:
        blocked.release()
        assert never.wait(30)

    async def people() -> None:
        threads = ThreadLimits(for_a_connection=4)
        dead = [asyncio.create_task(threads.run_for_connection(task(), hang)) for _ in range(45)]
        for _ in range(4):
            await asyncio.to_thread(blocked.acquire)
        others = (task(aws_conn_id="aws_other"), task(aws_conn_id=None), task(team_name="red"))
        for other in others:
            assert await asyncio.wait_for(threads.run_for_connection(other, lambda: "page"), 20) == "page"
        assert await asyncio.wait_for(threads.run(lambda: "database"), 20) == "database"
        # Another notebook or region of the same connection is behind the same one.
        assert not blocked.acquire(blocking=False)
        never.set()
        await asyncio.gather(*dead)

    asyncio.run(people())


def test_an_error_in_a_thread_is_raised_to_its_caller(task: Make) -> None:
    def fail() -> Any:
        raise ValueError("so")

    async def ask() -> str:
        threads = ThreadLimits(for_a_connection=1)
        for _ in range(3):
            try:
                await threads.run_for_connection(task(), fail)
            except ValueError as error:
                said = str(error)
        return said

    assert asyncio.run(ask()) == "so"
