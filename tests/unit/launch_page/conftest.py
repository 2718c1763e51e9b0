from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask, TaskKey
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.airflow_database import Sessions, make_tables, opened


@pytest.fixture
def task() -> Callable[..., RenderedTask]:
    """Make a rendered task from the given fields and defaults."""
    usual = RenderedTask(
        key=TaskKey("mornings", "manual__2026-06-15T09:30:00+00:00", "notebook_link"),
        try_number=1,
        workspace=NotebookInstance("research"),
        session_expiration_duration=timedelta(hours=8),
        landing="lab",
        aws_conn_id="aws_default",
        region_name=None,
        verify=None,
        allowed_users=None,
    )

    def make(**others: Any) -> RenderedTask:
        if "name" in others:
            others["workspace"] = NotebookInstance(others.pop("name"))
        return replace(usual, **others)

    return make


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of Airflow's tables, with nothing in them."""
    path = tmp_path_factory.mktemp("database") / "airflow.db"
    make_tables(path)
    return path


@pytest.fixture
def sessions(empty_database: Path, tmp_path: Path) -> Iterator[Sessions]:
    """Sessions of an Airflow database; each test has a separate one."""
    path = tmp_path / "airflow.db"
    shutil.copy(empty_database, path)
    with opened(path) as sessions:
        yield sessions
