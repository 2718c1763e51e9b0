"""Airflow 3.0.0's channel to the supervisor, which writes requests and reads responses by two methods."""

from __future__ import annotations

import io
from importlib import import_module

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.delivery.supervisor_channel import serialize_requests

pytestmark = pytest.mark.skipif(AIRFLOW_VERSION != (3, 0, 0), reason="a later Airflow has one method for both")


def test_it_is_used_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    task_runner = import_module("airflow.sdk.execution_time.task_runner")
    assert serialize_requests() is True, "outside a task there is none"
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", task_runner.CommsDecoder(input=io.StringIO()), raising=False)
    assert serialize_requests() is False
