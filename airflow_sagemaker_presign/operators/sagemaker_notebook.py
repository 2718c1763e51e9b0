"""The operators for SageMaker notebook instances: deliver a presigned URL, and stop."""

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
from airflow_sagemaker_presign.operators.started_in_run import RUN_BEGAN_KEY, began, was_not_started_by_run
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseNotifier, BaseOperatorLink, Context
    from airflow_sagemaker_presign.hooks.client_key import ClientKey
    from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
    from airflow_sagemaker_presign.triggers.base import WorkspaceTrigger

__all__ = ["SageMakerPresignedNotebookUrlOperator", "SageMakerStopNotebookInstanceOperator"]

_LAUNCH_PAGE_VALID_FOR = timedelta(days=7)


class _NotebookInstanceOperator(WorkspaceOperator):
    """Base of the operators for notebook instances."""

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

    The URL is minted last, once for each notifier, and is valid for five minutes. Only the notifiers receive it; the
    return value is a receipt without it. A retry of the task starts over and sends to all notifiers again.

    On Airflow 3.1.1 and newer, the task also has a launch page: a page in Airflow that mints a URL when a signed-in
    user clicks. Its address is not a credential. It takes its parameters from the rendered template fields.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html

    :param notebook_instance_name: the notebook instance. (templated)
    :param notifiers: one or more Airflow notifiers, which send the link. Their templates have
        ``presigned_url`` (``.url``, ``.expires_at``, ``.minted_at``, ``.session_expiration_duration``),
        ``notebook_instance`` (AWS's description), ``recipient``, ``launch_url`` (empty where the message has no launch
        page), ``launch_page_valid_for``, ``session_expiration_duration``, and the whole Airflow context.
    :param session_expiration_duration: how long the Jupyter session lasts once the URL was opened: 30 minutes to 12
        hours, as a timedelta or in seconds. (templated when given as text)
    :param recipient: the person whom the link is for; a variable of the notifiers' templates. (templated)
    :param landing: ``"lab"`` opens JupyterLab, ``"classic"`` the classic page, ``None`` AWS's default.
    :param min_validity: how long the URL must still be valid when a send ends, as a timedelta or in seconds; a link
        that arrives later counts as not delivered.
    :param delivery_attempts: the maximum number of attempts per notifier, each with a new URL.
    :param require: whether ``"all"`` notifiers must deliver, or ``"any"`` one of them.
    :param link: the link in a message: ``"presigned"``, the URL that is valid for five minutes; ``"launch_page"``, the
        launch page and no credential; ``"both"``, which is the URL alone where there is no launch page (Airflow before
        3.1.1, or no ``[api] base_url``).
    :param allowed_users: the users who may open the launch page: ``"editors"`` for all who may edit the task instance,
        or a list of Airflow user names or e-mail addresses. (templated)
    :param launch_page_valid_for: how long the launch page works after the start of the task, as a timedelta or in
        seconds; rounded up to whole seconds.
    :param poll_interval: seconds (or a timedelta) within which a change of status is noticed.
    :param timeout: the maximum time to wait for InService, as a timedelta or in seconds.
    :param deferrable: wait in the triggerer, which frees the worker slot; default: Airflow's
        ``[operators] default_deferrable``.
    :param aws_conn_id: the Airflow connection; ``None`` takes boto3's own credential chain. (templated)
    :param region_name: the region; default: the connection's. (templated)
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
    :param botocore_config: botocore's client configuration, as a dict; default: the connection's.
    :param door_open_for: deprecated; write ``launch_page_valid_for``.
    :raises ValueError: for a parameter with a wrong value: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises WorkspaceError: in the task, when the notebook instance does not become InService; its class says why.
    :raises LinkDeliveryError: in the task, when a notifier did not deliver the link.
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
    Stop a SageMaker notebook instance in any status; suitable as a teardown task.

    AWS stops InService instances only. The operator waits for a Pending one (for instance after a task that failed
    during the start) and stops it then; for one that is Stopped, Failed or Deleting it does nothing.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html

    :param notebook_instance_name: the notebook instance. (templated)
    :param wait_for_completion: wait until it is Stopped; otherwise only until it is Stopping.
    :param only_if_started_in_run: for cleanup: stop it only if its status has changed since this DAG run first began,
        and skip the task otherwise, since a notebook that ran before may be in use. In a cleared run, the start is
        known from upstream tasks of this package that were not cleared; if all were cleared, every change since the
        run was due (``run_after``) counts. If upstream tasks, direct or not, were to start this notebook instance, one
        of them must also have begun: otherwise another user or run started it.
    :param poll_interval: seconds (or a timedelta) within which a change of status is noticed.
    :param timeout: the maximum time to wait, as a timedelta or in seconds.
    :param deferrable: wait in the triggerer, which frees the worker slot; default: Airflow's
        ``[operators] default_deferrable``.
    :param aws_conn_id: the Airflow connection; ``None`` takes boto3's own credential chain. (templated)
    :param region_name: the region; default: the connection's. (templated)
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
    :param botocore_config: botocore's client configuration, as a dict; default: the connection's.
    :raises ValueError: for a parameter with a wrong value: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises WorkspaceError: in the task, when the notebook instance does not stop; its class says why.
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
        """Stop the notebook instance, wait, and return the final status."""
        from airflow_sagemaker_presign.waiting.state_machine import Goal

        self._check()
        if self.only_if_started_in_run:
            self._skip_unless_started_in_run(context)
        return self.reach(context, Goal.STOPPED if self.wait_for_completion else Goal.STOPPING)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Return the final status in the trigger's event."""
        return self.reached(event)

    def _skip_unless_started_in_run(self, context: Context) -> None:
        from airflow_sagemaker_presign.compat import AirflowSkipException

        ti: Any = context["ti"]

        def pulled(key: str, task: Any) -> list[Any]:
            # With a list of task ids, the result has the values of all instances of a mapped task.
            return list(ti.xcom_pull(task_ids=[task.task_id], key=key) or ())

        upstream = [task for task in self.get_flat_relatives(upstream=True) if _starts_notebooks(task)]
        name = self.notebook_instance_name
        # Each task stores the ARN as soon as it begins.
        arn = self.hook.arn_without_account(self.workspace)
        if was_not_started_by_run(arn, upstream, lambda task: pulled(self.console_link.key, task)):
            raise AirflowSkipException(f"No task of this run has started notebook instance {name}.")
        description = self.describe()
        since = began(context["dag_run"], (text for task in upstream for text in pulled(RUN_BEGAN_KEY, task)))
        if since is not None and description["LastModifiedTime"] < since:
            raise AirflowSkipException(
                f"Notebook instance {name} is {description['NotebookInstanceStatus']} since before this run began, so "
                "this run has nothing to stop."
            )


def _starts_notebooks(task: Any) -> bool:
    # A mapped task is not an instance of its operator's class.
    return issubclass(getattr(task, "operator_class", type(task)), SageMakerPresignedNotebookUrlOperator)
