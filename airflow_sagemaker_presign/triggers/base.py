"""Base of the triggers: the wait in the triggerer, for any kind of workspace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime
from airflow_sagemaker_presign.waiting.poller.registry import wait_for
from airflow_sagemaker_presign.waiting.state_machine import WaitState
from airflow_sagemaker_presign.workspaces.base import Workspace


class WorkspaceTrigger(BaseTrigger):
    """
    Wait for a workspace by the same rules as in the worker; start or stop it when its phase allows.

    The arguments are stored in Airflow's database and hold all that the wait needs, so that it survives the triggerer.
    None of them is a secret. Each kind of workspace has a subclass, whose path is stored, too.

    :param wait: the result of :meth:`airflow_sagemaker_presign.waiting.state_machine.WaitState.as_dict`.
    :param poll_interval: seconds within which a change is normally noticed.
    :param aws_conn_id: the Airflow connection, which must exist; ``None``: boto3's own credential chain.
    :param region_name: the region; default: the connection's.
    :param verify: how TLS certificates are checked; default: the connection's.
    :param botocore_config: botocore's client configuration; default: the connection's.
    """

    kind: ClassVar[type[Workspace]]
    _runtime: Runtime = RUNTIME

    def __init__(
        self,
        wait: Mapping[str, Any],
        poll_interval: float,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.wait = WaitState.from_dict(wait, self.kind)
        self.poll_interval = poll_interval
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for Airflow's database."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "wait": self.wait.as_dict(),
            "poll_interval": self.poll_interval,
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield one event: success, or the error that the operator raises."""
        try:
            wait = await wait_for(self.client_key, self.wait, self.poll_interval, self._runtime)
        except WorkspaceError as error:
            yield TriggerEvent({"status": "error", **error.as_event()})
        else:
            yield TriggerEvent({"status": "success", "wait": wait.as_dict()})

    @property
    def client_key(self) -> ClientKey:
        """The AWS client's arguments; triggers with equal ones share a poller."""
        return ClientKey.of(self.aws_conn_id, self.region_name, self.verify, self.botocore_config)
