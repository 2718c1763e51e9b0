"""What the README says is true: its DAG runs as pasted, its table has every parameter, its JSON is JSON."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_sagemaker_presign.operators import sagemaker_notebook

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DEPRECATED = ("door_open_for",)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def parameters(kind: type) -> set[str]:
    return {name for name in inspect.signature(kind).parameters if name not in ("self", "kwargs", *DEPRECATED)}


def test_the_dag_to_paste_has_about_ten_lines_and_makes_its_task() -> None:
    pytest.importorskip("airflow.sdk")
    source = next(block for block in blocks("python") if "DAG(" in block)
    assert len(source.splitlines()) <= 12
    made: dict[str, Any] = {}
    exec(source.replace("catchup=False):", "catchup=False) as dag:"), made)
    assert made["dag"].task_ids == ["notebook_link"]


@pytest.mark.parametrize(
    "kind",
    [
        sagemaker_notebook.SageMakerPresignedNotebookUrlOperator,
        sagemaker_notebook.SageMakerStopNotebookInstanceOperator,
    ],
)
def test_the_tables_have_every_parameter(kind: type) -> None:
    missing = [name for name in parameters(kind) if not re.search(rf"^\|.*`{name}`", README, re.MULTILINE)]
    assert not missing


def test_the_policy_and_the_connections_are_json() -> None:
    (policy,) = blocks("json")
    actions = json.loads(policy)["Statement"][0]["Action"]
    assert len(actions) == 4
    exported = re.findall(r"export AIRFLOW_CONN_\w+='(.*?)'\n", README, re.DOTALL)
    assert [json.loads(value)["conn_type"] for value in exported] == ["slack", "smtp"]


def test_every_file_and_picture_that_it_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link and "{{" not in link]
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]
