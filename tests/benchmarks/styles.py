"""The triggers that the benchmarks of many waits compare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

AGE = 300.0
"""Seconds since a task was deferred whose wait is taken over."""


class NoOpTrigger(BaseTrigger):
    """Waits for nothing: what a triggerer costs by itself."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{NoOpTrigger.__module__}.{NoOpTrigger.__qualname__}", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.Event().wait()
        yield TriggerEvent({})


def poller(name: str, interval: float) -> BaseTrigger:
    now = time.time()
    wait = WaitState(NotebookInstance(name), Goal.READY, now, now + 3600, status="Pending", moved=True)
    return SageMakerNotebookInstanceTrigger(wait.as_dict(), poll_interval=interval)


def taken_over(name: str, interval: float) -> BaseTrigger:
    """Make a wait as the database has it that was deferred right after a Start, and whose triggerer is another now."""
    began = time.time() - AGE
    known = {"status": "Stopped", "sends": 1, "sent_at": began}
    wait = WaitState(NotebookInstance(name), Goal.READY, began, began + 3600, **known)  # type: ignore[arg-type]
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
