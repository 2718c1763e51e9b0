"""The hook's question whether a notebook is in use, and how its requests reach the notebook."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_sagemaker_presign.exceptions import NotebookInstanceUsageUnknown
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from tests.helpers.scripted_usage import BUSY, OneNotebook, ScriptedUsage


def test_it_says_what_runs_after_one_mint(
    hook: SageMakerNotebookInstanceHook, notebook: OneNotebook, usage: ScriptedUsage
) -> None:
    usage.busy()
    assert hook.notebook_instance_usage("research").running == BUSY
    assert notebook.requests == {"CreatePresignedNotebookInstanceUrl": 1}


def test_what_nobody_knows_is_an_error_with_what_to_do(
    hook: SageMakerNotebookInstanceHook, notebook: OneNotebook, usage: ScriptedUsage
) -> None:
    usage.unknown()
    with pytest.raises(NotebookInstanceUsageUnknown, match="Check the network; then try again"):
        hook.notebook_instance_usage("research")


def test_a_wrong_name_is_refused_before_any_request(
    hook: SageMakerNotebookInstanceHook, notebook: OneNotebook, usage: ScriptedUsage
) -> None:
    with pytest.raises(ValueError, match="notebook_instance_name='a_b'"):
        hook.notebook_instance_usage("a_b")
    assert notebook.requests.total() == 0


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ({}, (True, None)),
        ({"verify": False}, (False, None)),
        ({"config": {"proxies": {"https": "http://proxy:3128"}}}, (True, {"https": "http://proxy:3128"})),
    ],
)
def test_requests_reach_the_notebook_as_they_reach_aws(
    values: dict[str, Any], options: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = SageMakerNotebookInstanceHook(None, region_name="eu-central-1", **values)
    assert tuple(hook.http_options) == options
