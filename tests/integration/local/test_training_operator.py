"""The amazon provider's own operator trains at the local SageMaker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_sagemaker_presign.local import LocalServices
from tests.helpers.training_job import TRAINING_JOB


@pytest.fixture(scope="module")
def local() -> Iterator[LocalServices]:
    with LocalServices(jupyter=False, training_seconds=1) as services:
        yield services


def train(local: LocalServices, monkeypatch: pytest.MonkeyPatch, **config: Any) -> dict[str, Any]:
    from airflow.providers.amazon.aws.operators.sagemaker import SageMakerTrainingOperator

    connection = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {"endpoint_url": local.endpoint_url, "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_LOCAL", json.dumps(connection))
    operator = SageMakerTrainingOperator(
        task_id="train",
        aws_conn_id="aws_local",
        config=TRAINING_JOB | config,
        wait_for_completion=True,
        print_log=False,
        check_interval=1,
    )
    return dict(operator.execute({}))


def test_it_waits_for_the_model(local: LocalServices, monkeypatch: pytest.MonkeyPatch) -> None:
    training = train(local, monkeypatch)["Training"]
    assert training["TrainingJobStatus"] == "Completed"
    assert training["ModelArtifacts"]["S3ModelArtifacts"] == "s3://models/out/churn/output/model.tar.gz"


def test_it_fails_with_the_reason_of_a_training_job_that_fails(
    local: LocalServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exception, match="AlgorithmError"):
        train(local, monkeypatch, HyperParameters={"local:outcome": "Failed"})
