"""The DAG that the launch page's benchmark opens: fifty notebooks, which fifty people may open."""

from __future__ import annotations

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator

with DAG(dag_id="bench_launch_page", schedule=None):
    SageMakerPresignedNotebookUrlOperator.partial(
        task_id="link",
        link="launch_page",
        notifiers=[NotebookUrlSmtpNotifier(to="everybody@example.com")],
        allowed_users=[f"person-{number:02}" for number in range(50)],
    ).expand(notebook_instance_name=[f"notebook-{number:02}" for number in range(50)])
