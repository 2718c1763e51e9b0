"""Airflow's default connections, pointing to the local services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def airflow_connections(
    addresses: Mapping[str, Any], region_name: str = "us-east-1", timeout: int = 10
) -> dict[str, str]:
    """
    Return ``aws_default``, ``smtp_default`` and ``slack_api_default`` as environment variables for Airflow.

    :param addresses: the services' addresses: :meth:`LocalServices.addresses`, or the ready file of the command.
    :param region_name: the AWS region.
    :param timeout: the timeout of mail and Slack requests, in seconds.
    """
    aws = {"endpoint_url": addresses["endpoint_url"], "region_name": region_name}
    smtp = {"from_email": "airflow@example.com", "disable_tls": True, "disable_ssl": True, "timeout": timeout}
    slack = {"base_url": addresses["slack_base_url"], "timeout": timeout}
    smtp_server = {"host": addresses["smtp_host"], "port": addresses["smtp_port"]}
    connections: dict[str, dict[str, Any]] = {
        "AWS_DEFAULT": {"conn_type": "aws", "login": "local", "password": "local", "extra": aws},
        "SMTP_DEFAULT": {"conn_type": "smtp", **smtp_server, "extra": smtp},
        "SLACK_API_DEFAULT": {"conn_type": "slack", "password": "xoxb-local", "extra": slack},
    }
    return {f"AIRFLOW_CONN_{name}": json.dumps(connection) for name, connection in connections.items()}
