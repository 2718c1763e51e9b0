"""Notebooks that are watched, and stopped when they are idle: soon, or after a warning that leaves time to press."""

from __future__ import annotations

import pendulum

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerStopNotebookInstanceOperator

for dag_id, idle_for, warn_before in (("watched", 16, 8), ("watched_for_long", 28, 20)):
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
        params={"notebook_instance_name": "", "recipient": ""},
    ):
        SageMakerStopNotebookInstanceOperator(
            task_id="stop",
            notebook_instance_name="{{ params.notebook_instance_name }}",
            recipient="{{ params.recipient }}",
            idle_for=idle_for,
            warn_before=warn_before,
            notifiers=[NotebookUrlSmtpNotifier(to="{{ recipient }}")],
            deferrable=True,
            poll_interval=1,
        )
