"""For the tests of many runs at once: a start that is waited for in the worker, a stop in the triggerer."""

from __future__ import annotations

import pendulum

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

NOTEBOOK = "{{ params.notebook_instance_name }}"

with DAG(
    dag_id="started_and_stopped",
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    params={"notebook_instance_name": "", "recipient": ""},
):
    link = SageMakerPresignedNotebookUrlOperator(
        task_id="notebook_link",
        notebook_instance_name=NOTEBOOK,
        recipient="{{ params.recipient }}",
        notifiers=[NotebookUrlSmtpNotifier(), NotebookUrlSlackNotifier(user="{{ recipient }}")],
        deferrable=False,
        poll_interval=1,
    )
    stop = SageMakerStopNotebookInstanceOperator(task_id="stop", notebook_instance_name=NOTEBOOK, deferrable=True)
    link >> stop
