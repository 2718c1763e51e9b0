from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import LocalSageMaker

ARN = "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/research"
ROLE = "arn:aws:iam::123456789012:role/notebook"
STATUSES = ["Pending", "InService", "Stopping", "Stopped", "Failed", "Deleting", "Updating", "InMaintenance", "New"]


def refused(call: Any, **arguments: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return dict(caught.value.response["Error"])  # type: ignore[arg-type]


def describe(client: Any, name: str = "research") -> dict[str, Any]:
    return dict(client.describe_notebook_instance(NotebookInstanceName=name))


def test_a_start_takes_its_time_and_moves_the_last_modified_time(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research", start_seconds=120)
    began = local_sagemaker.clock.advance(60)
    client.start_notebook_instance(NotebookInstanceName="research")
    local_sagemaker.clock.advance(119)
    pending = describe(client)
    ready = local_sagemaker.clock.advance(1)
    local_sagemaker.clock.advance(30)
    in_service = describe(client)

    assert (pending["NotebookInstanceStatus"], pending["LastModifiedTime"]) == ("Pending", began)
    assert (in_service["NotebookInstanceStatus"], in_service["LastModifiedTime"]) == ("InService", ready)
    assert in_service["CreationTime"] < began


def test_a_stop_takes_its_time(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research", "InService", stop_seconds=5)
    client.stop_notebook_instance(NotebookInstanceName="research")
    assert describe(client)["NotebookInstanceStatus"] == "Stopping"
    local_sagemaker.clock.advance(5)
    assert describe(client)["NotebookInstanceStatus"] == "Stopped"


@pytest.mark.parametrize("status", STATUSES)
def test_start_is_allowed_from_stopped_and_failed_only(
    status: str, local_sagemaker: LocalSageMaker, client: Any
) -> None:
    local_sagemaker.create_notebook("research", status)
    if status in ("Stopped", "Failed"):
        client.start_notebook_instance(NotebookInstanceName="research")
        assert local_sagemaker.status("research") == "Pending"
        return
    assert refused(client.start_notebook_instance, NotebookInstanceName="research") == {
        "Code": "ValidationException",
        "Message": f"Status ({status}) not in ([Stopped, Failed]). Unable to transition to (Pending) "
        f"for Notebook Instance ({ARN})",
    }
    assert local_sagemaker.status("research") == status


@pytest.mark.parametrize("status", STATUSES)
def test_stop_is_allowed_from_in_service_only(status: str, local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research", status)
    if status == "InService":
        client.stop_notebook_instance(NotebookInstanceName="research")
        assert local_sagemaker.status("research") == "Stopping"
        return
    error = refused(client.stop_notebook_instance, NotebookInstanceName="research")
    assert error["Message"] == (
        f"Status ({status}) not in ([InService]). Unable to transition to (Stopping) for Notebook Instance ({ARN})"
    )


@pytest.mark.parametrize(
    "operation",
    [
        "describe_notebook_instance",
        "start_notebook_instance",
        "stop_notebook_instance",
        "create_presigned_notebook_instance_url",
    ],
)
def test_a_missing_notebook_is_reported_with_awss_error(operation: str, client: Any) -> None:
    error = refused(getattr(client, operation), NotebookInstanceName="nobody")
    assert error == {"Code": "ValidationException", "Message": "RecordNotFound"}


def test_a_created_notebook_is_pending_and_then_in_service(local_sagemaker: LocalSageMaker, client: Any) -> None:
    client.create_notebook_instance(
        NotebookInstanceName="new", InstanceType="ml.g5.xlarge", RoleArn=ROLE, Tags=[{"Key": "team", "Value": "a"}]
    )
    assert local_sagemaker.status("new") == "Pending"
    local_sagemaker.clock.advance(10)
    described = describe(client, "new")
    assert described["NotebookInstanceStatus"] == "InService"
    assert described["InstanceType"] == "ml.g5.xlarge"
    assert client.list_tags(ResourceArn=described["NotebookInstanceArn"])["Tags"][0]["Value"] == "a"


@pytest.mark.parametrize(
    "instance_type", ["ml.t3.medium", "ml.t2.medium", "ml.m6i.large", "ml.g4dn.xlarge", "ml.c5.xlarge"]
)
def test_todays_instance_types_are_known(instance_type: str, client: Any) -> None:
    client.create_notebook_instance(NotebookInstanceName="new", InstanceType=instance_type, RoleArn=ROLE)
    assert client.describe_notebook_instance(NotebookInstanceName="new")["InstanceType"] == instance_type


def test_an_instance_type_that_does_not_exist_is_refused(client: Any) -> None:
    error = refused(
        client.create_notebook_instance, NotebookInstanceName="new", InstanceType="ml.z9.huge", RoleArn=ROLE
    )
    assert "Value 'ml.z9.huge' at 'instanceType' failed to satisfy constraint" in error["Message"]


@pytest.mark.parametrize("status", STATUSES)
def test_update_is_allowed_from_stopped_and_failed_only(
    status: str, local_sagemaker: LocalSageMaker, client: Any
) -> None:
    local_sagemaker.create_notebook("research", status, failure_reason="x" if status == "Failed" else None)
    if status not in ("Stopped", "Failed"):
        error = refused(client.update_notebook_instance, NotebookInstanceName="research")
        assert error["Message"] == (
            f"Status ({status}) not in ([Stopped, Failed]). Unable to transition to (Updating) "
            f"for Notebook Instance ({ARN})"
        )
        return
    client.update_notebook_instance(
        NotebookInstanceName="research", InstanceType="ml.g5.xlarge", VolumeSizeInGB=20, LifecycleConfigName="setup"
    )
    assert describe(client)["NotebookInstanceStatus"] == "Updating"
    local_sagemaker.clock.advance(5)
    described = describe(client)
    assert (described["NotebookInstanceStatus"], described["InstanceType"]) == ("Stopped", "ml.g5.xlarge")
    assert (described["VolumeSizeInGB"], described["NotebookInstanceLifecycleConfigName"]) == (20, "setup")
    client.update_notebook_instance(NotebookInstanceName="research", DisassociateLifecycleConfig=True)
    assert "NotebookInstanceLifecycleConfigName" not in describe(client)


@pytest.mark.parametrize(
    "tags", [{"local:start-seconds": "soon"}, {"local:stop-seconds": "nan"}, {"local:start": "explode"}]
)
def test_a_notebook_whose_tags_make_no_sense_is_not_created(
    tags: dict[str, str], local_sagemaker: LocalSageMaker, client: Any
) -> None:
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    wanted = {"NotebookInstanceName": "new", "InstanceType": "ml.t3.medium", "RoleArn": ROLE}
    assert f"Tag {next(iter(tags))}" in refused(client.create_notebook_instance, **wanted, Tags=pairs)["Message"]
    assert local_sagemaker.status("new") is None
    client.create_notebook_instance(**wanted)


def test_a_deletion_takes_time_and_makes_room_for_the_name(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research", "Stopped", stop_seconds=5)
    client.delete_notebook_instance(NotebookInstanceName="research")
    assert describe(client)["NotebookInstanceStatus"] == "Deleting"
    local_sagemaker.clock.advance(5)
    assert refused(client.describe_notebook_instance, NotebookInstanceName="research")["Message"] == "RecordNotFound"
    assert client.list_notebook_instances()["NotebookInstances"] == []
    client.create_notebook_instance(NotebookInstanceName="research", InstanceType="ml.t3.medium", RoleArn=ROLE)
    assert local_sagemaker.status("research") == "Pending"


def test_a_notebook_in_service_cannot_be_deleted(local_sagemaker: LocalSageMaker, client: Any) -> None:
    local_sagemaker.create_notebook("research", "InService")
    assert (
        "not in ([Stopped, Failed])"
        in refused(client.delete_notebook_instance, NotebookInstanceName="research")["Message"]
    )


def test_tags_at_creation_set_status_and_times(local_sagemaker: LocalSageMaker, client: Any) -> None:
    tags = {"local:status": "Stopped", "local:start-seconds": "90", "local:stop-seconds": "7"}
    client.create_notebook_instance(
        NotebookInstanceName="research",
        InstanceType="ml.t3.medium",
        RoleArn=ROLE,
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
    )
    assert local_sagemaker.status("research") == "Stopped"
    client.start_notebook_instance(NotebookInstanceName="research")
    local_sagemaker.clock.advance(89)
    assert local_sagemaker.status("research") == "Pending"
    local_sagemaker.clock.advance(1)
    client.stop_notebook_instance(NotebookInstanceName="research")
    local_sagemaker.clock.advance(6)
    assert local_sagemaker.status("research") == "Stopping"


def test_a_presigned_url_has_the_form_of_aws_and_is_another_each_time(
    local_sagemaker: LocalSageMaker, client: Any
) -> None:
    local_sagemaker.create_notebook("research", "InService")
    first, second = (
        client.create_presigned_notebook_instance_url(NotebookInstanceName="research")["AuthorizedUrl"]
        for _ in range(2)
    )
    assert first.startswith("https://research.notebook.us-east-1.sagemaker.aws?authToken=")
    assert first != second


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "InService"])
def test_a_presigned_url_is_made_only_of_a_notebook_in_service(
    status: str, local_sagemaker: LocalSageMaker, client: Any
) -> None:
    local_sagemaker.create_notebook("research", status)
    error = refused(client.create_presigned_notebook_instance_url, NotebookInstanceName="research")
    assert error["Code"] == "ValidationException"
    assert f"Status ({status}) not in ([InService])" in error["Message"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"NotebookInstanceName": "research", "SessionExpirationDurationInSeconds": 43201},
            "1 validation error detected: Value '43201' at 'sessionExpirationDurationInSeconds' failed to satisfy "
            "constraint: Member must have value less than or equal to 43200",
        ),
        (
            {"NotebookInstanceName": "my_notebook"},
            "1 validation error detected: Value 'my_notebook' at 'notebookInstanceName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*",
        ),
        (
            {"NotebookInstanceName": "a" * 64},
            f"1 validation error detected: Value '{'a' * 64}' at 'notebookInstanceName' failed to satisfy "
            "constraint: Member must have length less than or equal to 63",
        ),
    ],
)
def test_wrong_input_of_a_mint_gets_the_constraint_message_of_aws(
    arguments: dict[str, Any], message: str, client: Any
) -> None:
    error = refused(client.create_presigned_notebook_instance_url, **arguments)
    assert error == {"Code": "ValidationException", "Message": message}


