"""The demo has the notebook of each example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_sagemaker_presign.local import __main__ as local_command
from airflow_sagemaker_presign.local.demo import demo

ROOT = Path(__file__).parents[4]
NAME = re.compile(r"\"(research[a-z-]*)\"")


def examples() -> dict[str, str]:
    pasted = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    files = {path.name: path.read_text() for path in sorted((ROOT / "dags").glob("*.py"))}
    return {**files, "README.md": "".join(source for source in pasted if "DAG(" in source)}


# The report is about all notebooks.
@pytest.mark.parametrize("example", sorted(examples().keys() - {"notebooks_weekly_report.py"}))
def test_the_demo_has_the_notebooks_of_every_example(example: str, tmp_path: Path) -> None:
    arguments = demo._sagemaker_arguments(tmp_path, tmp_path / "addresses.json")
    named = set(NAME.findall(examples()[example]))
    assert named, "an example names its notebook"
    assert named <= set(local_command.parse(arguments).notebook)
