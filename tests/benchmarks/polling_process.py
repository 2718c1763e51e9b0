"""
One measurement of the polling benchmark, in a separate process: ``python -m tests.benchmarks.polling_process PLAN``.

It waits for notebook instances in one event loop, as a triggerer does, and prints what that took, as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3  # noqa: F401
import psutil  # type: ignore[import-untyped]
from airflow.triggers.base import BaseTrigger

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from tests.benchmarks.polling import ask_server
from tests.benchmarks.styles import AGE, STYLES, taken_over

TICK = 0.005
SETTLE = 20.0
"""Seconds after which nothing is left of the beginning; what comes each minute is in the minute that is measured."""

BLOCKS = 20.0
"""Seconds of the separate measurement of event loop blocks: the check costs CPU."""

GET_GOING = 120.0
"""Maximum seconds until every wait had an observation."""

TIMEOUT_SECONDS = 120.0
"""Seconds after the last change, after which a wait that has not ended counts as lost."""


class Blocks:
    """
    Notices when the event loop is late, by a tick that is not.

    On a busy machine it is late without being blocked: so also what the loop's thread computed between two ticks.
    """

    def __init__(self) -> None:
        self.longest = self.longest_cpu = 0.0

    async def __aenter__(self) -> Blocks:
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _tick(self) -> None:
        while True:
            before, cpu = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, time.perf_counter() - before - TICK)
            self.longest_cpu = max(self.longest_cpu, time.thread_time() - cpu)


class Measurement:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.names = [f"notebook-{number:05}" for number in range(plan["waits"])]
        self.ended_at: dict[str, float] = {}
        self.errors: list[str] = []
        self.figures: dict[str, Any] = {}

    async def run(self) -> dict[str, Any]:
        # More threads than Python's default, which would hold the provider's style back.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(64))
        others = {f"other-{number:05}": [[time.time() - 1e6, "Stopped"]] for number in range(self.plan["others"])}
        pending = time.time() - (AGE - 1 if self.plan["old"] else 0)
        await self._server(
            plans={**others, **{name: [[pending, "Pending"]] for name in self.names}}, allowed=self.plan["allowed"]
        )
        gc.collect()
        idle = megabytes()
        async with Blocks() as blocks:
            await asyncio.sleep(3)
        self.figures["idle block"] = blocks.longest
        tasks = await self._add()
        if self.plan["steady"]:
            await self._steady()
        self.figures["megabytes"] = megabytes() - idle
        if self.plan["change"]:
            await self._change(tasks)
        for task in tasks:
            task.cancel()
        record = await self._server(requests=True)
        self.figures["connections"] = record["connections"]
        self.figures["requests"] = len(record["requests"])
        self.figures["refused"] = sum(refused for _, _, refused in record["requests"])
        moments = [at for at, _, _ in record["requests"]]
        self.figures["busiest second"] = busiest_second(moments)
        if self.plan["steady"]:
            self.figures["after ten seconds"] = sum(10 <= at - moments[0] < 70 for at in moments)
        return self.figures

    async def _add(self) -> list[asyncio.Task[None]]:
        make = taken_over if self.plan["old"] else STYLES[self.plan["style"]]
        if self.plan["away"]:
            ClientKey.connect = _away(ClientKey.connect, time.time() + self.plan["away"])  # type: ignore[method-assign,assignment]
        cpu, began = time.process_time(), time.time()
        async with Blocks() as blocks:
            tasks = []
            for name in self.names:
                tasks.append(asyncio.create_task(self._wait(name, make(name, self.plan["interval"]))))
                await asyncio.sleep(0)
            while (reported := (await self._server())["all_reported_at"]) is None and time.time() - began < GET_GOING:
                await asyncio.sleep(0.5)
        self.figures["to get going"] = None if reported is None else reported - began
        self.figures["adding cpu"] = time.process_time() - cpu
        self.figures["adding block"] = blocks.longest
        self.figures["adding block cpu"] = blocks.longest_cpu
        return tasks

    async def _steady(self) -> None:
        seconds = self.plan["steady"]
        await asyncio.sleep(SETTLE)
        before = len((await self._server(requests=True))["requests"])
        cpu = time.process_time()
        await asyncio.sleep(seconds)
        self.figures["cpu a minute"] = (time.process_time() - cpu) * 60 / seconds
        after = len((await self._server(requests=True))["requests"])
        self.figures["requests a minute"] = (after - before) * 60 / seconds
        async with Blocks() as blocks:
            await asyncio.sleep(BLOCKS)
        self.figures["steady block"] = blocks.longest
        self.figures["steady block cpu"] = blocks.longest_cpu

    async def _change(self, tasks: list[asyncio.Task[None]]) -> None:
        began = time.time() + 2
        changes = {name: began + 60 * number / len(self.names) for number, name in enumerate(self.names)}
        plans = {name: [[began - 300, "Pending"], [at, "InService"]] for name, at in changes.items()}
        await self._server(change=plans)
        async with Blocks() as blocks:
            await asyncio.wait(tasks, timeout=began + 60 + TIMEOUT_SECONDS - time.time())
        delays = sorted(at - changes[name] for name, at in self.ended_at.items())
        self.figures["change block"] = blocks.longest
        self.figures["lost"] = len(self.names) - len(delays)
        self.figures["errors"] = sorted(set(self.errors))[:3]
        self.figures["p50"], self.figures["p99"] = _share(delays, 0.5), _share(delays, 0.99)

    async def _wait(self, name: str, trigger: BaseTrigger) -> None:
        try:
            async for event in trigger.run():
                if event.payload["status"] == "success":
                    self.ended_at[name] = time.time()
                else:
                    self.errors.append(str(event.payload))
        except Exception as error:
            self.errors.append(repr(error)[:300])

    async def _server(self, **asked: Any) -> dict[str, Any]:
        return await asyncio.to_thread(ask_server, self.plan["server"], **asked)


def _away(connect: Callable[[ClientKey], Any], until: float) -> Callable[[ClientKey], Any]:
    """Make Airflow's database unavailable for a while: connection lookups fail."""

    def looked_up(key: ClientKey) -> Any:
        if time.time() < until:
            raise exceptions.SageMakerUnavailable("*", "Airflow could not read the connection just now.")
        return connect(key)

    return looked_up


def megabytes() -> float:
    """Return the memory that only this process has."""
    return float(psutil.Process().memory_full_info().uss) / 2**20


def busiest_second(moments: list[float]) -> int:
    """Return the largest number of moments within a second."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] < moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def _share(values: list[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(len(values) * share))] if values else None


if __name__ == "__main__":
    logging.disable(logging.INFO)
    measured = asyncio.run(Measurement(json.loads(sys.argv[1])).run())
    print(json.dumps(measured))
