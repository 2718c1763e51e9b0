"""The triggers that wait for a notebook instance, and watch whether it is idle."""

from __future__ import annotations

from airflow_sagemaker_presign.triggers.base import IdleTrigger, WorkspaceTrigger
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

__all__ = ["SageMakerNotebookInstanceIdleTrigger", "SageMakerNotebookInstanceTrigger"]


class SageMakerNotebookInstanceTrigger(WorkspaceTrigger):
    """Wait for a notebook instance. Airflow's database stores the path of this class, so it must not change."""

    kind = NotebookInstance


class SageMakerNotebookInstanceIdleTrigger(IdleTrigger):
    """Watch a notebook instance. Airflow's database stores the path of this class, so it must not change."""

    kind = NotebookInstance
