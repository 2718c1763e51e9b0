"""The steps in the order they happen: start, wait, deliver; and the stop."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow_sagemaker_presign import validation
from airflow_sagemaker_presign.delivery.link_mode import (
    LinkMode,
    launch_url_for,
    link_mode_of,
    reject_presigned_url_in_templates,
)
from airflow_sagemaker_presign.links import SageMakerNotebookConsoleLink, SageMakerNotebookLaunchLink
from airflow_sagemaker_presign.minting.presigned_url import DEFAULT_SESSION_EXPIRATION_DURATION
from airflow_sagemaker_presign.operators.base import NotebookInstanceOperator
from airflow_sagemaker_presign.operators.started_in_run import RUN_BEGAN_KEY, began, is_somebody_elses

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseNotifier, BaseOperatorLink, Context
    from airflow_sagemaker_presign.minting.presigned_url import PresignedNotebookUrl

_LEFT_OUT: Any = object()


class SageMakerPresignedNotebookUrlOperator(NotebookInstanceOperator):
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
    :param allowed_users: exactly those who may open through the launch page, a list of Airflow user names or e-mail
        addresses; left out or ``None``: all who may edit the task instance. (templated)
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
    :raises ValueError: for a parameter that is not allowed: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises NotebookInstanceError: in the task, the class that says why the notebook instance is not InService.
    :raises NotebookUrlDeliveryError: in the task, when a link did not reach somebody.
    """

    template_fields: Sequence[str] = (
        *NotebookInstanceOperator.template_fields,
        "session_expiration_duration",
        "recipient",
        "landing",
        "allowed_users",
        "launch_page_valid_for",
    )
    operator_extra_links: Collection[BaseOperatorLink] = (SageMakerNotebookConsoleLink(), SageMakerNotebookLaunchLink())

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
        allowed_users: Sequence[str] | None = _LEFT_OUT,
        launch_page_valid_for: timedelta | float = timedelta(days=7),
        **kwargs: Any,
    ) -> None:
        super().__init__(notebook_instance_name=notebook_instance_name, **kwargs)
        self.notifiers = validation.notifiers_of(notifiers)
        self.session_expiration_duration = session_expiration_duration
        if not validation.is_template(session_expiration_duration):
            self.session_expiration_duration = self._session_seconds()
        self.recipient = recipient
        self.landing = validation.landing_of(landing)
        self.min_validity = validation.min_validity_of(min_validity)
        self.delivery_attempts = validation.positive_int_of("delivery_attempts", delivery_attempts)
        self.require = validation.one_of("require", require, ("all", "any"))
        self.link = link_mode_of(link)
        self._allowed_users = self._allowed_users_of(allowed_users)
        self.launch_page_valid_for = math.ceil(
            validation.positive_duration_of("launch_page_valid_for", launch_page_valid_for).total_seconds()
        )
        if self.link == "launch_page":
            reject_presigned_url_in_templates(self.notifiers)

    def _allowed_users_of(self, given: Any) -> Any:
        # In a mapped task a None may be data that went missing on its way, and would let everybody in.
        if given is None and getattr(self, "_BaseOperator__from_mapped", False):
            validation.reject("allowed_users", given, "leave it out of a mapped task that everybody may open")
        return None if given is None or given is _LEFT_OUT else validation.allowed_users_of(given)

    @property
    def allowed_users(self) -> Any:
        """Who may open through the launch page; what Airflow renders it to is checked before Airflow keeps it."""
        return self._allowed_users

    @allowed_users.setter
    def allowed_users(self, rendered: object) -> None:
        # An error here comes before the launch page can read the field: what was given never becomes nobody named,
        # which would let everybody in.
        self._allowed_users = validation.rendered_allowed_users_of(rendered)

    def execute(self, context: Context) -> dict[str, Any]:
        """Start, wait, deliver."""
        from airflow_sagemaker_presign.delivery.deliver import prepare

        self._check()
        validation.session_expiration_duration_of(self.session_expiration_duration)
        if self.allowed_users is not None:
            validation.rendered_allowed_users_of(self.allowed_users)
        # A message that would reach nobody is found out now, not after ten minutes of a machine that costs money.
        prepare(self.notifiers, self._for_notifiers(context), self.require)
        SageMakerNotebookLaunchLink().persist(context)
        self.reach(context, "InService")
        return self._deliver(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on where the trigger ended, if the notebook instance is still InService; else wait on, or say why not."""
        self._check()
        self.reach_again(context, event)
        return self._deliver(context)

    def _for_notifiers(self, context: Context) -> dict[str, Any]:
        """Return what the notifiers' templates see, as far as it is known before the notebook runs."""
        return {
            **context,
            "recipient": self.recipient,
            "launch_url": launch_url_for(self.link, context["ti"]),
            "launch_page_valid_for": timedelta(seconds=self.launch_page_valid_for),
            "session_expiration_duration": timedelta(seconds=self._session_seconds()),
        }

    def _deliver(self, context: Context) -> dict[str, Any]:
        from airflow_sagemaker_presign.delivery.deliver import DeliveryPolicy, deliver

        for_notifiers = self._for_notifiers(context)
        description = self.describe()
        deliveries = deliver(
            self.notifiers,
            {**for_notifiers, "notebook_instance": description},
            None if self.link == "launch_page" else self._mint,
            DeliveryPolicy(self.min_validity, self.delivery_attempts, self.require),
            notebook_instance_name=self.notebook_instance_name,
        )
        receipts = [delivery.receipt() for delivery in deliveries]
        launch_url = for_notifiers["launch_url"]
        sessions_end_by = [receipt["session_ends_by"] for receipt in receipts if "session_ends_by" in receipt]
        return {
            "notebook_instance_name": self.notebook_instance_name,
            "notebook_instance_arn": description["NotebookInstanceArn"],
            "link": self.link if launch_url else "presigned",
            **({"launch_url": launch_url} if launch_url else {}),
            "session_expiration_duration": self._session_seconds(),
            **({"session_ends_by": max(sessions_end_by)} if sessions_end_by else {}),
            "deliveries": receipts,
        }

    def _mint(self) -> PresignedNotebookUrl:
        from airflow_sagemaker_presign.compat import mask_secret
        from airflow_sagemaker_presign.minting.redaction import quoted_forms

        presigned_url = self.hook.create_presigned_url(
            self.notebook_instance_name, self._session_seconds(), self.landing
        )
        mask_secret([*quoted_forms(presigned_url.url)])
        return presigned_url

    def _session_seconds(self) -> int:
        duration = validation.session_expiration_duration_of(self.session_expiration_duration)
        return int(duration.total_seconds())


class SageMakerStopNotebookInstanceOperator(NotebookInstanceOperator):
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
    :raises ValueError: for a parameter that is not allowed: when the DAG is parsed, or for a template before the first
        AWS call.
    :raises NotebookInstanceError: in the task, the class that says why the notebook instance is not stopped.
    """

    def __init__(
        self,
        *,
        notebook_instance_name: str,
        wait_for_completion: bool = True,
        only_if_started_in_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(notebook_instance_name=notebook_instance_name, **kwargs)
        self.wait_for_completion = wait_for_completion
        self.only_if_started_in_run = only_if_started_in_run

    def execute(self, context: Context) -> str:
        """Stop, wait; the result is the status that it ended in."""
        self._check()
        if self.only_if_started_in_run:
            self._skip_unless_started_in_run(context)
        return self.reach(context, "Stopped" if self.wait_for_completion else "Stopping")

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
        arn = self.hook.arn_without_account(name)
        if is_somebody_elses(arn, upstream, lambda task: pulled(SageMakerNotebookConsoleLink.key, task)):
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