def test_a_session_of_1799_seconds_is_refused_even_if_the_client_lets_it_pass(
    local_sagemaker: LocalSageMaker, boto3_session: boto3.Session
) -> None:
    lax = boto3_session.client("sagemaker", config=Config(parameter_validation=False))
    error = refused(
        lax.create_presigned_notebook_instance_url,
        NotebookInstanceName="research",
        SessionExpirationDurationInSeconds=1799,
    )
    assert error["Message"].endswith("Member must have value greater than or equal to 1800")


def test_the_record_of_requests_names_operation_notebook_time_and_error_but_no_token(
    local_sagemaker: LocalSageMaker, client: Any
) -> None:
    local_sagemaker.create_notebook("research", "InService")
    url = client.create_presigned_notebook_instance_url(NotebookInstanceName="research")["AuthorizedUrl"]
    refused(client.start_notebook_instance, NotebookInstanceName="research")
    now = local_sagemaker.clock.now().timestamp()
    assert local_sagemaker.requests_as_json() == [
        {"operation": "CreatePresignedNotebookInstanceUrl", "notebook": "research", "at": now, "error": None},
        {"operation": "StartNotebookInstance", "notebook": "research", "at": now, "error": "ValidationException"},
    ]
    assert url.partition("authToken=")[2] not in repr(local_sagemaker.requests)


def test_uninstalled_moto_is_as_it_was() -> None:
    from moto.sagemaker.models import FakeSagemakerNotebookInstance
    from moto.sagemaker.responses import SageMakerResponse

    before = dict(vars(SageMakerResponse)), dict(vars(FakeSagemakerNotebookInstance))
    with LocalSageMaker():
        assert vars(SageMakerResponse) != before[0]
        with pytest.raises(RuntimeError, match="installed in this process already"):
            LocalSageMaker().install()
    assert (dict(vars(SageMakerResponse)), dict(vars(FakeSagemakerNotebookInstance))) == before


def test_a_fixed_clock_can_only_be_advanced(local_sagemaker: LocalSageMaker) -> None:
    before = local_sagemaker.clock.now()
    assert (local_sagemaker.clock.advance(1.5) - before).total_seconds() == 1.5
    with pytest.raises(ValueError, match="can only be advanced"):
        local_sagemaker.clock.advance(-1)
