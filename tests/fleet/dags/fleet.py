"""A notebook for each of a staff: ``dags/notebooks_for_a_team.py`` with two hundred people, and retries."""

from __future__ import annotations

import os
from datetime import timedelta

import pendulum

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator
from tests.fleet import plan

# From the note the receiver knows which run and which try sent the mail.
MAIL = NotebookUrlSmtpNotifier(to="{{ recipient }}", note="run={{ run_id }} try={{ ti.try_number }}")
STAFF = plan.people(int(os.environ["FLEET_NOTEBOOKS"]))

with DAG(
    dag_id=plan.DAG_ID,
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    max_active_tasks=len(STAFF),
    doc_md=__doc__,
) as dag:
    SageMakerPresignedNotebookUrlOperator.partial(
        task_id=plan.TASK_ID,
        session_expiration_duration=plan.SESSION,
        notifiers=[MAIL],
        deferrable=True,
        retries=2,
        retry_delay=timedelta(seconds=5),
        map_index_template="{{ task.notebook_instance_name }}",
    ).expand_kwargs(
        [
            {"recipient": plan.address(person), "notebook_instance_name": plan.notebook(person, "{{ run_id }}")}
            for person in STAFF
        ]
    )
