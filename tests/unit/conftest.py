"""The script that SageMaker answers from, the hook that asks it, and the context of a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from tests.helpers.scripted_sagemaker import Clock, Script, TaskInstance
from tests.helpers.service_models import create_loader_once


@pytest.fixture(autouse=True)
def service_models_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.create_loader", create_loader_once)


@pytest.fixture
def clock() -> Clock:
    return Clock()


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


@pytest.fixture
def context() -> dict[str, Any]:
    return {"ti": TaskInstance(), "dag": None, "params": {}}
