"""What the operators of this package share: a notebook instance, a connection, and a wait in the worker or deferred."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_sagemaker_presign.links import SageMakerNotebookConsoleLink
from airflow_sagemaker_presign.notifications.callback_check import refuse_other_callbacks
from airflow_sagemaker_presign.parameters import (
    is_template,
    notebook_instance_name_of,
    one_of,
    positive_duration_of,
    refuse,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperatorLink, Context

    from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookHook
    from airflow_sagemaker_presign.lifecycle import Wait

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
        refuse_other_callbacks(self)
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
        self.botocore_config = botocore_config
        if botocore_config is not None and not isinstance(botocore_config, dict):
            refuse("botocore_config", botocore_config, "a dict of botocore's Config options, or None")
        if not is_template(notebook_instance_name):
            notebook_instance_name_of(notebook_instance_name)

    @cached_property
    def hook(self) -> SageMakerNotebookHook:
        """The hook of the task's connection."""
        from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookHook

        return SageMakerNotebookHook(
            self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )

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
        from airflow_sagemaker_presign.lifecycle import Goal, Wait
        from airflow_sagemaker_presign.pacing import next_look

        name = notebook_instance_name_of(self.notebook_instance_name)
        # Before the wait, so that the button is there during it, and when it fails.
        SageMakerNotebookConsoleLink().persist(context, self.hook.arn_without_account(name))
        now = self.hook.now()
        wait, done = self.hook.advance(Wait(name, Goal(goal), now, now + self.timeout.total_seconds()))
        if done:
            return wait.status
        self.log.info(
            "Waiting for notebook instance %s to be %s, until %s at the latest.",
            name,
            goal,
            f"{datetime.fromtimestamp(wait.deadline, UTC):%H:%M:%S} UTC",
        )
        if self.deferrable:
            self._defer(wait)
        while not done:
            time.sleep(next_look(wait, self.poll_interval, self.hook.now()))
            wait, done = self.hook.advance(wait)
        return wait.status

    def reached(self, event: Mapping[str, Any] | None) -> str:
        """
        Take the trigger's word for how the wait ended.

        :param event: the trigger's event.
        :return: the status that it ended in.
        :raises NotebookInstanceError: when it ended with an error.
        """
        from airflow_sagemaker_presign.exceptions import NotebookInstanceError

        if not event:
            raise NotebookInstanceError(self.notebook_instance_name, "Its trigger ended without a word.")
        if event["status"] != "success":
            raise NotebookInstanceError.from_event(event)
        return str(event["notebook_instance_status"])

    def _defer(self, wait: Wait) -> None:
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
            timeout=self.timeout + _TRIGGERER_MARGIN,
        )
