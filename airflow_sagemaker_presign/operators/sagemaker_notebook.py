"""Operators for SageMaker notebook instances: deliver a presigned URL; stop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_sagemaker_presign.delivery.link_mode import LinkMode
from airflow_sagemaker_presign.deprecation import renamed_parameter
from airflow_sagemaker_presign.links import SageMakerNotebookConsoleLink, SageMakerNotebookLaunchLink
from airflow_sagemaker_presign.minting.presigned_url import DEFAULT_SESSION_EXPIRATION_DURATION
from airflow_sagemaker_presign.operators.base import WorkspaceOperator
from airflow_sagemaker_presign.operators.presigned_url import AllowedUsers, PresignedUrlOperator
from airflow_sagemaker_presign.operators.started_in_run import RUN_BEGAN_KEY, began, is_somebody_elses
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseNotifier, BaseOperatorLink, Context
    from airflow_sagemaker_presign.hooks.client_key import ClientKey
    from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
    from airflow_sagemaker_presign.triggers.base import WorkspaceTrigger

__all__ = ["SageMakerPresignedNotebookUrlOperator", "SageMakerStopNotebookInstanceOperator"]

_LAUNCH_PAGE_VALID_FOR = timedelta(days=7)


class _NotebookInstanceOperator(WorkspaceOperator):
    """What the operators for notebook instances share."""

    kind = NotebookInstance
    console_link = SageMakerNotebookConsoleLink()
    notebook_instance_name: str

    def _make_hook(self, client_key: ClientKey) -> SageMakerNotebookInstanceHook:
        from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook

        return client_key.make_hook(SageMakerNotebookInstanceHook)

    def _trigger(self) -> type[WorkspaceTrigger]:
        from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger

        return SageMakerNotebookInstanceTrigger


class SageMakerPresignedNotebookUrlOperator(_NotebookInstanceOperator, PresignedUrlOperator):
    """
    Start a SageMaker notebook instance, wait until it is InService, and deliver a presigned URL that still works.

    The URL is minted last, once for each notifier, and lives five minutes. It goes to the notifiers and nowhere else;
    the return value is a receipt without it. A retry of the whole task starts anew and sends to all again.

    On Airflow 3.1.1 and newer the task has a launch page, too: a page of Airflow that mints when a signed-in person
    clicks. Its address holds no credential. It reads what it needs out of the rendered template fields.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html

    :param notebook_instance_name: the notebook instance. (templated)
    :param notifiers: who is told, and how: one or more of any Airflow notifiers. Their templates see
        ``presigned_url`` (``.url``, ``.expires_at``, ``.minted_at``, ``.session_expiration_duration``),
        ``notebook_instance`` (what Describe said), ``recipient``, ``launch_url`` (empty where the message has no launch
        page),
        ``launch_page_valid_for``, ``session_expiration_duration``, and Airflow's whole context.
    :param session_expiration_duration: how long the Jupyter session lasts once the URL was opened: 30 minutes to 12
        hours, as a timedelta or in seconds. (templated when given as text)
    :param recipient: for the notifiers' templates: whom the link is for. (templated)
    :param landing: ``"lab"`` opens JupyterLab, ``"classic"`` the classic page, ``None`` what AWS opens.
    :param min_validity: how long the URL has to live on when a send ends, as a timedelta or in seconds; a link that
        arrives later counts as not delivered.
    :param delivery_attempts: how many times each notifier is tried, with a fresh URL each.
    :param require: ``"all"`` notifiers have to deliver, or ``"any"`` one.
    :param link: what a message carries: ``"presigned"``, the URL that lives five minutes; ``"launch_page"``, the launch
        page and no credential at all; ``"both"``, or just the URL where there is no launch page (Airflow before 3.1.1,
        or no ``[api] base_url``).
    :param allowed_users: who may open through the launch page: ``"editors"``, all who may edit the task instance, or
        exactly the users of a list of Airflow user names or e-mail addresses. (templated)
    :param launch_page_valid_for: for how long the launch page opens, counted from the start of the task, as a timedelta
        or in seconds; kept as whole seconds, rounded up.
    :param poll_interval: seconds (or a timedelta) within which a change of status is noticed.
    :param timeout: how long to wait for InService at the most, as a timedelta or in seconds.
    :param deferrable: wait in the triggerer, which frees the worker slot; default: Airflow's
        ``[operators] default_deferrable``.
    :param aws_conn_id: the Airflow connection; ``None`` takes boto3's own credential chain. (templated)
    :param region_name: the region; default: the connection's. (templated)
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
    :param botocore_config: botocore's client configuration, as a dict; default: the connection's.
    :param door_open_for: deprecated; write ``launch_page_valid_for``.
    :raises ValueError: for a parameter with a wrong value: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises WorkspaceError: in the task, the class that says why the notebook instance is not InService.
    :raises LinkDeliveryError: in the task, when a link did not reach somebody.
    """

    describe_key = "notebook_instance"
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
        return {"notebook_instance_arn": description["NotebookInstanceArn"]}


class SageMakerStopNotebookInstanceOperator(_NotebookInstanceOperator):
    """
    Stop a SageMaker notebook instance, from whatever status it is in; fit for a teardown.

    AWS stops from InService only. So one that is still Pending (a task that failed on the way leaves it so) is waited
    for, and stopped then; one that is Stopped, Failed or Deleting already needs nothing.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html

    :param notebook_instance_name: the notebook instance. (templated)
    :param wait_for_completion: wait until it is Stopped; else only until the stop is under way.
    :param only_if_started_in_run: for cleaning up: stop it only if its status has moved since this DAG run first began,
        and skip the task otherwise. What ran before may be somebody's work of this morning. In a run that was cleared,
        the tasks of this package upstream that were not cleared know when that was; where all were cleared, each move
        since the run was due (``run_after``) counts. Where tasks upstream, directly or not, were to start this notebook
        instance, one of them has to have begun, too: else somebody else started it.
    :param poll_interval: seconds (or a timedelta) within which a change of status is noticed.
    :param timeout: how long to wait at the most, as a timedelta or in seconds.
    :param deferrable: wait in the triggerer, which frees the worker slot; default: Airflow's
        ``[operators] default_deferrable``.
    :param aws_conn_id: the Airflow connection; ``None`` takes boto3's own credential chain. (templated)
    :param region_name: the region; default: the connection's. (templated)
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
    :param botocore_config: botocore's client configuration, as a dict; default: the connection's.
    :raises ValueError: for a parameter with a wrong value: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises WorkspaceError: in the task, the class that says why the notebook instance is not stopped.
    """

    template_fields: Sequence[str] = ("notebook_instance_name", *WorkspaceOperator.template_fields)
    operator_extra_links: Collection[BaseOperatorLink] = (_NotebookInstanceOperator.console_link,)

    def __init__(
        self,
        *,
        notebook_instance_name: str,
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
            poll_interval=poll_interval,
            timeout=timeout,
            deferrable=deferrable,
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            botocore_config=botocore_config,
            **kwargs,
        )
        self.wait_for_completion = wait_for_completion
        self.only_if_started_in_run = only_if_started_in_run

    def execute(self, context: Context) -> str:
        """Stop, wait; the result is the status that it ended in."""
        from airflow_sagemaker_presign.waiting.state_machine import Goal

        self._check()
        if self.only_if_started_in_run:
            self._skip_unless_started_in_run(context)
        return self.reach(context, Goal.STOPPED if self.wait_for_completion else Goal.STOPPING)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Go on where the trigger ended."""
        return self.reached(event)

    def _skip_unless_started_in_run(self, context: Context) -> None:
        from airflow_sagemaker_presign.compat import AirflowSkipException

        ti: Any = context["ti"]

        def pulled(key: str, task: Any) -> list[Any]:
            # As a list, with those of all instances of a mapped task.
            return list(ti.xcom_pull(task_ids=[task.task_id], key=key) or ())

        upstream = [task for task in self.get_flat_relatives(upstream=True) if _starts_notebooks(task)]
        name = self.notebook_instance_name
        # The ARN is what each leaves behind as soon as it has begun.
        arn = self.hook.arn_without_account(self.workspace)
        if is_somebody_elses(arn, upstream, lambda task: pulled(self.console_link.key, task)):
            raise AirflowSkipException(f"No task of this run got as far as starting notebook instance {name}.")
        description = self.describe()
        since = began(context["dag_run"], (text for task in upstream for text in pulled(RUN_BEGAN_KEY, task)))
        if since is not None and description["LastModifiedTime"] < since:
            raise AirflowSkipException(
                f"Notebook instance {name} is {description['NotebookInstanceStatus']} since before this run began, so "
                "there is nothing of this run's to stop."
            )


def _starts_notebooks(task: Any) -> bool:
    # A mapped task is none of its operator's instances.
    return issubclass(getattr(task, "operator_class", type(task)), SageMakerPresignedNotebookUrlOperator)
