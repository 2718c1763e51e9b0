"""The triggers that the benchmarks of many waits compare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sagemaker_presign.lifecycle import Goal, Wait
from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger


class NoOpTrigger(BaseTrigger):
    """Waits for nothing: what a triggerer costs by itself."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{NoOpTrigger.__module__}.{NoOpTrigger.__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.Event().wait()
        yield TriggerEvent({})


def poller(name: str, interval: float) -> BaseTrigger:
    now = time.time()
    wait = Wait(name, Goal.IN_SERVICE, now, now + 3600, status="Pending", moved=True)
    return SageMakerNotebookInstanceTrigger(wait.as_dict(), poll_interval=interval)


def provider_style(name: str, interval: float) -> BaseTrigger:
    from tests.benchmarks.provider_style import NotebookInServiceTrigger

    return NotebookInServiceTrigger(name, int(interval))


def no_op(_name: str, _interval: float) -> BaseTrigger:
    return NoOpTrigger()  # type: ignore[no-untyped-call]


STYLES: dict[str, Callable[[str, float], BaseTrigger]] = {
    "poller": poller,
    "provider style": provider_style,
    "no-op": no_op,
}
