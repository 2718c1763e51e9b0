"""The Start and Stop requests that a poller still has to send, in the order in which they were decided."""

from __future__ import annotations

from collections.abc import Callable

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.waiting.poller.pending_waits import PendingWait
from airflow_sagemaker_presign.waiting.poller.rate_limited_client import RateLimitedClient
from airflow_sagemaker_presign.waiting.step import Step


class SendQueue:
    """
    Holds at most one request for each pending wait.

    :param client: sends the requests.
    :param runtime: the clock.
    :param on_error: called with a pending wait and the error that ends it.
    """

    def __init__(
        self, client: RateLimitedClient, runtime: Runtime, on_error: Callable[[PendingWait, Exception], object]
    ) -> None:
        self._client = client
        self._runtime = runtime
        self._on_error = on_error
        self._steps: dict[PendingWait, Step] = {}

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, pending_wait: PendingWait, step: Step) -> None:
        """Add the request of a step."""
        self._steps[pending_wait] = step

    def remove(self, pending_wait: PendingWait) -> None:
        """Remove the request of a pending wait, if there is one."""
        self._steps.pop(pending_wait, None)

    async def send_next(self) -> None:
        """Send the first request; after a transient failure, move it to the end of the queue."""
        pending_wait, step = next(iter(self._steps.items()))
        try:
            await self._client.request(step.send)
        except exceptions.SageMakerUnavailable:
            if pending_wait in self._steps:
                self._steps[pending_wait] = self._steps.pop(pending_wait)
        except Exception as error:
            self._on_error(pending_wait, error)
        else:
            self.remove(pending_wait)
            pending_wait.wait = step.sent(self._runtime.time())
            pending_wait.log_to_task("Sent a %s to the %s.", step.action.value, pending_wait.workspace)
