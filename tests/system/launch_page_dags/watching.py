"""Tasks that watch a notebook, as the launch page sees them: their fields are a stop operator's. They stop nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator

from airflow_sagemaker_presign.usage.stop_warning import KEEP_KEY


class Watch(BaseOperator):
    """Defers until somebody keeps the notebook running, and once more; returns what it pulled then."""

    template_fields: Sequence[str] = (
        "notebook_instance_name",
        "idle_for",
        "at_latest",
        "allowed_users",
        "aws_conn_id",
        "region_name",
        "verify",
    )

    def __init__(self, *, notebook_instance_name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notebook_instance_name = notebook_instance_name
        self.idle_for = 3600.0
        self.at_latest = "20:00:00"
        self.allowed_users = "editors"
        self.aws_conn_id = "aws_default"
        self.region_name = None
        self.verify = None

    def execute(self, context: Any) -> None:
        """Wait in the triggerer."""
        self._wait(None)

    def execute_watch(self, context: Any, event: Any, kept: str | None) -> str:
        """Pull as the stop operator does."""
        ti = context["ti"]
        pulled = ti.xcom_pull(key=KEEP_KEY, task_ids=ti.task_id, map_indexes=ti.map_index)
        if pulled is None or kept is None:
            self._wait(pulled)
        return f"{kept} {pulled}"

    def _wait(self, kept: str | None) -> None:
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=8)), method_name="execute_watch", kwargs={"kept": kept})


with DAG("watching"):
    Watch(task_id="one", notebook_instance_name="launch-elsewhere")
    Watch.partial(task_id="mapped").expand(notebook_instance_name=["launch-mapped-0", "launch-mapped-1"])
