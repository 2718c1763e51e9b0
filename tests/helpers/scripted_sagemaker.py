"""A SageMaker client that answers from a script, a clock that tests turn, and as much of a task as operators touch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import boto3
import pytest
from botocore.stub import Stubber

from airflow_sagemaker_presign.hooks.base import WorkspaceHook
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
from airflow_sagemaker_presign.waiting.worker import WorkerWait
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

ARN = "arn:aws:sagemaker:eu-central-1:123456789012:notebook-instance/research"
URL = "https://research.notebook.eu-central-1.sagemaker.aws?authToken=eyJhbGciOi.J9%2Bsecret%2FtokenOfAda.x-Y_z"
TOKEN = "eyJhbGciOi.J9+secret/tokenOfAda.x-Y_z"
RESEARCH = NotebookInstance("research")
DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/airflow/worker is not authorized to perform: "
    f"sagemaker:StartNotebookInstance on resource: {ARN} because no identity-based policy allows the "
    "sagemaker:StartNotebookInstance action"
)
"""AWS's message when a Start is denied."""

H = TypeVar("H", bound=WorkspaceHook)


class Clock(Runtime):
    """A clock that advances when a test sets it or when the code under test sleeps. Threads are real."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
        self.on_advance: Callable[[float], None] = lambda _: None

    def __call__(self) -> datetime:
        return self.now

    def utc_now(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    async def pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        await asyncio.sleep(0)
        if wake is None or not wake.is_set():
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.on_advance(seconds)


def wait_state(name: str = "research", goal: Goal = Goal.READY, began_at: float = 0.0, **values: Any) -> WaitState:
    """Make the state of a wait for a notebook instance, an hour long by default."""
    values.setdefault("deadline", began_at + 3600)
    return WaitState(NotebookInstance(name), goal, began_at, **values)


def scripted_hook(kind: type[H], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> H:
    """Make a hook whose client a botocore Stubber can script."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    hook = kind(aws_conn_id=None, region_name="eu-central-1", clock=clock)
    hook.__dict__["conn"] = boto3.client("sagemaker", region_name="eu-central-1")
    return hook


class Script:
    """What SageMaker is to answer, in order; each answer checks the request that it is for."""

    def __init__(self, stubber: Stubber) -> None:
        self.stubber = stubber
        self.name = {"NotebookInstanceName": "research"}

    def describe(self, status: str, *, reason: str = "", modified: int = 0) -> Script:
        answer: dict[str, Any] = {
            "NotebookInstanceName": "research",
            "NotebookInstanceArn": ARN,
            "NotebookInstanceStatus": status,
            "LastModifiedTime": datetime(2026, 3, 2, 7, 0, modified, tzinfo=UTC),
        }
        if reason:
            answer["FailureReason"] = reason
        self.stubber.add_response("describe_notebook_instance", answer, self.name)
        return self

    def start(self) -> Script:
        self.stubber.add_response("start_notebook_instance", {}, self.name)
        return self

    def stop(self) -> Script:
        self.stubber.add_response("stop_notebook_instance", {}, self.name)
        return self

    def mint(self, seconds: int = 43200, url: str = URL) -> Script:
        self.stubber.add_response(
            "create_presigned_notebook_instance_url",
            {"AuthorizedUrl": url},
            {**self.name, "SessionExpirationDurationInSeconds": seconds},
        )
        return self

    def refuse(self, operation: str, code: str, message: str, status: int = 400) -> Script:
        self.stubber.add_client_error(operation, code, message, http_status_code=status)
        return self


class TaskInstance:
    """As much of a task instance as the operators touch."""

    dag_id, run_id, task_id, map_index = "mornings", "manual__1", "notebook", -1

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def worker_wait(hook: WorkspaceHook, clock: Runtime) -> WorkerWait:
    """Make the worker's end of waits, with a log as tasks have it."""
    return WorkerWait(hook, 5.0, clock, logging.getLogger("airflow.task"))
