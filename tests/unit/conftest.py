"""The script that SageMaker answers from, the hook that asks it, and the context of a task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from tests.helpers.scripted_sagemaker import Clock, Script, TaskInstance, scripted_hook
from tests.helpers.scripted_usage import OneNotebook, ScriptedUsage
from tests.helpers.service_models import create_loader_once


@pytest.fixture(autouse=True)
def service_models_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.session.create_loader", create_loader_once)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> SageMakerNotebookInstanceHook:
    return scripted_hook(SageMakerNotebookInstanceHook, clock, monkeypatch)


@pytest.fixture
def sagemaker(hook: SageMakerNotebookInstanceHook) -> Iterator[Script]:
    """The script of the fixture ``hook``; every answer in it has to be asked for."""
    with Stubber(hook.__dict__["conn"]) as stubber:
        yield Script(stubber)
        stubber.assert_no_pending_responses()


@pytest.fixture
def usage(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> ScriptedUsage:
    """What looks at the notebook see."""
    return ScriptedUsage(clock, monkeypatch)


@pytest.fixture
def notebook(hook: SageMakerNotebookInstanceHook, clock: Clock) -> OneNotebook:
    """The notebook instance of the fixture ``hook``, for any number of requests."""
    return OneNotebook(hook.__dict__["conn"], clock)


@pytest.fixture
def context() -> dict[str, Any]:
    return {"ti": TaskInstance(), "dag": None, "params": {}}
