"""Base of the operators: a workspace, an AWS connection, and a wait in the worker or the triggerer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_sagemaker_presign.compat import BaseOperator, conf
from airflow_sagemaker_presign.notifications.callback_kind import reject_other_callbacks
from airflow_sagemaker_presign.operators.started_in_run import RUN_BEGAN_KEY, first_start
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime
from airflow_sagemaker_presign.validation import (
    botocore_config_of,
    is_template,
    one_of,
    positive_duration_of,
    text_of,
    verify_of,
)

if TYPE_CHECKING:
    from airflow_sagemaker_presign.compat import Context
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook
    from airflow_sagemaker_presign.links import SageMakerConsoleLink
    from airflow_sagemaker_presign.triggers.base import WorkspaceTrigger
    from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState
    from airflow_sagemaker_presign.waiting.worker import WorkerWait
    from airflow_sagemaker_presign.workspaces.base import Workspace

# The trigger ends the wait at its deadline; Airflow's own timeout is a fallback for a triggerer that has died.
_TRIGGERER_MARGIN = timedelta(minutes=5)


class WorkspaceOperator(BaseOperator):
    """
    Base of the operators that start or stop a workspace and wait for it; use a subclass.

    A subclass sets ``identifier_checks``, has a parameter and a template field for each identifier, and returns the
    classes of its kind of workspace. All operators have the parameters below.

    :param poll_interval: seconds (or a timedelta) within which a change of status is noticed.
    :param timeout: the maximum time to wait, as a timedelta or in seconds.
    :param deferrable: wait in the triggerer, which frees the worker slot; default: Airflow's
        ``[operators] default_deferrable``.
    :param aws_conn_id: the Airflow connection; ``None``: boto3's own credential chain. (templated)
    :param region_name: the region; default: the connection's. (templated)
    :param verify: whether, or with which CA bundle, TLS certificates are checked; default: the connection's.
        (templated)
    :param botocore_config: botocore's client configuration, as a dict; default: the connection's.
    """

    identifier_checks: ClassVar[Mapping[str, Callable[[object], Any]]]
    """The check of each identifier, by its name; the classes are imported by methods, when a task runs."""
    console_link: ClassVar[SageMakerConsoleLink]
    template_fields: Sequence[str] = ("aws_conn_id", "region_name", "verify")
    ui_color = "#e8f1fb"
    _runtime: Runtime = RUNTIME

    def __init__(
        self,
        *,
        poll_interval: float | timedelta,
        timeout: timedelta | float,
        deferrable: bool | None,
        aws_conn_id: str | None,
        region_name: str | None,
        verify: bool | str | None,
        botocore_config: dict[str, Any] | None,
        identifiers: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        reject_other_callbacks(self)
        for name, value in identifiers.items():
            setattr(self, name, value)
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

    @property
    def workspace(self) -> Workspace:
        """The task's workspace; a ``ValueError`` when AWS would refuse an identifier."""
        return self._kind().from_fields(vars(self))

    def _check(self, *, rendered: bool = True) -> None:
        """Check the templated parameters, and convert each to its type; templates pass until they are rendered."""
        checks: dict[str, Callable[[object], object]] = {
            **self.identifier_checks,
            "aws_conn_id": partial(text_of, "aws_conn_id"),
            "region_name": partial(text_of, "region_name"),
            "verify": verify_of,
        }
        for name, check in checks.items():
            given = getattr(self, name)
            if rendered or not is_template(given):
                setattr(self, name, check(given))

    @cached_property
    def hook(self) -> WorkspaceHook:
        """The hook for the task's connection."""
        from airflow_sagemaker_presign.exceptions import WorkspaceError

        try:
            return self._hook_class()(
                self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
            )
        except WorkspaceError as error:
            raise error.about(self.workspace) from None

    def _kind(self) -> type[Workspace]:
        raise NotImplementedError

    def _hook_class(self) -> type[WorkspaceHook]:
        from airflow_sagemaker_presign.hooks.base import WorkspaceHook

        return WorkspaceHook

    def _trigger_class(self) -> type[WorkspaceTrigger]:
        raise NotImplementedError

    @cached_property
    def _worker_wait(self) -> WorkerWait:
        from airflow_sagemaker_presign.waiting.worker import WorkerWait

        return WorkerWait(self.hook, self.poll_interval, self._runtime, self.log)

    def reach(self, context: Context, goal: Goal) -> str:
        """
        Start or stop the workspace if needed, wait until it has reached the goal, and return the final status.

        A deferrable task waits in the triggerer, and resumes in :meth:`execute_complete`.
        """
        return self._wait(context, self._new_wait(goal, self.timeout))

    def reach_again(self, context: Context, event: Mapping[str, Any] | None) -> str:
        """Check that the workspace is still where the trigger observed it, and continue to wait if not."""
        return self._wait(context, self.reached(event).resumed())

    def describe(self) -> dict[str, Any]:
        """Describe the workspace; retry after throttling and other transient failures."""
        from airflow_sagemaker_presign.waiting.state_machine import Goal

        wait = self._new_wait(Goal.READY, min(self.timeout, _TRIGGERER_MARGIN), deadline=self._deadline)
        return self._worker_wait.describe(wait)

    def reached(self, event: Mapping[str, Any] | None) -> WaitState:
        """Return the final state of the wait in the trigger's event; raise the error that ended it."""
        from dataclasses import replace

        from airflow_sagemaker_presign.exceptions import WorkspaceError
        from airflow_sagemaker_presign.waiting.state_machine import Goal, WaitState

        if not event:
            workspace = self.workspace
            raise WorkspaceError(workspace.name, "The trigger ended without an event.", noun=workspace.noun)
        if event["status"] != "success":
            raise WorkspaceError.from_event(event)
        if "wait" in event:
            return WaitState.from_dict(event["wait"], self._kind())
        # An event that an older version sent, before an upgrade: it has no deadline.
        return replace(self._new_wait(Goal.READY, self.timeout), status=event["notebook_instance_status"])

    def _new_wait(self, goal: Goal, timeout: timedelta, deadline: float = 0.0) -> WaitState:
        from airflow_sagemaker_presign.waiting.state_machine import WaitState

        now = self._runtime.time()
        return WaitState(self.workspace, goal, now, max(deadline, now + timeout.total_seconds()))

    def _wait(self, context: Context, wait: WaitState) -> str:
        self._deadline = wait.deadline
        self._record_when_the_run_began(context)
        # Before the wait, so that the button is visible during the wait, and if the wait fails.
        shown = self._show_console_button(context)
        wait, done = self._worker_wait.step(wait)
        shown = shown or (bool(wait.status) and self._show_console_button(context))
        if done:
            return wait.status
        self.log.info(
            "Waiting for the %s to be %s, until %s at the latest.",
            wait.workspace,
            wait.goal.value,
            f"{datetime.fromtimestamp(wait.deadline, UTC):%H:%M:%S} UTC",
        )
        if self.deferrable:
            self._defer(wait)
        wait = self._worker_wait.until_done(wait)
        if not shown:
            self._show_console_button(context)
        return wait.status

    def _show_console_button(self, context: Context) -> bool:
        return self._try(
            "show the button to the SageMaker console",
            lambda: self.console_link.persist(context, self.hook.arn_without_account(self.workspace)),
        )

    def _record_when_the_run_began(self, context: Context) -> None:
        """Store the run's start for a later stop task, since Airflow overwrites it when the run is cleared."""
        first = first_start(context["dag_run"]) if "dag_run" in context else None
        if first is not None:
            value = first.isoformat()
            self._try("store when the run began", lambda: context["ti"].xcom_push(key=RUN_BEGAN_KEY, value=value))

    def _try(self, what: str, call: Callable[[], object]) -> bool:
        """Do what the task can do without, and return whether it worked."""
        try:
            call()
        except Exception as error:
            self.log.info("Could not %s: %s", what, error)
            return False
        return True

    def _defer(self, wait: WaitState) -> None:
        self.defer(
            trigger=self._trigger_class()(
                wait=wait.as_dict(), poll_interval=self.poll_interval, **self._client_in_triggerer()
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, wait.deadline - self._runtime.time())) + _TRIGGERER_MARGIN,
        )

    def _client_in_triggerer(self) -> dict[str, Any]:
        return {
            "aws_conn_id": self._connection_in_triggerer(),
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    def _connection_in_triggerer(self) -> str | None:
        """
        Return the connection for the trigger: ``None`` if Airflow has none, and the worker used boto3's own chain.

        A connection that exists and is missing later is one that Airflow cannot read for the moment.
        """
        from airflow_sagemaker_presign.exceptions import SageMakerUnavailable, WorkspaceError

        try:
            return self.aws_conn_id if self.hook.has_connection else None
        except SageMakerUnavailable:
            # The triggerer looks it up itself, and retries.
            return self.aws_conn_id
        except WorkspaceError as error:
            raise error.about(self.workspace) from None
