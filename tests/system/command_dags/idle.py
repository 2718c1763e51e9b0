"""For the tests of the commands that try a DAG out: two notebooks that are idle, watched in the triggerer and here."""

from __future__ import annotations

import pendulum

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerStopNotebookInstanceOperator

with DAG(dag_id="idle", schedule=None, start_date=pendulum.datetime(2025, 1, 1, tz="UTC")):
    for where, deferrable in (("deferred", True), ("worker", False)):
        SageMakerStopNotebookInstanceOperator(
            task_id=f"idle_{where}",
            notebook_instance_name=f"idle-{where}",
            idle_for=4,
            warn_before=2,
            notifiers=[NotebookUrlSmtpNotifier(to=f"idle-{where}@example.com")],
            deferrable=deferrable,
            wait_for_completion=False,
            poll_interval=1,
        )
