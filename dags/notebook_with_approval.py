"""
A notebook with approval: one person requests it, and another one must approve in Airflow's UI before it is started.

The mail contains no credential: it links to the launch page, a page in Airflow that opens the notebook for its user
once they have signed in. A rejected request starts nothing. One without a response within a day fails, as
does one that was approved by its requester or its user. The mail states the reason; clear the task to request approval
again.

Needs Airflow 3.1.1 or newer; older versions do not show this DAG.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow import __version__
from packaging.version import Version

from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

MAIL = NotebookUrlSmtpNotifier(to="{{ params.recipient }}", note="You asked for it with: {{ params.reason }}")

if Version(__version__) >= Version("3.1.1"):
    import inspect

    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
    from airflow.sdk import DAG, Context, Param, TriggerRule

    # Before 1.12.2 the standard provider used ``execution_timeout`` as the time limit for a response.
    has_response_timeout = "response_timeout" in inspect.signature(HITLOperator.__init__).parameters
    within_a_day: dict[str, Any] = {
        "response_timeout" if has_response_timeout else "execution_timeout": timedelta(days=1)
    }

    class SecondPersonApprovalOperator(ApprovalOperator):
        """
        Rejects an approval by the requester or the notebook's user. (``assigned_users`` names approvers.)
        """

        def validate_params(self) -> None:
            """Show the approver no parameters: before Airflow 3.2, the task's include the DAG's."""
            self.params = type(self.params)()
            super().validate_params()

        def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
            """Check who responded, which Airflow records itself; an XCom could be written by others."""
            # Read first: on Airflow 3.1 the response overwrites the params with values from the approver.
            first = {context["dag_run"].triggering_user_name, context["params"]["recipient"]} - {None}
            response = super().execute_complete(context, event)
            approver = response["responded_by_user"] or {}
            if self.APPROVE in response["chosen_options"] and first & {approver.get("id"), approver.get("name")}:
                raise PermissionError(
                    f"{approver['name']} cannot approve this: they requested it, or it is for them. "
                    "Clear this task, and have another person approve."
                )
            return response

    with DAG(
        dag_id="notebook_with_approval",
        description="Start a SageMaker notebook instance after another person has approved",
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
                title="Who it is for",
                description="The e-mail address that Airflow knows the person by. Nobody else can open the notebook.",
                format="idn-email",
                minLength=3,
            ),
            "reason": Param(
                None, type="string", title="Reason", description="Shown to the approver.", minLength=10, maxLength=500
            ),
        },
    ) as dag:
        approve = SecondPersonApprovalOperator(
            task_id="approve",
            subject="Notebook {{ params.notebook_instance_name }} for {{ params.recipient }}?",
            body="{{ dag_run.triggering_user_name }} asks for it: {{ params.reason }}",
            **within_a_day,
            on_failure_callback=MAIL,
        )
        notebook_link = SageMakerPresignedNotebookUrlOperator(
            task_id="notebook_link",
            notebook_instance_name="{{ params.notebook_instance_name }}",
            session_expiration_duration=timedelta(hours=8),
            recipient="{{ params.recipient }}",
            notifiers=[MAIL],
            link="launch_page",
            allowed_users=["{{ params.recipient }}"],
            deferrable=True,
            on_failure_callback=[MAIL],
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

        approve >> notebook_link >> [delivered, stop_if_failed]
