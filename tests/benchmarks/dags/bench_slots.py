"""The DAGs of the benchmark of worker slots: one notebook instance each, and how long each leg of its task took."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from airflow.providers.amazon.aws.operators.sagemaker import SageMakerStartNoteBookOperator

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator


@contextmanager
def noted(dag_id: str) -> Iterator[None]:
    """Write down the seconds from the start of the task's process to the end of this leg."""
    try:
        yield
    finally:
        seconds = time.time() - psutil.Process().create_time()
        with Path(os.environ["SLOT_NOTES"]).open("a") as notes:
            notes.write(json.dumps([dag_id, seconds]) + "\n")


class Link(SageMakerPresignedNotebookUrlOperator):
    def execute(self, context: Any) -> Any:
        with noted(self.dag_id):
            return super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        with noted(self.dag_id):
            return super().resume_execution(next_method, next_kwargs, context)


class ProvidersStart(SageMakerStartNoteBookOperator):
    def execute(self, context: Any) -> Any:
        with noted(self.dag_id):
            return super().execute(context)  # type: ignore[no-untyped-call]


for mode in ("deferred", "worker"):
    with DAG(dag_id=f"slots_{mode}", schedule=None):
        Link(
            task_id="start",
            notebook_instance_name=f"slots-{mode}",
            recipient="ada@example.com",
            notifiers=[NotebookUrlSmtpNotifier()],
            deferrable=mode == "deferred",
        )

with DAG(dag_id="slots_provider", schedule=None):
    ProvidersStart(task_id="start", instance_name="slots-provider")
