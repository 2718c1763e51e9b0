"""The package as Airflow sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from airflow_sagemaker_presign import __version__
from tests.helpers.system_settings import DAGS


def airflow_command(home: Path, *arguments: str) -> str:
    answer = subprocess.run(
        [Path(sys.executable).parent / "airflow", *arguments],
        env={
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return answer.stdout


def test_airflow_lists_it_among_its_providers(tmp_path: Path) -> None:
    listed = airflow_command(tmp_path, "providers", "list", "--output", "plain")
    (line,) = [line for line in listed.splitlines() if line.startswith("airflow-sagemaker-presign")]
    assert line.split()[-1] == __version__


@pytest.mark.usefixtures("runs")
def test_its_example_dags_have_no_import_errors(api: httpx.Client) -> None:
    assert api.get("/api/v2/importErrors").raise_for_status().json()["import_errors"] == []
