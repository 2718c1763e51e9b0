"""The client key: the arguments of an AWS client. Waits with equal keys share a client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook


class ClientKey(NamedTuple):
    """
    The arguments of an AWS client.

    :param aws_conn_id: the Airflow connection, which must exist; ``None``: boto3's own credential chain.
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
        """Create one from a trigger's arguments, which are JSON values."""
        config = None if botocore_config is None else json.dumps(botocore_config, sort_keys=True)
        return cls(aws_conn_id, region_name, verify, config)

    def connect(self) -> WorkspaceHook:
        """Return a hook with a client. This blocks and imports boto3, so it must not run on an event loop."""
        from airflow_sagemaker_presign.hooks import aws_errors
        from airflow_sagemaker_presign.hooks.base import WorkspaceHook

        config = None if self.botocore_config is None else json.loads(self.botocore_config)
        hook = WorkspaceHook(self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=config)
        if self.aws_conn_id is not None and not hook.has_connection:
            raise aws_errors.connection_went_missing(self.aws_conn_id)
        hook.connect_without_retries()
        return hook
