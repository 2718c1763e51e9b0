"""
What a user would write with the amazon provider: one waiter trigger for each task.

The provider's ``AwsBaseWaiterTrigger.run`` needs aiobotocore, which the provider does not install and which pins an
older botocore. So this one runs the same loop, the provider's own ``async_wait``, with an ordinary client in threads.

It is used with care: each trigger has its own client, as the provider's have, but all clients come from one
session. With a session each, as the provider has it, a thousand triggers take 20 GB.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from airflow.providers.amazon.aws.hooks.sagemaker import SageMakerHook
from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger
from airflow.providers.amazon.aws.utils.waiter_with_logging import async_wait
from airflow.triggers.base import TriggerEvent
from asgiref.sync import sync_to_async


class NotebookInServiceTrigger(AwsBaseWaiterTrigger):
    aws_hook_class = SageMakerHook

    def __init__(
        self,
        notebook_instance_name: str,
        waiter_delay: int,
        waiter_max_attempts: int = 3600,
        aws_conn_id: str | None = "aws_default",
    ) -> None:
        super().__init__(
            serialized_fields={"notebook_instance_name": notebook_instance_name},
            waiter_name="notebook_instance_in_service",
            waiter_args={"NotebookInstanceName": notebook_instance_name},
            failure_message="The notebook instance did not start",
            status_message="Status",
            status_queries=["NotebookInstanceStatus"],
            return_value=notebook_instance_name,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            aws_conn_id=aws_conn_id,
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        waiter = await sync_to_async(self._make_waiter, thread_sensitive=False)()
        await async_wait(
            waiter,
            self.waiter_delay,
            self.attempts,
            self.waiter_args,
            self.failure_message,
            self.status_message,
            self.status_queries,
        )
        yield TriggerEvent({"status": "success", self.return_key: self.return_value})

    def _make_waiter(self) -> Any:
        with _MAKING:
            client = _session_of(self.aws_conn_id)("sagemaker")
        return _InThreads(client.get_waiter(self.waiter_name))


_MAKING = threading.Lock()


@functools.cache
def _session_of(aws_conn_id: str | None) -> Callable[[str], Any]:
    hook = SageMakerHook(aws_conn_id=aws_conn_id)
    session = hook.get_session(region_name=hook.region_name)
    return functools.partial(session.client, endpoint_url=hook.conn_config.get_service_endpoint_url("sagemaker"))


class _InThreads:
    """A botocore waiter as ``async_wait`` wants it."""

    def __init__(self, waiter: Any) -> None:
        self._waiter = waiter

    async def wait(self, **values: Any) -> None:
        await sync_to_async(self._waiter.wait, thread_sensitive=False)(**values)
