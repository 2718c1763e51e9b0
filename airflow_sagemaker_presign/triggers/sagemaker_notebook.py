"""The trigger that waits for a notebook instance."""

from __future__ import annotations

from airflow_sagemaker_presign.triggers.base import WorkspaceTrigger
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

__all__ = ["SageMakerNotebookInstanceTrigger"]


class SageMakerNotebookInstanceTrigger(WorkspaceTrigger):
    """Wait for a notebook instance. Airflow's database stores the path of this class, so it must not change."""

    kind = NotebookInstance
