"""The DAG that the delivery benchmark runs: one link by mail and by Slack, waited for in the worker or deferred."""

from __future__ import annotations

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator

for mode in ("deferred", "worker"):
    with DAG(dag_id=f"bench_{mode}", schedule=None, params={"notebook": "research"}):
        SageMakerPresignedNotebookUrlOperator(
            task_id="link",
            notebook_instance_name="{{ params.notebook }}",
            recipient="{{ params.notebook }}@example.com",
            notifiers=[NotebookUrlSmtpNotifier(), NotebookUrlSlackNotifier(user="{{ recipient }}")],
            poll_interval=2,
            deferrable=mode == "deferred",
        )
