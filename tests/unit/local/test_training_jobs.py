from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import LocalSageMaker
from tests.helpers.training_job import TRAINING_JOB


def test_a_training_job_takes_a_moment_and_leaves_its_model(local_sagemaker: LocalSageMaker, client: Any) -> None:
    client.create_training_job(**TRAINING_JOB)
    running = client.describe_training_job(TrainingJobName="churn")
    assert running["TrainingJobStatus"] == "InProgress"
    assert "ModelArtifacts" not in running
    local_sagemaker.clock.advance(2)
    done = client.describe_training_job(TrainingJobName="churn")
    assert (done["TrainingJobStatus"], done["SecondaryStatus"]) == ("Completed", "Completed")
    assert done["ModelArtifacts"] == {"S3ModelArtifacts": "s3://models/out/churn/output/model.tar.gz"}
    assert (done["TrainingEndTime"] - done["TrainingStartTime"]).total_seconds() == 2


@pytest.mark.parametrize(
    "wish",
    [
        {"Tags": [{"Key": "local:outcome", "Value": "Failed"}]},
        {"HyperParameters": {"local:outcome": "Failed", "local:seconds": "1"}},
    ],
)
def test_a_training_job_fails_when_asked_to(wish: dict[str, Any], local_sagemaker: LocalSageMaker, client: Any) -> None:
    client.create_training_job(**TRAINING_JOB, **wish)
    local_sagemaker.clock.advance(2)
    failed = client.describe_training_job(TrainingJobName="churn")
    assert failed["TrainingJobStatus"] == "Failed"
    assert "AlgorithmError" in failed["FailureReason"]
    assert "ModelArtifacts" not in failed
    assert client.list_training_jobs(StatusEquals="Failed")["TrainingJobSummaries"][0]["TrainingJobName"] == "churn"


def test_a_time_that_is_no_number_is_refused(client: Any) -> None:
    with pytest.raises(ClientError, match="local:seconds must be a number"):
        client.create_training_job(**TRAINING_JOB, HyperParameters={"local:seconds": "soon"})
    assert client.list_training_jobs()["TrainingJobSummaries"] == []
