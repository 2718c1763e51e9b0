from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from airflow_sagemaker_presign.usage.stop_warning import StopWarning
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.minted_urls import minted_url

URL = "https://research.notebook.eu-central-1.sagemaker.aws?authToken=secret-a.b&view=lab"


@pytest.fixture
def presigned_url() -> PresignedUrl:
    return minted_url(URL, datetime(2026, 3, 4, 8, 30, 40, tzinfo=UTC), session=timedelta(hours=8))


@pytest.fixture
def airflow_context() -> dict[str, Any]:
    """The context that Airflow passes to a callback, as far as a message needs it."""
    task = SimpleNamespace(
        task_id="notebook_link",
        notebook_instance_name="research",
        recipient="ada@example.com",
        session_expiration_duration=28800,
    )
    ti = SimpleNamespace(
        dag_id="mornings",
        task_id="notebook_link",
        log_url="https://airflow.example.com/dags/mornings/tasks/notebook_link",
    )
    return {"ti": ti, "task": task, "dag": None, "run_id": "manual__1"}


@pytest.fixture
def link_context(airflow_context: dict[str, Any], presigned_url: PresignedUrl) -> dict[str, Any]:
    """The context that the operator passes to a notifier."""
    arn = "arn:aws:sagemaker:eu-central-1:123456789012:notebook-instance/research"
    return {
        **airflow_context,
        "presigned_url": presigned_url,
        "notebook_instance": {"NotebookInstanceArn": arn},
        "recipient": "ada@example.com",
    }


@pytest.fixture
def stop_context(airflow_context: dict[str, Any]) -> dict[str, Any]:
    """The context that the stop operator passes to a notifier: idle since 18:45, to be stopped at 20:00."""
    described = {
        "NotebookInstanceName": "research",
        "NotebookInstanceArn": "arn:aws:sagemaker:eu-central-1:123456789012:notebook-instance/research",
        "InstanceType": "ml.t3.medium",
    }
    stops_at = datetime(2026, 3, 4, 20, 0, 40, tzinfo=UTC)
    idle_since = stops_at - timedelta(hours=1, minutes=15)
    task = SimpleNamespace(task_id="stop", notebook_instance_name="research", recipient="ada@example.com")
    return {
        **airflow_context,
        "task": task,
        "ti": SimpleNamespace(
            dag_id="evenings", task_id="stop", map_index=-1, log_url="https://airflow.example.com/evenings/stop"
        ),
        "stop_warning": StopWarning(stops_at, timedelta(hours=1, minutes=15), idle_since),
        "workspace": NotebookInstance("research"),
        "workspace_description": described,
        "notebook_instance": described,
        "recipient": "ada@example.com",
        "launch_url": "https://airflow.example.com/sagemaker-notebooks/evenings/manual__1/stop",
    }
