"""The wait for a notebook instance, in the triggerer."""

from __future__ import annotations

from airflow_sagemaker_presign.triggers.base import WorkspaceTrigger
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

__all__ = ["SageMakerNotebookInstanceTrigger"]


class SageMakerNotebookInstanceTrigger(WorkspaceTrigger):
    """Wait for a notebook instance. Its path is stored in Airflow's database: it stays."""

    kind = NotebookInstance
