"""Looks one after another: one session for half an hour, what is said in the log, and what ends them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.idle.look import until_due
from airflow_sagemaker_presign.idle.watch import IdleWatch, Verdict
from airflow_sagemaker_presign.usage.unavailable import SessionRefused
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.scripted_sagemaker import Clock
from tests.helpers.scripted_usage import OneNotebook, ScriptedUsage

LOG = logging.getLogger("airflow.task")


@pytest.fixture
def watch_until_due(hook: SageMakerNotebookInstanceHook, clock: Clock) -> Callable[..., tuple[IdleWatch, Verdict]]:
    def watch_until_due(**values: Any) -> tuple[IdleWatch, Verdict]:
        watch = IdleWatch(NotebookInstance("research"), **{"idle_for": 3600.0, "warn_before": 900.0, **values})

        async def request(send: Callable[[Any], Any]) -> Any:
            return send(hook)

        return asyncio.run(until_due(watch, request, clock, LOG))

    return watch_until_due


def mints(notebook: OneNotebook) -> int:
    return notebook.requests["CreatePresignedNotebookInstanceUrl"]


def test_looks_within_half_an_hour_share_a_session(
    watch_until_due: Callable[..., Any], usage: ScriptedUsage, notebook: OneNotebook, clock: Clock
) -> None:
    usage.idle_since(clock.now, times=3).idle(minutes=61)
    watch_until_due(idle_for=900.0, warn_before=290.0)
    # At 0, 610 and 611 s, all with the same one.
    assert (usage.looks, mints(notebook)) == (2, 1)


def test_each_session_after_half_an_hour_is_a_new_one(
    watch_until_due: Callable[..., Any], usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.busy(5).idle(minutes=61)
    watch_until_due()
    # The last look, 15 minutes after the one before it, has the same one.
    assert (usage.looks, mints(notebook)) == (7, 6)


def test_a_session_that_a_restart_ended_is_replaced_at_once(
    watch_until_due: Callable[..., Any], usage: ScriptedUsage, notebook: OneNotebook, clock: Clock
) -> None:
    usage.busy().unknown(SessionRefused("It refused the session.", "Check")).idle(minutes=61)
    began = clock.now
    assert watch_until_due(idle_for=1000.0, warn_before=400.0)[1] is Verdict.WARN
    assert clock.now - began == timedelta(seconds=600)
    assert mints(notebook) == 2


def test_a_failed_look_is_made_again_with_the_same_session(
    watch_until_due: Callable[..., Any], usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    usage.busy().unknown(times=1).idle(minutes=61)
    watch_until_due(idle_for=1000.0, warn_before=500.0)
    assert (usage.looks, mints(notebook)) == (3, 1)


def test_the_log_says_each_change_once_and_what_nobody_knows_as_a_warning(
    watch_until_due: Callable[..., Any], usage: ScriptedUsage, notebook: OneNotebook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    usage.busy(3).unknown(times=3).busy(2).idle(minutes=61)
    watch_until_due()
    said = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == LOG.name]
    assert [level for level, _ in said] == ["INFO", "WARNING", "INFO", "INFO"]
    assert said[0][1] == "The notebook instance research is in use: a busy kernel (python3)."
    assert said[1][1] == (
        "The notebook instance research counts as in use, since nobody knows: research.example could not be reached: "
        "No route to host. Check the network."
    )
    assert said[3][1].startswith("Nothing has happened in the notebook instance research since 2026-03-02 ")


def test_a_notebook_that_stopped_meanwhile_ends_the_looks_without_a_warning(
    watch_until_due: Callable[..., Any], usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    def stop() -> None:
        notebook.status = "Stopped"

    usage.busy().unknown(after=stop)
    watch, verdict = watch_until_due()
    assert verdict is Verdict.STOP
    assert watch.unknown_since is None


def test_a_throttled_mint_is_no_reason_to_describe(
    watch_until_due: Callable[..., Any], usage: ScriptedUsage, notebook: OneNotebook
) -> None:
    from botocore.exceptions import ClientError

    throttled = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "Any")
    notebook.refused["CreatePresignedNotebookInstanceUrl"] = throttled
    usage.busy()
    watch, verdict = watch_until_due(stop_at=2 * 3600.0)
    assert verdict is Verdict.WARN
    assert "Rate exceeded" in watch.unknown
    assert notebook.requests["DescribeNotebookInstance"] == 0
