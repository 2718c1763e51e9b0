"""A notebook for each member of a team: one mapped task per person starts their notebook and sends its link."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow import DAG

from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator

TEAM = {
    "ada@example.com": "research-ada",
    "grace@example.com": "research-grace",
    "katherine@example.com": "research-katherine",
}
MAIL = NotebookUrlSmtpNotifier(to="{{ recipient }}", timezone="Europe/Berlin")

with DAG(
    dag_id="notebooks_for_a_team",
    description="Start everybody's notebook and send each of them the link",
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="Europe/Berlin"),
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
) as dag:
    SageMakerPresignedNotebookUrlOperator.partial(
        task_id="notebook_link",
        session_expiration_duration=timedelta(hours=9),
        notifiers=[MAIL],
        deferrable=True,
        map_index_template="{{ task.notebook_instance_name }}",
    ).expand_kwargs([{"recipient": person, "notebook_instance_name": notebook} for person, notebook in TEAM.items()])
