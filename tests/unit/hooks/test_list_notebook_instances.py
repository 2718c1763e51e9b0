"""The hook's list of notebook instances with their tags."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.exceptions import SageMakerAccessDenied, SageMakerUnavailable
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from tests.helpers.scripted_sagemaker import ARN, Script

ROW = {"NotebookInstanceName": "research", "NotebookInstanceArn": ARN, "NotebookInstanceStatus": "InService"}
PAGE = {"MaxResults": 100}
"""AWS's own pages have ten rows."""


@pytest.fixture
def stubber(sagemaker: Script) -> Any:
    return sagemaker.stubber


def tagged(stubber: Any, arn: str, **tags: str) -> None:
    rows = [{"Key": key, "Value": value} for key, value in tags.items()]
    stubber.add_response("list_tags", {"Tags": rows}, {"ResourceArn": arn})


def test_all_pages_are_read_and_each_row_has_its_tags(hook: SageMakerNotebookInstanceHook, stubber: Any) -> None:
    other = {**ROW, "NotebookInstanceName": "other", "NotebookInstanceArn": f"{ARN}-other"}
    stubber.add_response("list_notebook_instances", {"NotebookInstances": [ROW], "NextToken": "next"}, PAGE)
    tagged(stubber, ARN, owner="ada@example.com", team="research")
    stubber.add_response("list_notebook_instances", {"NotebookInstances": [other]}, {**PAGE, "NextToken": "next"})
    tagged(stubber, f"{ARN}-other")
    rows = hook.list_notebook_instances()
    assert [(row["NotebookInstanceName"], row["Tags"]) for row in rows] == [
        ("research", {"owner": "ada@example.com", "team": "research"}),
        ("other", {}),
    ]


@pytest.mark.parametrize(
    ("tags", "count"),
    [({"team": "research"}, 1), ({"team": "other"}, 0), ({"team": "research", "owner": "ada"}, 0), ({}, 1)],
)
def test_only_those_with_all_of_the_tags_are_returned(
    tags: dict[str, str], count: int, hook: SageMakerNotebookInstanceHook, stubber: Any
) -> None:
    stubber.add_response("list_notebook_instances", {"NotebookInstances": [ROW]}, {**PAGE, "StatusEquals": "InService"})
    tagged(stubber, ARN, team="research")
    assert len(hook.list_notebook_instances(tags=tags, status="InService")) == count


@pytest.mark.parametrize("tags", [None, {"team": "research"}])
def test_one_that_was_deleted_meanwhile_is_left_out(
    tags: Any, hook: SageMakerNotebookInstanceHook, stubber: Any, sagemaker: Script
) -> None:
    stubber.add_response("list_notebook_instances", {"NotebookInstances": [ROW]}, PAGE)
    sagemaker.refuse("list_tags", "ValidationException", "RecordNotFound")
    assert hook.list_notebook_instances(tags=tags) == []


def test_a_denied_request_is_this_packages_error(hook: SageMakerNotebookInstanceHook, sagemaker: Script) -> None:
    sagemaker.refuse("list_notebook_instances", "AccessDeniedException", "not authorized: ListNotebookInstances")
    with pytest.raises(SageMakerAccessDenied, match="ListNotebookInstances"):
        hook.list_notebook_instances()


def test_a_page_that_is_not_aws_is_no_empty_list(
    hook: SageMakerNotebookInstanceHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.__dict__["conn"].meta.events.register(
        "before-call.sagemaker", lambda **_: (SimpleNamespace(status_code=200), {"ResponseMetadata": {}})
    )
    with pytest.raises(SageMakerUnavailable, match="without NotebookInstances"):
        hook.list_notebook_instances()
