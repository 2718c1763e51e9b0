"""A notebook whose DAG's author removes an allowed user."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, BaseNotifier

from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator

ALLOWED = ["vera", "ed"]


class Silent(BaseNotifier):
    """Says nothing."""

    def notify(self, context: Any) -> None:
        """Say nothing."""


with DAG("leaving"):
    SageMakerPresignedNotebookUrlOperator(
        task_id="link",
        notebook_instance_name="launch-editors",
        notifiers=Silent(),
        link="launch_page",
        allowed_users=ALLOWED,
    )
