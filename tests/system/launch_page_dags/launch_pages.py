"""Tasks of every kind that the door has to tell apart. They deliver to nobody: only the door is of interest."""

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


def door(task_id: str, name: str, **arguments: Any) -> SageMakerPresignedNotebookUrlOperator:
    """A task whose notebook is opened through the door only."""
    return SageMakerPresignedNotebookUrlOperator(
        task_id=task_id, notebook_instance_name=name, notifiers=Silent(), link="door", **arguments
    )


with DAG("doors"):
    door("editors", "door-editors", session_expiration_duration=3600)
    door("named", "door-named", allowed_users=["vera", "{{ params.named }}"], params={"named": "ZOE@example.com"})
    door("for-the-boss", "door-named", allowed_users=["boss@example.com"])
    door("stopped", "door-stopped", allowed_users=["vera"])
    door("old", "door-editors", door_open_for=3600)
    door("pruned", "door-editors")
    door("cut", "door-editors")
    door("missing", "door-editors")
    door("own", "door-editors")
    door("dead", "door-editors")
    door("odd-region", "door-editors")
    door("renamed", "door-editors")
    door("crowded", "door-editors")
    SageMakerPresignedNotebookUrlOperator.partial(task_id="mapped", notifiers=Silent(), link="door").expand(
        notebook_instance_name=["door-mapped-0", "door-mapped-1"]
    )
    SageMakerStopNotebookInstanceOperator(task_id="stop", notebook_instance_name="door-to-stop")

with DAG("long"):
    door("long", "door-editors")

with DAG("elsewhere"):
    door("notebook_link", "door-elsewhere")
