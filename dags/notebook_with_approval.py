"""
A notebook with approval: somebody asks for it, somebody else approves in Airflow's UI, and only then is it started.

The mail holds no credential: its link is the launch page, a page of Airflow that opens the notebook to the person it is
for, once they have signed in. A request that is rejected starts nothing. One that nobody answers for a day fails, as
does one that was approved by the person who asked or whom it is for; the mail says which, and clearing the task asks
again.

Needs Airflow 3.1.1 or newer; an older one shows no such DAG.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

MAIL = NotebookUrlSmtpNotifier(to="{{ params.recipient }}", note="You asked for it with: {{ params.reason }}")

if HAS_LAUNCH_PAGE:
    import inspect

    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator
    from airflow.sdk import DAG, Context, Param, TriggerRule

    # Before 1.12.2 the standard provider took the time for an answer from ``execution_timeout``.
    has_response_timeout = "response_timeout" in inspect.signature(HITLOperator.__init__).parameters
    within_a_day: dict[str, Any] = {
        "response_timeout" if has_response_timeout else "execution_timeout": timedelta(days=1)
    }

    class SecondPersonApprovalOperator(ApprovalOperator):
        """
        Takes no approval by the person who asked, or whom the notebook is for. (``assigned_users`` names approvers.)
        """

        def validate_params(self) -> None:
            """Ask the approver for no parameter: before Airflow 3.2 the DAG's own are among the task's."""
            self.params = type(self.params)()
            super().validate_params()

        def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
            """Go on with the answer. Who gave it is Airflow's word; an XCom could be written by others."""
            # Taken before the answer is: on Airflow 3.1 that brings the params along, in words of the approver's own.
            first = {context["dag_run"].triggering_user_name, context["params"]["recipient"]} - {None}
            answer = super().execute_complete(context, event)
            approver = answer["responded_by_user"] or {}
            if self.APPROVE in answer["chosen_options"] and first & {approver.get("id"), approver.get("name")}:
                raise PermissionError(
                    f"{approver['name']} cannot approve this alone, having asked or being whom it is for. "
                    "Clear this task, and have somebody else approve."
                )
            return answer

    with DAG(
        dag_id="notebook_with_approval",
        description="Start a SageMaker notebook instance for somebody once somebody else has approved",
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
                description="The e-mail address that Airflow knows the person by. The notebook opens to nobody else.",
                format="idn-email",
                minLength=3,
            ),
            "reason": Param(
                None, type="string", title="What for", description="For whoever approves.", minLength=10, maxLength=500
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
        # A run is what its last tasks are: without this one, a clean-up that worked would paint a failed run green.
        delivered = EmptyOperator(task_id="delivered")

        approve >> notebook_link >> [delivered, stop_if_failed]
