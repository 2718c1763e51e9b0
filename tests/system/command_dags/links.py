"""For the tests of the commands that try a DAG out: one link is waited for in the triggerer, one in the worker."""

from __future__ import annotations

import pendulum

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator

with DAG(dag_id="links", schedule=None, start_date=pendulum.datetime(2025, 1, 1, tz="UTC")):
    for where, deferrable in (("deferred", True), ("worker", False)):
        SageMakerPresignedNotebookUrlOperator(
            task_id=where,
            notebook_instance_name=f"tried-out-{where}",
            recipient=f"{where}@example.com",
            notifiers=[NotebookUrlSmtpNotifier(), NotebookUrlSlackNotifier(user="{{ recipient }}")],
            deferrable=deferrable,
            poll_interval=1,
        )
