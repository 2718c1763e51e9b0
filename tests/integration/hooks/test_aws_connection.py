"""The connection is Airflow's ordinary AWS connection: what it says reaches the client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.sts.models import sts_backends

from airflow_sagemaker_presign.exceptions import SageMakerAccessDenied
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance


@pytest.fixture
def connect(local: LocalServices, monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(**extra: Any) -> None:
        connection = {"conn_type": "aws", "login": "local", "password": "local"}
        extra = {"endpoint_url": local.endpoint_url, "region_name": "eu-west-1", **extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({**connection, "extra": extra}))

    return connect


def test_endpoint_region_and_botocore_config_come_from_the_connection(connect: Any) -> None:
    connect(config_kwargs={"read_timeout": 7}, verify=False)
    hook = SageMakerNotebookInstanceHook()
    description = hook.describe_notebook_instance("research")
    assert ":eu-west-1:" in description["NotebookInstanceArn"]
    assert hook.conn.meta.config.read_timeout == 7  # type: ignore[attr-defined]
    assert hook.verify is False


def test_the_operators_own_region_verify_and_config_win(connect: Any) -> None:
    connect(config_kwargs={"read_timeout": 7})
    hook = SageMakerNotebookInstanceHook(region_name="us-west-2", verify=True, config={"read_timeout": 3})
    assert ":us-west-2:" in hook.describe_notebook_instance("research")["NotebookInstanceArn"]
    assert hook.conn.meta.config.read_timeout == 3  # type: ignore[attr-defined]
    assert hook.verify is True


def test_a_connection_without_a_region_says_so(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    connect(region_name=None)
    hook = SageMakerNotebookInstanceHook()
    for call in (hook.describe, hook.arn_without_account):
        with pytest.raises(SageMakerAccessDenied, match="not usable: You must specify a region"):
            call(NotebookInstance("research"))


def test_a_role_to_assume_is_assumed(connect: Any, local: LocalServices) -> None:
    role = "arn:aws:iam::123456789012:role/notebook-links"
    connect(role_arn=role, service_config={"sts": {"endpoint_url": local.endpoint_url}})
    SageMakerNotebookInstanceHook().describe_notebook_instance("research")
    assumed = [assumed.role_arn for assumed in sts_backends["123456789012"]["aws"].assumed_roles]
    assert assumed == [role]
