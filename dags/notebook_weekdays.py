"""
A notebook each weekday: started in the morning in Berlin, its link sent to Ada on Slack, stopped in the evening.

The link goes to one person, since anyone who has it gets access. Failures, which contain no credential, go to the
team's channel, so they are reported even if Slack does not know the person.

The evening DAG always stops it, on weekends too, so that no forgotten notebook costs
money.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum

from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, TriggerRule
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
    from airflow.operators.empty import EmptyOperator
    from airflow.utils.trigger_rule import TriggerRule

NOTEBOOK = "research"
START = pendulum.datetime(2025, 1, 1, tz="Europe/Berlin")
TO_ADA = NotebookUrlSlackNotifier(user="ada@example.com", timezone="Europe/Berlin")
TO_THE_TEAM = NotebookUrlSlackNotifier(channel="#research", timezone="Europe/Berlin")

with DAG(
    dag_id="notebook_weekday_morning",
    description="Start the research notebook and send its link",
    schedule="0 8 * * 1-5",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
) as morning:
    notebook_link = SageMakerPresignedNotebookUrlOperator(
        task_id="notebook_link",
        notebook_instance_name=NOTEBOOK,
        session_expiration_duration=timedelta(hours=11),
        notifiers=[TO_ADA],
        deferrable=True,
        on_failure_callback=[TO_THE_TEAM],
    )
    stop_if_failed = SageMakerStopNotebookInstanceOperator(
        task_id="stop_if_failed",
        notebook_instance_name=NOTEBOOK,
        trigger_rule=TriggerRule.ONE_FAILED,
        only_if_started_in_run=True,
        deferrable=True,
    )
    # A run has the state of its last tasks: without this one, a successful clean-up would hide a failure.
    delivered = EmptyOperator(task_id="delivered")

    notebook_link >> [delivered, stop_if_failed]

with DAG(
    dag_id="notebook_every_evening",
    description="Stop the research notebook",
    schedule="0 19 * * *",
    start_date=START,
    catchup=False,
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
) as evening:
    SageMakerStopNotebookInstanceOperator(
        task_id="stop",
        notebook_instance_name=NOTEBOOK,
        retries=2,
        retry_delay=timedelta(minutes=5),
        deferrable=True,
        on_failure_callback=[TO_THE_TEAM],
    )
