"""The wait in the worker process: one step after another, one request at a time."""

from __future__ import annotations

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
        """
        Observe the workspace, decide what to do, and send a Start or Stop if needed.

        :param wait: the state of the wait.
        :return: the new state, and whether the goal is reached.
        :raises WorkspaceError: when the goal will not be reached; its class says why.
        """
        self._history.accepted = self._history.accepted or bool(wait.status)
        try:
            self.description = self._hook.describe(wait.workspace)
            self._history.accepted = True
            step = decide(wait, wait.workspace.observation_of(self.description), self._runtime.time())
            wait = step.wait
            if step.news:
                self._log.info("%s", step.news)
            if step.has_request:
                step.send(self._hook)
                wait = step.sent(self._runtime.time())
        except wait.workspace.errors.not_found as error:
            raise not_found(wait, error) from None
        except exceptions.WorkspaceError as error:
            return self._after_failed_request(wait, error), False
        self._history.succeeded(self._runtime.time())
        return wait, step.action is Action.DONE

    def until_done(self, wait: WaitState) -> WaitState:
        """
        Take steps until the goal is reached.

        :param wait: the state of the wait.
        :return: the final state of the wait.
        :raises WorkspaceError: when the goal will not be reached; its class says why.
        """
        done = False
        while not done:
            self._sleep(wait)
            wait, done = self.step(wait)
        return wait

    def describe(self, wait: WaitState) -> dict[str, Any]:
        """
        Describe the workspace; retry after throttling and other transient failures.

        :param wait: the wait whose workspace to describe, and whose deadline ends the retries.
        :raises WorkspaceError: when the request fails for good.
        """
        while True:
            try:
                description = self._hook.describe(wait.workspace)
            except exceptions.WorkspaceError as error:
                if isinstance(error, exceptions.SageMakerUnavailable) and self._runtime.time() >= wait.deadline:
                    raise
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
