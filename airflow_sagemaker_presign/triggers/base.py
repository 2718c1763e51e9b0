"""Bases of the triggers, for any kind of workspace: the wait in the triggerer, and the watch for idleness."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.idle.look import until_due
from airflow_sagemaker_presign.idle.shared_requests import shared_requests
from airflow_sagemaker_presign.idle.watch import IdleWatch
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime
from airflow_sagemaker_presign.waiting.poller.registry import wait_for
from airflow_sagemaker_presign.waiting.state_machine import WaitState
from airflow_sagemaker_presign.workspaces.base import Workspace


class AwsTrigger(BaseTrigger):
    """
    Base of the triggers: the arguments of an AWS client, and one event for the operator.

    The arguments are stored in Airflow's database and hold all that the trigger needs, so that it survives the
    triggerer. None of them is a secret. Each kind of workspace has a subclass, whose path is stored, too.

    :param aws_conn_id: the Airflow connection, which must exist; ``None``: boto3's own credential chain.
    :param region_name: the region; default: the connection's.
    :param verify: how TLS certificates are checked; default: the connection's.
    :param botocore_config: botocore's client configuration; default: the connection's.
    """

    kind: ClassVar[type[Workspace]]
    _runtime: Runtime = RUNTIME

    def __init__(
        self,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for Airflow's database."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            **self._state(),
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: the result, or the error that the operator raises."""
        try:
            event = await self._result()
        except WorkspaceError as error:
            event = {"status": "error", **error.as_event()}
        yield TriggerEvent(event)

    @property
    def client_key(self) -> ClientKey:
        """The AWS client's arguments; triggers with equal ones share a client."""
        return ClientKey.of(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return the subclass's own arguments."""

    @abstractmethod
    async def _result(self) -> dict[str, Any]:
        """Return the event, or raise the error that ends the task."""


class WorkspaceTrigger(AwsTrigger):
    """
    Wait for a workspace by the same rules as in the worker; start or stop it when its phase allows.

    The parameters that are not listed here are those of :class:`AwsTrigger`.

    :param wait: the result of :meth:`airflow_sagemaker_presign.waiting.state_machine.WaitState.as_dict`.
    :param poll_interval: seconds within which a change is normally noticed.
    """

    def __init__(self, wait: Mapping[str, Any], poll_interval: float, **client: Any) -> None:
        super().__init__(**client)
        self.wait = WaitState.from_dict(wait, self.kind)
        self.poll_interval = poll_interval

    def _state(self) -> dict[str, Any]:
        return {"wait": self.wait.as_dict(), "poll_interval": self.poll_interval}

    async def _result(self) -> dict[str, Any]:
        wait = await wait_for(self.client_key, self.wait, self.poll_interval, self._runtime)
        return {"status": "success", "wait": wait.as_dict()}


class IdleTrigger(AwsTrigger):
    """
    Watch a workspace until people are to be warned of its stop, or it is to be stopped.

    The parameters that are not listed here are those of :class:`AwsTrigger`.

    :param watch: the result of :meth:`airflow_sagemaker_presign.idle.watch.IdleWatch.as_dict`.
    """

    def __init__(self, watch: Mapping[str, Any], **client: Any) -> None:
        super().__init__(**client)
        self.watch = IdleWatch.from_dict(watch, self.kind)

    def _state(self) -> dict[str, Any]:
        return {"watch": self.watch.as_dict()}

    async def _result(self) -> dict[str, Any]:
        watch = self.watch.resumed(self._runtime.time())
        async with shared_requests(self.client_key, self._runtime) as request:
            watch, verdict = await until_due(watch, request, self._runtime, self.log)
        return {"status": verdict.value, "watch": watch.as_dict()}
