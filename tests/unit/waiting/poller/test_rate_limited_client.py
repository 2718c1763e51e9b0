from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from airflow_sagemaker_presign.waiting.poller.rate_limited_client import in_thread


async def here() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_a_call_to_airflow_from_a_thread_runs_on_the_channels_event_loop() -> None:
    """So a triggerer before Airflow 3.2 asks; on another loop it reads answers that are not for it, and dies."""

    async def ask() -> None:
        thread, loop = await in_thread(lambda: (threading.get_ident(), async_to_sync(here)()))
        assert thread != threading.get_ident()
        assert loop is asyncio.get_running_loop()

    asyncio.run(ask())


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancelled_caller_waits_until_the_call_ends_before_it_is_cancelled(fails: bool) -> None:
    under_way, go_on = threading.Event(), threading.Event()
    complaints: list[dict[str, Any]] = []

    def call() -> None:
        under_way.set()
        go_on.wait(30)
        if fails:
            raise OSError("no answer")

    async def cancel() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        task = asyncio.ensure_future(in_thread(call))
        await asyncio.to_thread(under_way.wait, 30)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    gc.collect()
    assert complaints == []
