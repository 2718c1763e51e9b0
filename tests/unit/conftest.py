"""A SageMaker client that answers from a script, and an Airflow context with just enough in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook

ARN = "arn:aws:sagemaker:eu-central-1:123456789012:notebook-instance/research"
URL = "https://research.notebook.eu-central-1.sagemaker.aws?authToken=eyJhbGciOi.J9%2Bsecret%2FtokenOfAda.x-Y_z"
TOKEN = "eyJhbGciOi.J9+secret/tokenOfAda.x-Y_z"


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


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


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> SageMakerNotebookInstanceHook:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    hook = SageMakerNotebookInstanceHook(aws_conn_id=None, region_name="eu-central-1", clock=clock)
    hook.__dict__["conn"] = boto3.client("sagemaker", region_name="eu-central-1")
    return hook


@pytest.fixture
def sagemaker(hook: SageMakerNotebookInstanceHook) -> Iterator[Script]:
    """The script of the fixture ``hook``; every answer in it has to be asked for."""
    with Stubber(hook.__dict__["conn"]) as stubber:
        yield Script(stubber)
        stubber.assert_no_pending_responses()


class TaskInstance:
    """As much of a task instance as the operators touch."""

    dag_id, run_id, task_id, map_index = "mornings", "manual__1", "notebook", -1

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


@pytest.fixture
def context() -> dict[str, Any]:
    return {"ti": TaskInstance(), "dag": None, "params": {}}


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[[float], None]:
    """Let sleeping turn the clock instead."""
    monkeypatch.setattr("time.sleep", clock.advance)
    return clock.advance
