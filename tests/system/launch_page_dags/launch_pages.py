"""Tasks of every kind that the launch page has to distinguish. They deliver no messages."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, BaseNotifier

from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)


class Silent(BaseNotifier):
    """Says nothing."""

    def notify(self, context: Any) -> None:
        """Say nothing."""


def launch_page(task_id: str, name: str, **arguments: Any) -> SageMakerPresignedNotebookUrlOperator:
    """A task whose notebook is opened through the launch page only."""
    return SageMakerPresignedNotebookUrlOperator(
        task_id=task_id, notebook_instance_name=name, notifiers=Silent(), link="launch_page", **arguments
    )


with DAG("launch_pages"):
    launch_page("editors", "launch-editors", session_expiration_duration=3600)
    launch_page(
        "named", "launch-named", allowed_users=["vera", "{{ params.named }}"], params={"named": "ZOE@example.com"}
    )
    launch_page("for-the-boss", "launch-named", allowed_users=["boss@example.com"])
    launch_page("stopped", "launch-stopped", allowed_users=["vera"])
    launch_page("old", "launch-editors", launch_page_valid_for=3600)
    launch_page("pruned", "launch-editors")
    launch_page("cut", "launch-editors")
    launch_page("missing", "launch-editors")
    launch_page("own", "launch-editors")
    launch_page("dead", "launch-editors")
    launch_page("odd-region", "launch-editors")
    launch_page("renamed", "launch-editors")
    launch_page("crowded", "launch-editors")
    SageMakerPresignedNotebookUrlOperator.partial(task_id="mapped", notifiers=Silent(), link="launch_page").expand(
        notebook_instance_name=["launch-mapped-0", "launch-mapped-1"]
    )
    SageMakerStopNotebookInstanceOperator(task_id="stop", notebook_instance_name="launch-to-stop")

with DAG("long"):
    launch_page("long", "launch-editors")

with DAG("elsewhere"):
    launch_page("notebook_link", "launch-elsewhere")
