from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import LocalSageMaker

ARN = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/research"
CONFIG = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance-lifecycle-config/research"
NO_CAPACITY = "Insufficient notebook instance capacity. Retry later or with a different instance type."
LIFECYCLE = (
    f"Notebook Instance Lifecycle Config '{CONFIG}' for Notebook Instance '{ARN}' took longer than 5 minutes. "
    "Please check your CloudWatch logs for more details if your Notebook Instance has Internet access."
)


def start(client: Any) -> None:
    client.start_notebook_instance(NotebookInstanceName="research")


@pytest.mark.parametrize(("outcome", "reason"), [("no-capacity", NO_CAPACITY), ("lifecycle-timeout", LIFECYCLE)])
def test_a_start_that_fails_is_pending_first_and_then_gives_its_reason(
    outcome: str, reason: str, local_sagemaker: LocalSageMaker, client: Any
) -> None:
    local_sagemaker.create_notebook("research", start_seconds=60)
    local_sagemaker.faults.on_start("research", outcome, times=1)
    start(client)
    assert local_sagemaker.status("research") == "Pending"
    local_sagemaker.clock.advance(60)
    described = client.describe_notebook_instance(NotebookInstanceName="research")
    assert (described["NotebookInstanceStatus"], described["FailureReason"]) == ("Failed", reason)
    assert "FailureReason" not in client.list_notebook_instances()["NotebookInstances"][0]

    start(client)
    local_sagemaker.clock.advance(60)
    described = client.describe_notebook_instance(NotebookInstanceName="research")
    assert described["NotebookInstanceStatus"] == "InService"
    assert "FailureReason" not in described


def test_a_start_that_does_not_take_moves_nothing_the_first_time(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research")
    local_sagemaker.faults.on_start("research", "does-not-take", times=1)
    before = client.describe_notebook_instance(NotebookInstanceName="research")["LastModifiedTime"]
    start(client)
    local_sagemaker.clock.advance(3600)
    after = client.describe_notebook_instance(NotebookInstanceName="research")
    assert (after["NotebookInstanceStatus"], after["LastModifiedTime"]) == ("Stopped", before)
    start(client)
    assert local_sagemaker.status("research") == "Pending"


def test_a_start_beyond_the_quota_is_refused_each_time(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research")
    local_sagemaker.faults.on_start("research", "quota")
    for _ in range(2):
        with pytest.raises(ClientError, match=r"service limit 'ml\.t3\.medium for notebook") as caught:
            start(client)
        assert caught.value.response["Error"]["Code"] == "ResourceLimitExceeded"
    assert local_sagemaker.status("research") == "Stopped"


def test_a_tag_at_creation_lets_the_first_start_fail(local_sagemaker: LocalSageMaker, client: Any) -> None:
    client.create_notebook_instance(
        NotebookInstanceName="research",
        InstanceType="ml.t3.medium",
        RoleArn="arn:aws:iam::123456789012:role/notebook",
        Tags=[{"Key": "local:status", "Value": "Stopped"}, {"Key": "local:start", "Value": "no-capacity:1"}],
    )
    start(client)
    local_sagemaker.clock.advance(10)
    assert local_sagemaker.status("research") == "Failed"
    start(client)
    local_sagemaker.clock.advance(10)
    assert local_sagemaker.status("research") == "InService"


def test_a_tag_that_means_nothing_is_refused(client: Any) -> None:
    with pytest.raises(ClientError, match="Tag local:start=explode"):
        client.create_notebook_instance(
            NotebookInstanceName="research",
            InstanceType="ml.t3.medium",
            RoleArn="arn:aws:iam::123456789012:role/notebook",
            Tags=[{"Key": "local:start", "Value": "explode"}],
        )


def test_throttling_lasts_for_as_many_calls_as_asked(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research")
    local_sagemaker.faults.fail_calls("throttling", operation="ListNotebookInstances", times=2)
    client.describe_notebook_instance(NotebookInstanceName="research")
    for _ in range(2):
        with pytest.raises(ClientError, match="Rate exceeded") as caught:
            client.list_notebook_instances()
        assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert len(client.list_notebook_instances()["NotebookInstances"]) == 1


def test_access_denied_names_who_may_not_do_what(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research")
    local_sagemaker.faults.fail_calls("access-denied", operation="StartNotebookInstance", times=None)
    with pytest.raises(ClientError) as caught:
        start(client)
    assert caught.value.response["Error"] == {
        "Code": "AccessDeniedException",
        "Message": "User: arn:aws:sts::123456789012:assumed-role/airflow/worker is not authorized to perform: "
        f"sagemaker:StartNotebookInstance on resource: {ARN} because no identity-based policy allows the "
        "sagemaker:StartNotebookInstance action",
    }
    local_sagemaker.faults.clear()
    start(client)


def test_an_internal_failure_is_an_http_500(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.faults.fail_calls("internal-failure")
    with pytest.raises(ClientError, match="InternalFailure") as caught:
        client.list_notebook_instances()
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


@pytest.mark.parametrize("status", ["Updating", "InMaintenance", "PendingMaintenance", "Hibernating"])
def test_a_status_can_be_set_outright(status: str, local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research")
    local_sagemaker.clock.advance(60)
    local_sagemaker.set_status("research", status)
    described = client.describe_notebook_instance(NotebookInstanceName="research")
    assert described["NotebookInstanceStatus"] == status
    assert described["LastModifiedTime"] == local_sagemaker.clock.now()


def test_a_status_of_a_notebook_that_is_not_there_cannot_be_set(local_sagemaker: LocalSageMaker) -> None:
    with pytest.raises(LookupError, match="no notebook instance nobody"):
        local_sagemaker.set_status("nobody", "Updating")


@pytest.mark.parametrize("times", [0, -1])
def test_a_script_without_calls_is_rejected(times: int, local_sagemaker: LocalSageMaker) -> None:
    with pytest.raises(ValueError, match="times must be"):
        local_sagemaker.faults.fail_calls("throttling", times=times)


@pytest.mark.parametrize("outcome", ["quota", "does-not-take"])
def test_a_fault_for_a_start_takes_effect_at_the_first_start(
    outcome: str, local_sagemaker: LocalSageMaker, client: Any
) -> None:
    client.create_notebook_instance(
        NotebookInstanceName="research",
        InstanceType="ml.t3.medium",
        RoleArn="arn:aws:iam::123456789012:role/notebook",
        Tags=[{"Key": "local:start", "Value": f"{outcome}:1"}],
    )
    local_sagemaker.clock.advance(10)
    assert local_sagemaker.status("research") == "InService"
    assert len(local_sagemaker.faults.as_json()["starts"]) == 1
