"""
A notebook on demand: a user fills in the DAG's form in Airflow's UI, and gets the link by mail and on Slack.

The form rejects what AWS would reject. If a task fails, both notifiers report the failure, and the
notebook instance is stopped again, unless it was running before the DAG run: it may be in use.
"""

from __future__ import annotations

import pendulum

from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, Param, TriggerRule
except ImportError:  # Airflow 2
    from airflow.models.dag import DAG
    from airflow.models.param import Param
    from airflow.operators.empty import EmptyOperator
    from airflow.utils.trigger_rule import TriggerRule

NOTIFIERS = [
    NotebookUrlSmtpNotifier(to="{{ params.recipient }}"),
    NotebookUrlSlackNotifier(user="{{ params.recipient }}"),
]

with DAG(
    dag_id="notebook_on_demand",
    description="Start a SageMaker notebook instance and send its link",
    schedule=None,
    start_date=pendulum.datetime(2025, 1, 1, tz="UTC"),
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
    params={
        "notebook_instance_name": Param(
            "research",
            type="string",
            title="Notebook instance",
            description="Its name in SageMaker: letters, digits and hyphens.",
            pattern="^[a-zA-Z0-9](-*[a-zA-Z0-9])*$",
            maxLength=63,
        ),
        "recipient": Param(
            "ada@example.com",
            type="string",
            title="Who gets the link",
            description="An e-mail address; Slack finds the person by it. Anyone with the link can open the notebook.",
            format="idn-email",
            minLength=3,
        ),
        "session_hours": Param(
            8,
            type="number",
            title="Session, in hours",
            description="How long the Jupyter session lasts once the link was opened: half an hour to 12 hours.",
            # With plain `minimum` and `maximum`, Airflow 3's form silently turns 13 into 12.
            allOf=[{"minimum": 0.5, "maximum": 12}],
        ),
    },
) as dag:
    notebook_link = SageMakerPresignedNotebookUrlOperator(
        task_id="notebook_link",
        notebook_instance_name="{{ params.notebook_instance_name }}",
        session_expiration_duration="{{ (params.session_hours * 3600) | int }}",
        recipient="{{ params.recipient }}",
        notifiers=NOTIFIERS,
        deferrable=True,
        on_failure_callback=NOTIFIERS,
    )
    stop_if_failed = SageMakerStopNotebookInstanceOperator(
        task_id="stop_if_failed",
        notebook_instance_name="{{ params.notebook_instance_name }}",
        trigger_rule=TriggerRule.ONE_FAILED,
        only_if_started_in_run=True,
        deferrable=True,
    )
    # A run has the state of its last tasks: without this one, a successful clean-up would hide a failure.
    delivered = EmptyOperator(task_id="delivered")

    notebook_link >> [delivered, stop_if_failed]
