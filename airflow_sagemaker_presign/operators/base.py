"""What the operators of this package share: a notebook instance, a connection, and a wait in the worker or deferred."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from airflow_sagemaker_presign.compat import BaseOperator, conf
from airflow_sagemaker_presign.links import SageMakerNotebookConsoleLink
from airflow_sagemaker_presign.notifications.callback_kind import reject_other_callbacks
from airflow_sagemaker_presign.operators.started_in_run import RUN_BEGAN_KEY, first_beginning
from airflow_sagemaker_presign.validation import (
    botocore_config_of,
    is_template,
    notebook_instance_name_of,
    one_of,
    positive_duration_of,
    text_of,
    verify_of,
)

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import BaseOperatorLink, Context
    from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
    from airflow_sagemaker_presign.waiting.state_machine import WaitState

# Airflow's own limit on a deferral is the belt to the trigger's braces: it ends a wait whose triggerer is gone.
_TRIGGERER_MARGIN = timedelta(minutes=5)


class NotebookInstanceOperator(BaseOperator):
    """
    Base of the operators that bring a notebook instance somewhere; not to be used on its own.

    :param notebook_instance_name: the notebook instance. (templated)
    :param poll_interval: seconds (or a timedelta) within which a change of status is noticed.
    :param timeout: how long to wait at the most, as a timedelta or in seconds.
    :param deferrable: wait in the triggerer, which frees the worker slot; default: Airflow's
        ``[operators] default_deferrable``.
    :param aws_conn_id: the Airflow connection; ``None`` takes boto3's own credential chain. (templated)
    :param region_name: the region; default: the connection's. (templated)
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
        (templated)
    :param botocore_config: botocore's client configuration, as a dict; default: the connection's.
    """

    template_fields: Sequence[str] = ("notebook_instance_name", "aws_conn_id", "region_name", "verify")
    operator_extra_links: Collection[BaseOperatorLink] = (SageMakerNotebookConsoleLink(),)
    ui_color = "#e8f1fb"

    def __init__(
        self,
        *,
        notebook_instance_name: str,
        poll_interval: float | timedelta = 5,
        timeout: timedelta | float = timedelta(hours=1),
        deferrable: bool | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        reject_other_callbacks(self)
        self.notebook_instance_name = notebook_instance_name
        self.poll_interval = positive_duration_of("poll_interval", poll_interval).total_seconds()
        self.timeout = positive_duration_of("timeout", timeout)
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False)
            if deferrable is None
            else one_of("deferrable", deferrable, (True, False))
        )
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config_of(botocore_config)
        self._deadline = 0.0
        self._check(rendered=False)

    def _check(self, *, rendered: bool = True) -> None:
        """
        Check the templated parameters, and give each the type that it has to have.

        :param rendered: whether there can be no template any more.
        :raises ValueError: when one is not allowed.
        """
        checks: dict[str, Callable[[object], object]] = {
            "notebook_instance_name": notebook_instance_name_of,
            "aws_conn_id": partial(text_of, "aws_conn_id"),
            "region_name": partial(text_of, "region_name"),
            "verify": verify_of,
        }
        for name, check in checks.items():
            given = getattr(self, name)
            if rendered or not is_template(given):
                setattr(self, name, check(given))

    @cached_property
    def hook(self) -> SageMakerNotebookInstanceHook:
        """
        The hook of the task's connection.

        :raises AwsConnectionUnusable: when there can be none.
        """
        from airflow_sagemaker_presign.exceptions import NotebookInstanceError
        from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook

        try:
            return SageMakerNotebookInstanceHook(
                self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
            )
        except NotebookInstanceError as error:
            raise error.about(self.notebook_instance_name) from None

    def reach(self, context: Context, goal: Literal["InService", "Stopping", "Stopped"]) -> str:
        """
        Bring the notebook instance to where it is to be.

        :param context: the task's context.
        :param goal: where that is.
        :return: the status that it ended in.
        :raises TaskDeferred: when there is something to wait for and the task is deferrable; goes on in
            :meth:`execute_complete`.
        :raises NotebookInstanceError: the class that says why it will not get there.
        """
        from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState

        now = self.hook.now()
        return self._wait(
            context, WaitState(self.notebook_instance_name, Goal(goal), now, now + self.timeout.total_seconds())
        )

    def reach_again(self, context: Context, event: Mapping[str, Any] | None) -> str:
        """
        Bring the notebook instance to where the trigger saw it, if it is there no more: its event may be old.

        :param context: the task's context.
        :param event: the trigger's event.
        :return: the status that it ended in.
        :raises TaskDeferred: when there is something to wait for again; goes on in :meth:`execute_complete`.
        :raises NotebookInstanceError: the class that says why it will not get there.
        """
        from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState

        status = self.reached(event)
        now = self.hook.now()
        if event and "wait" in event:
            wait = WaitState.from_dict(event["wait"])
        else:
            # The event of an older version, which was under way during the upgrade: it has no deadline in it.
            goal, deadline = Goal.IN_SERVICE, now + self.timeout.total_seconds()
            wait = WaitState(self.notebook_instance_name, goal, now, deadline, status)
        return self._wait(context, wait.resumed())

    def describe(self) -> dict[str, Any]:
        """
        Describe the notebook instance, through throttling and whatever else passes.

        :raises NotebookInstanceError: the class that says why AWS did not answer.
        """
        from airflow_sagemaker_presign.exceptions import NotebookInstanceError, SageMakerUnavailable
        from airflow_sagemaker_presign.waiting.polling_schedule import next_poll_delay
        from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState

        now = self.hook.now()
        deadline = max(self._deadline, now + min(self.timeout, _TRIGGERER_MARGIN).total_seconds())
        wait = WaitState(self.notebook_instance_name, Goal.IN_SERVICE, now, deadline)
        while True:
            try:
                return self.hook.describe_notebook_instance(self.notebook_instance_name)
            except NotebookInstanceError as error:
                if isinstance(error, SageMakerUnavailable) and self.hook.now() >= deadline:
                    raise
                wait = self.hook.after_failed_request(wait, error)
            time.sleep(next_poll_delay(wait, self.poll_interval, self.hook.now()))

    def _wait(self, context: Context, wait: WaitState) -> str:
        from airflow_sagemaker_presign.waiting.polling_schedule import next_poll_delay

        self._deadline = wait.deadline
        self._tell_when_the_run_began(context)
        # Before the wait, so that the button is there during it, and when it fails.
        shown = self._show_console_button(context)
        wait, done = self.hook.advance(wait)
        shown = shown or (bool(wait.status) and self._show_console_button(context))
        if done:
            return wait.status
        self.log.info(
            "Waiting for notebook instance %s to be %s, until %s at the latest.",
            wait.notebook_instance_name,
            wait.goal.value,
            f"{datetime.fromtimestamp(wait.deadline, UTC):%H:%M:%S} UTC",
        )
        if self.deferrable:
            self._defer(wait)
        while not done:
            time.sleep(next_poll_delay(wait, self.poll_interval, self.hook.now()))
            wait, done = self.hook.advance(wait)
        if not shown:
            self._show_console_button(context)
        return wait.status

    def _show_console_button(self, context: Context) -> bool:
        """Show the button to the console; a task does not fail for want of a button."""
        try:
            arn = self.hook.arn_without_account(self.notebook_instance_name)
            SageMakerNotebookConsoleLink().persist(context, arn)
        except Exception as error:
            self.log.info("There is no button to the SageMaker console yet: %s", error)
            return False
        return True

    def _tell_when_the_run_began(self, context: Context) -> None:
        """Write down for a stop after this task what the run forgets when it is cleared."""
        first = first_beginning(context["dag_run"]) if "dag_run" in context else None
        if first is None:
            return
        try:
            context["ti"].xcom_push(key=RUN_BEGAN_KEY, value=first.isoformat())
        except Exception as error:
            self.log.info("When the run began could not be written down: %s", error)

    def reached(self, event: Mapping[str, Any] | None) -> str:
        """
        Take the trigger's word for how the wait ended.

        :param event: the trigger's event.
        :return: the status that it ended in.
        :raises NotebookInstanceError: when it ended with an error.
        """
        from airflow_sagemaker_presign.exceptions import NotebookInstanceError

        if not event:
            raise NotebookInstanceError(self.notebook_instance_name, "Its trigger ended without an event.")
        if event["status"] != "success":
            raise NotebookInstanceError.from_event(event)
        return str(event["notebook_instance_status"])

    def _defer(self, wait: WaitState) -> None:
        from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger

        self.defer(
            trigger=SageMakerNotebookInstanceTrigger(
                wait=wait.as_dict(),
                poll_interval=self.poll_interval,
                # Where Airflow has no such connection, the worker took boto3's chain, and so does the triggerer. A
                # connection that goes missing later is one that Airflow cannot read for a while.
                aws_conn_id=self.aws_conn_id if self.hook.has_connection else None,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, wait.deadline - self.hook.now())) + _TRIGGERER_MARGIN,
        )
