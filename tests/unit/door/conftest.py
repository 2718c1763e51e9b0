from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.door.rendered_task import RenderedTask, TaskKey


@pytest.fixture
def task() -> Callable[..., RenderedTask]:
    """Make a rendered task, with what is given and else what is usual."""
    usual = RenderedTask(
        key=TaskKey("mornings", "manual__2026-06-15T09:30:00+00:00", "notebook_link"),
        try_number=1,
        notebook_instance_name="research",
        session_expiration_duration=timedelta(hours=8),
        landing="lab",
        aws_conn_id="aws_default",
        region_name=None,
        verify=None,
        allowed_users=None,
    )

    def make(**others: Any) -> RenderedTask:
        return replace(usual, **others)

    return make
