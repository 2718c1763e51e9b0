"""One view of an AWS account: what has to be equal for two waits to share a client, and the client that they share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook

H = TypeVar("H", bound="WorkspaceHook")


class ClientKey(NamedTuple):
    """
    The arguments that make an AWS client what it is.

    :param aws_conn_id: the Airflow connection, which is there; ``None``: boto3's own credential chain.
    :param region_name: the region; ``None``: the connection's.
    :param verify: how TLS certificates are checked; ``None``: the connection's.
    :param botocore_config: botocore's client configuration, as JSON; ``None``: the connection's.
    """

    aws_conn_id: str | None
    region_name: str | None
    verify: bool | str | None
    botocore_config: str | None

    @classmethod
    def of(
        cls,
        aws_conn_id: str | None,
        region_name: str | None,
        verify: bool | str | None,
        botocore_config: dict[str, Any] | None,
    ) -> Self:
        """Make one of a trigger's arguments; they come from JSON, so the configuration can go back there."""
        config = None if botocore_config is None else json.dumps(botocore_config, sort_keys=True)
        return cls(aws_conn_id, region_name, verify, config)

    def make_hook(self, kind: Callable[..., H]) -> H:
        """
        Make a hook; its client is made when it is first needed.

        :param kind: the hook's class.
        :raises AwsConnectionUnusable: when no client can be made with these arguments.
        """
        config = None if self.botocore_config is None else json.loads(self.botocore_config)
        return kind(self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=config)

    def connect(self) -> WorkspaceHook:
        """
        Look the connection up and make the client. Slow, and it imports boto3: never on an event loop.

        :raises SageMakerUnavailable: when that may well work later.
        :raises AwsConnectionUnusable: when no client can be made of the connection.
        """
        from airflow_sagemaker_presign.hooks import aws_errors
        from airflow_sagemaker_presign.hooks.base import WorkspaceHook

        hook = self.make_hook(WorkspaceHook)
        if self.aws_conn_id is not None and not hook.has_connection:
            raise aws_errors.connection_went_missing(self.aws_conn_id)
        hook.connect_without_retries()
        return hook
