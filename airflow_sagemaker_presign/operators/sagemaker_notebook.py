"""The operators for SageMaker notebook instances: deliver a presigned URL, and stop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import time, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_sagemaker_presign.delivery.link_mode import LinkMode
from airflow_sagemaker_presign.deprecation import renamed_parameter
from airflow_sagemaker_presign.links import (
    SageMakerNotebookConsoleLink,
    SageMakerNotebookKeepLink,
    SageMakerNotebookLaunchLink,
)
from airflow_sagemaker_presign.minting.presigned_url import DEFAULT_SESSION_EXPIRATION_DURATION
from airflow_sagemaker_presign.operators.allowed_users import AllowedUsers
from airflow_sagemaker_presign.operators.base import WorkspaceOperator
from airflow_sagemaker_presign.operators.idle_stop import IdleStopOperator
from airflow_sagemaker_presign.operators.presigned_url import PresignedUrlOperator
from airflow_sagemaker_presign.operators.started_in_run import RUN_BEGAN_KEY, began, was_not_started_by_run
from airflow_sagemaker_presign.validation import NOTEBOOK_LANDINGS, notebook_instance_name_of

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseNotifier, BaseOperatorLink, Context
    from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
    from airflow_sagemaker_presign.triggers.base import IdleTrigger, WorkspaceTrigger
    from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

__all__ = ["SageMakerPresignedNotebookUrlOperator", "SageMakerStopNotebookInstanceOperator"]

_LAUNCH_PAGE_VALID_FOR = timedelta(days=7)


class _NotebookInstanceOperator(WorkspaceOperator):
    """Base of the operators for notebook instances."""

    identifier_checks = {"notebook_instance_name": notebook_instance_name_of}
    console_link = SageMakerNotebookConsoleLink()
    notebook_instance_name: str

    def _kind(self) -> type[NotebookInstance]:
        from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

        return NotebookInstance

    def _hook_class(self) -> type[SageMakerNotebookInstanceHook]:
        from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook

        return SageMakerNotebookInstanceHook

    def _trigger_class(self) -> type[WorkspaceTrigger]:
        from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger

        return SageMakerNotebookInstanceTrigger

    def _idle_trigger_class(self) -> type[IdleTrigger]:
        from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceIdleTrigger

        return SageMakerNotebookInstanceIdleTrigger


class SageMakerPresignedNotebookUrlOperator(_NotebookInstanceOperator, PresignedUrlOperator):
    """
    Start a SageMaker notebook instance, wait until it is InService, and deliver a presigned URL that still works.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html

    The parameters that are not listed here are those of :class:`~.presigned_url.PresignedUrlOperator` (notifiers,
    delivery, launch page) and :class:`~.base.WorkspaceOperator` (wait, connection).

    :param notebook_instance_name: the notebook instance. (templated)
    :param landing: ``"lab"`` opens JupyterLab, ``"classic"`` the classic page, ``None`` AWS's default.
    :param door_open_for: deprecated; write ``launch_page_valid_for``.
    :raises ValueError: for a parameter with a wrong value: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises WorkspaceError: in the task, when the notebook instance does not become InService; its class has the cause.
    :raises LinkDeliveryError: in the task, when a notifier did not deliver the link.
    """

    landings = NOTEBOOK_LANDINGS
    template_fields: Sequence[str] = ("notebook_instance_name", *PresignedUrlOperator.template_fields)
    operator_extra_links: Collection[BaseOperatorLink] = (
        _NotebookInstanceOperator.console_link,
        SageMakerNotebookLaunchLink(),
    )

    def __init__(
        self,
        *,
        notebook_instance_name: str,
        notifiers: BaseNotifier | Sequence[BaseNotifier],
        session_expiration_duration: timedelta | int | str = DEFAULT_SESSION_EXPIRATION_DURATION,
        recipient: str | None = None,
        landing: Literal["lab", "classic"] | None = "lab",
        min_validity: timedelta | float = timedelta(minutes=4),
        delivery_attempts: int = 3,
        require: Literal["all", "any"] = "all",
        link: LinkMode = "both",
        allowed_users: AllowedUsers = "editors",
        launch_page_valid_for: timedelta | float = _LAUNCH_PAGE_VALID_FOR,
        poll_interval: float | timedelta = 5,
        timeout: timedelta | float = timedelta(hours=1),
        deferrable: bool | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        door_open_for: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        launch_page_valid_for = renamed_parameter(
            "door_open_for", door_open_for, "launch_page_valid_for", launch_page_valid_for, _LAUNCH_PAGE_VALID_FOR
        )
        super().__init__(
            identifiers={"notebook_instance_name": notebook_instance_name},
            notifiers=notifiers,
            session_expiration_duration=session_expiration_duration,
            recipient=recipient,
            landing=landing,
            min_validity=min_validity,
            delivery_attempts=delivery_attempts,
            require=require,
            link=link,
            allowed_users=allowed_users,
            launch_page_valid_for=launch_page_valid_for,
            poll_interval=poll_interval,
            timeout=timeout,
            deferrable=deferrable,
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            botocore_config=botocore_config,
            **kwargs,
        )

    def _in_receipt(self, description: Mapping[str, Any]) -> dict[str, Any]:
        return {"notebook_instance_arn": description.get("NotebookInstanceArn", "")}


class SageMakerStopNotebookInstanceOperator(_NotebookInstanceOperator, IdleStopOperator):
    """
    Stop a SageMaker notebook instance, at once or when it is idle; suitable as a teardown task.

    AWS stops InService instances only. The operator waits for a Pending one (for instance after a task that failed
    during the start) and stops it then; for one that is Stopped, Failed or Deleting it does nothing.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html

    The parameters that are not listed here are those of :class:`~.idle_stop.IdleStopOperator` (idleness, warning) and
    :class:`~.base.WorkspaceOperator` (wait, connection).

    :param notebook_instance_name: the notebook instance. (templated)
    :param only_if_started_in_run: for cleanup: stop it only if its status has changed since this DAG run first began,
        and skip the task otherwise, since a notebook that ran before may be in use. In a cleared run, the start is
        known from upstream tasks of this package that were not cleared; if all were cleared, every change since the
        run was due (``run_after``) counts. If upstream tasks, direct or not, were to start this notebook instance, one
        of them must also have begun: otherwise another user or run started it.
    :raises ValueError: for a parameter with a wrong value: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises WorkspaceError: in the task, when the notebook instance does not stop; its class gives the reason.
    :raises NotebookInstanceUsageUnknown: in the task, when nobody has known for an hour whether it is in use.
    :raises StopWarningDeliveryError: in the task, when a notifier did not deliver the warning.
    """

    template_fields: Sequence[str] = ("notebook_instance_name", *IdleStopOperator.template_fields)
    operator_extra_links: Collection[BaseOperatorLink] = (
        _NotebookInstanceOperator.console_link,
        SageMakerNotebookKeepLink(),
    )

    def __init__(
        self,
        *,
        notebook_instance_name: str,
        idle_for: timedelta | float | str | None = None,
        warn_before: timedelta | float = timedelta(minutes=15),
        notifiers: BaseNotifier | Sequence[BaseNotifier] = (),
        at_latest: time | timedelta | str | None = None,
        count_connections: bool = False,
        recipient: str | None = None,
        allowed_users: AllowedUsers = "editors",
        wait_for_completion: bool = True,
        only_if_started_in_run: bool = False,
        poll_interval: float | timedelta = 5,
        timeout: timedelta | float = timedelta(hours=1),
        deferrable: bool | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            identifiers={"notebook_instance_name": notebook_instance_name},
            wait_for_completion=wait_for_completion,
            idle_for=idle_for,
            warn_before=warn_before,
            notifiers=notifiers,
            at_latest=at_latest,
            count_connections=count_connections,
            recipient=recipient,
            allowed_users=allowed_users,
            poll_interval=poll_interval,
            timeout=timeout,
            deferrable=deferrable,
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            botocore_config=botocore_config,
            **kwargs,
        )
        self.only_if_started_in_run = only_if_started_in_run

    def execute(self, context: Context) -> str:
        """Stop the notebook instance, at once or when it is idle, wait, and return the final status."""
        self._check()
        if self.only_if_started_in_run:
            self._skip_unless_started_in_run(context)
        return self.stop(context)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Return the final status in the trigger's event."""
        return self.reached(event).status

    def _skip_unless_started_in_run(self, context: Context) -> None:
        from airflow_sagemaker_presign.compat import AirflowSkipException

        ti: Any = context["ti"]

        def pulled(key: str, task: Any) -> list[Any]:
            # With a list of task ids, the result has the values of all instances of a mapped task.
            return list(ti.xcom_pull(task_ids=[task.task_id], key=key) or ())

        upstream = [task for task in self.get_flat_relatives(upstream=True) if _starts_notebooks(task)]
        name = self.notebook_instance_name
        # Each task stores the ARN as soon as it begins.
        if was_not_started_by_run(self._arn(), upstream, lambda task: pulled(self.console_link.key, task)):
            raise AirflowSkipException(f"No task of this run has started notebook instance {name}.")
        description = self.describe()
        since = began(context["dag_run"], (text for task in upstream for text in pulled(RUN_BEGAN_KEY, task)))
        if since is not None and description["LastModifiedTime"] < since:
            raise AirflowSkipException(
                f"Notebook instance {name} was {description['NotebookInstanceStatus']} before this run began, so "
                "this run has nothing to stop."
            )

    def _arn(self) -> str:
        from airflow_sagemaker_presign.exceptions import SageMakerUnavailable

        try:
            return self.hook.arn_without_account(self.workspace)
        except SageMakerUnavailable:
            self.describe()  # It retries until there is a client.
            return self.hook.arn_without_account(self.workspace)


def _starts_notebooks(task: Any) -> bool:
    # A mapped task is not an instance of its operator's class.
    return issubclass(getattr(task, "operator_class", type(task)), SageMakerPresignedNotebookUrlOperator)
