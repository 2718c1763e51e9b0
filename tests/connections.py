"""Airflow's default connections, leading to the local services."""

from __future__ import annotations

import json
from typing import Any

from airflow_sagemaker_presign.local import LocalServices


def connections(local: LocalServices, timeout: int = 10) -> dict[str, str]:
    """
    Say the connections as the environment that Airflow reads them from.

    :param local: the running services.
    :param timeout: the seconds after which mail and Slack are given up.
    """
    smtp = {"from_email": "airflow@example.com", "disable_tls": True, "disable_ssl": True, "timeout": timeout}
    return {
        "AIRFLOW_CONN_AWS_DEFAULT": _connection(
            "aws", password="local", login="local", endpoint_url=local.endpoint_url, region_name="us-east-1"
        ),
        "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(
            {"conn_type": "smtp", "host": "127.0.0.1", "port": local.smtp_port, "extra": smtp}
        ),
        "AIRFLOW_CONN_SLACK_API_DEFAULT": _connection(
            "slack", password="xoxb-local", base_url=local.slack_base_url, timeout=timeout
        ),
    }


def _connection(kind: str, password: str, login: str | None = None, **extra: Any) -> str:
    return json.dumps({"conn_type": kind, "login": login, "password": password, "extra": extra})
