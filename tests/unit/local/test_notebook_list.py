from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import LocalSageMaker


def names(client: Any, **filters: Any) -> list[str]:
    return [row["NotebookInstanceName"] for row in client.list_notebook_instances(**filters)["NotebookInstances"]]


@pytest.fixture
def three(local_sagemaker: LocalSageMaker) -> LocalSageMaker:
    for name, status in (("ada", "Stopped"), ("grace", "InService"), ("mary-ann", "Pending")):
        local_sagemaker.create_notebook(name, status)
        local_sagemaker.clock.advance(60)
    return local_sagemaker


def test_status_and_part_of_the_name_select(three: LocalSageMaker, client: Any) -> None:
    assert names(client) == ["ada", "grace", "mary-ann"]
    assert names(client, StatusEquals="Pending") == ["mary-ann"]
    assert names(client, NameContains="y-a") == ["mary-ann"]
    assert names(client, NameContains="a", StatusEquals="Stopped") == ["ada"]


def test_lifecycle_config_and_repositories_select(local_sagemaker: LocalSageMaker, client: Any) -> None:
    common = {"InstanceType": "ml.t3.medium", "RoleArn": "arn:aws:iam::123456789012:role/notebook"}
    client.create_notebook_instance(NotebookInstanceName="plain", **common)
    client.create_notebook_instance(
        NotebookInstanceName="full",
        LifecycleConfigName="stop-when-idle",
        DefaultCodeRepository="models",
        AdditionalCodeRepositories=["tools", "data"],
        **common,
    )
    for filters in (
        {"NotebookInstanceLifecycleConfigNameContains": "when-idle"},
        {"DefaultCodeRepositoryContains": "odel"},
        {"AdditionalCodeRepositoryEquals": "data"},
    ):
        assert names(client, **filters) == ["full"]
    assert names(client, AdditionalCodeRepositoryEquals="dat") == []


def test_only_what_has_changed_since_is_listed(three: LocalSageMaker, client: Any) -> None:
    before = three.clock.now()
    assert names(client, LastModifiedTimeAfter=before) == []
    three.clock.advance(1)
    client.start_notebook_instance(NotebookInstanceName="ada")
    assert names(client, LastModifiedTimeAfter=before) == ["ada"]
    assert names(client, LastModifiedTimeBefore=before) == ["grace", "mary-ann"]


def test_a_change_is_listed_even_if_no_poller_observed_it_when_it_happened(three: LocalSageMaker, client: Any) -> None:
    client.start_notebook_instance(NotebookInstanceName="ada")
    before = three.clock.now() + timedelta(seconds=5)
    three.clock.advance(100)
    row = client.list_notebook_instances(LastModifiedTimeAfter=before)["NotebookInstances"][0]
    assert (row["NotebookInstanceName"], row["NotebookInstanceStatus"]) == ("ada", "InService")


def test_pages_follow_each_other_even_when_a_row_vanishes_in_between(
    local_sagemaker: LocalSageMaker, client: Any
) -> None:
    for number in range(25):
        local_sagemaker.create_notebook(f"n{number:02}")
    first = client.list_notebook_instances(MaxResults=10)
    local_sagemaker.set_status("n00", "InService")
    second = client.list_notebook_instances(MaxResults=10, StatusEquals="Stopped", NextToken=first["NextToken"])
    assert second["NotebookInstances"][0]["NotebookInstanceName"] == "n10"
    every = client.get_paginator("list_notebook_instances").paginate().build_full_result()["NotebookInstances"]
    assert [row["NotebookInstanceName"] for row in every] == [f"n{number:02}" for number in range(25)]


def test_the_order_can_be_chosen(three: LocalSageMaker, client: Any) -> None:
    assert names(client, SortBy="CreationTime", SortOrder="Descending") == ["mary-ann", "grace", "ada"]
    page = client.list_notebook_instances(SortOrder="Descending", MaxResults=2)
    assert names(client, SortOrder="Descending", NextToken=page["NextToken"]) == ["ada"]


@pytest.mark.parametrize("filters", [{"MaxResults": 101}, {"NextToken": "no-token"}, {"SortBy": "Mood"}])
def test_wrong_paging_and_order_are_refused(filters: dict[str, Any], client: Any) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        client.list_notebook_instances(**filters)
