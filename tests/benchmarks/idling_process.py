"""
One measurement of the idling benchmark, in a separate process: ``python -m tests.benchmarks.idling_process PLAN``.

It watches busy notebooks in one event loop, as a triggerer does, and prints what that took, as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
from typing import Any

import boto3  # noqa: F401

from airflow_sagemaker_presign.idle.watch import LOOK_INTERVAL_SECONDS, IdleWatch
from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceIdleTrigger
from airflow_sagemaker_presign.usage import jupyter_session  # noqa: F401
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.benchmarks.idling_server import counted
from tests.benchmarks.polling import ask_server
from tests.benchmarks.polling_process import BLOCKS, SETTLE, Blocks, busiest_second, megabytes


async def measure(plan: dict[str, Any]) -> dict[str, Any]:
    """
    Watch for a while.

    :param plan: ``watches``, ``seconds`` and ``spread``: whether the last looks are spread over half an hour, as they
        are once watches have run for a while; otherwise all begin at once.
    """
    gc.collect()
    idle = megabytes()
    async with Blocks() as blocks:
        await asyncio.sleep(3)
    figures: dict[str, Any] = {"idle block": blocks.longest}
    tasks = []
    async with Blocks() as blocks:
        for number in range(plan["watches"]):
            tasks.append(asyncio.create_task(_watch(number, plan)))
            await asyncio.sleep(0)
        # The client is made meanwhile.
        await asyncio.sleep(SETTLE)
    figures["adding block"], figures["adding block cpu"] = blocks.longest, blocks.longest_cpu
    before = len(await _requests(plan))
    cpu, began = time.process_time(), time.time()
    await asyncio.sleep(plan["seconds"])
    seconds = time.time() - began
    figures["cpu a minute"] = (time.process_time() - cpu) * 60 / seconds
    requests = (await _requests(plan))[before:]
    # Apart from the CPU time, since the check costs some.
    async with Blocks() as blocks:
        await asyncio.sleep(BLOCKS)
    figures["block"], figures["block cpu"] = blocks.longest, blocks.longest_cpu
    figures["megabytes"] = megabytes() - idle
    figures["requests"] = counted(requests)
    figures["mints a minute"] = figures["requests"]["CreatePresignedNotebookInstanceUrl"] * 60 / seconds
    figures["requests a minute"] = len(requests) * 60 / seconds
    figures["busiest second"] = busiest_second(
        [at for at, what in requests if what == "CreatePresignedNotebookInstanceUrl"]
    )
    figures["ended"] = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return figures


async def _requests(plan: dict[str, Any]) -> list[Any]:
    requests: list[Any] = (await asyncio.to_thread(ask_server, plan["server"]))["requests"]
    return requests


async def _watch(number: int, plan: dict[str, Any]) -> None:
    looked_at = time.time() - LOOK_INTERVAL_SECONDS * number / plan["watches"] if plan["spread"] else 0.0
    watch = IdleWatch(
        NotebookInstance(f"notebook-{number:05}"),
        idle_for=3 * 3600.0,
        warn_before=900.0,
        looked_at=looked_at,
        active_at=looked_at,
    )
    async for event in SageMakerNotebookInstanceIdleTrigger(watch.as_dict()).run():
        raise RuntimeError(event.payload)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    print(json.dumps(asyncio.run(measure(json.loads(sys.argv[1])))))
