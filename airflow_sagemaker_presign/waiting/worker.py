"""The wait in the worker process: one step after another, one request at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.error_codes import STALE_CREDENTIALS_CODES
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.polling_schedule import next_poll_delay
from airflow_sagemaker_presign.waiting.request_history import RequestHistory
from airflow_sagemaker_presign.waiting.state_machine import Action, WaitState, not_found
from airflow_sagemaker_presign.waiting.step import decide

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook


class WorkerWait:
    """
    Waits for the workspace of one task.

    :param hook: the hook that sends the requests.
    :param poll_interval: the operator's ``poll_interval``, in seconds.
    :param runtime: clock and sleep.
    :param log: the task's logger.
    """

    def __init__(self, hook: WorkspaceHook, poll_interval: float, runtime: Runtime, log: Any) -> None:
        self.description: dict[str, Any] = {}
        """AWS's description of the workspace at the last step."""
        self._hook = hook
        self._poll_interval = poll_interval
        self._runtime = runtime
        self._log = log
        self._history = RequestHistory(lambda line, begins: (log.warning if begins else log.info)("%s", line))

    def step(self, wait: WaitState) -> tuple[WaitState, bool]:
        """Observe, decide, send a Start or Stop if needed; return the new state, and whether the goal is reached."""
        self._history.accepted = self._history.accepted or bool(wait.status)
        try:
            self.description = self._hook.describe(wait.workspace)
            self._history.accepted = True
            step = decide(wait, wait.workspace.observation_of(self.description), self._runtime.time())
            failed_requests, wait = wait.failed_requests, step.wait
            if step.line:
                self._log.info("%s", step.line)
            if step.has_request:
                # An observation that works does not mean that AWS takes the request: its failures count on.
                wait = replace(wait, failed_requests=failed_requests)
                step.send(self._hook)
                wait = step.sent(self._runtime.time())
        except wait.workspace.errors.not_found as error:
            ended = not_found(wait, error)
            if ended is not None:
                raise ended from None
            return wait, True
        except exceptions.WorkspaceError as error:
            return self._after_failed_request(wait, error), False
        self._history.succeeded(self._runtime.time())
        return wait, step.action is Action.DONE

    def until_done(self, wait: WaitState) -> WaitState:
        """Take steps until the goal is reached, and return the final state."""
        done = False
        while not done:
            self._sleep(wait)
            wait, done = self.step(wait)
        return wait

    def describe(self, wait: WaitState) -> dict[str, Any]:
        """Describe the workspace of a wait; retry transient failures until its deadline."""
        while True:
            try:
                description = self._hook.describe(wait.workspace)
            except exceptions.WorkspaceError as error:
                if self._runtime.time() >= wait.deadline:
                    raise error.about(wait.workspace) from None
                wait = self._after_failed_request(wait, error)
            else:
                self._history.succeeded(self._runtime.time())
                return description
            self._sleep(wait)

    def _sleep(self, wait: WaitState) -> None:
        self._runtime.sleep(next_poll_delay(wait, self._poll_interval, self._runtime.time()))

    def _after_failed_request(self, wait: WaitState, error: exceptions.WorkspaceError) -> WaitState:
        now = self._runtime.time()
        error = self._history.failed(error, now)
        if not isinstance(error, exceptions.SageMakerUnavailable):
            raise error.about(wait.workspace)
        if error.code in STALE_CREDENTIALS_CODES:
            self._hook.renew()
        given_up = None if wait.status else self._history.first_response.given_up(now)
        if given_up is not None:
            raise given_up.about(wait.workspace)
        return wait.after_failed_request(error.problem, now, error.advice)
