"""The launch page's AWS identity: that of the task's connection, and never the api-server's by accident."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.compat import AirflowNotFoundException, conf
from airflow_sagemaker_presign.exceptions import WorkspaceError

if TYPE_CHECKING:
    from airflow.models.connection import Connection
    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

log = logging.getLogger(__name__)

SECTION, OPTION = "sagemaker_presign", "allow_default_credentials"

TEAM_SEPARATOR = "___"
"""Separates team and connection in names of environment variables; Airflow 3.2 finds other teams' connections by it."""

OF_A_PROFILE = frozenset(
    {
        "assume-role",
        "assume-role-with-web-identity",
        "config-file",
        "custom-process",
        "login",
        "shared-credentials-file",
        "sso",
    }
)
"""
botocore's names of the sources from which a profile's credentials come. If a profile has none, botocore falls back to
the machine's.
"""


class UnusableConnection(WorkspaceError):
    """The launch page cannot use the task's AWS identity."""

    advice = "Show this message to an administrator of Airflow."


def find_connection(aws_conn_id: str | None, team_name: str | None, notebook: str) -> Connection | None:
    """
    Return the task's connection; ``None`` if the task uses boto3's own credential chain.

    https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/multi-team.html

    :raises UnusableConnection: when Airflow does not find it, or does not support connections of teams.
    """
    from airflow.models.connection import Connection

    if aws_conn_id is None:
        return None
    arguments: dict[str, str | None] = {}
    if conf.getboolean("core", "multi_team", fallback=False):
        if "team_name" not in inspect.signature(Connection.get_connection_from_secrets).parameters:
            problem = "This Airflow does not support connections of teams, which [core] multi_team requires."
            raise UnusableConnection(notebook, problem)
        arguments = {"team_name": team_name}
    try:
        if arguments and TEAM_SEPARATOR in aws_conn_id:
            raise AirflowNotFoundException
        return Connection.get_connection_from_secrets(aws_conn_id, **arguments)
    except AirflowNotFoundException:
        whose = f" for the team {team_name!r}" if arguments and team_name else ""
        problem = f"The api-server does not find the connection {aws_conn_id!r}{whose}."
        advice = (
            "An administrator of Airflow can add it, in Airflow's database, a secrets backend or the api-server's own "
            "environment."
        )
        raise UnusableConnection(notebook, problem, advice) from None


def own_identity_is_allowed() -> bool:
    """Return whether the launch page may use the api-server's own credentials for a task without credentials."""
    try:
        return bool(conf.getboolean(SECTION, OPTION, fallback=False))
    except Exception:  # Airflow has several exception classes for this, one per package.
        log.exception("[%s] %s is neither True nor False; using False", SECTION, OPTION)
        return False


def check_identity(
    config: AwsConnectionWrapper, aws_conn_id: str | None, notebook: str, session: Callable[[], Any]
) -> None:
    """
    Check that a connection has an AWS identity of its own.

    A role to assume is enough: its trust policy names who may assume it.

    :raises UnusableConnection: when AWS would see the api-server's own identity, and that is not allowed.
    """
    if (config.aws_access_key_id and config.aws_secret_access_key) or config.role_arn or own_identity_is_allowed():
        return
    if config.profile_name and getattr(session().get_credentials(), "method", None) in OF_A_PROFILE:
        return
    which = f"The connection {aws_conn_id!r} has no credentials" if aws_conn_id else "The task names no connection"
    raise UnusableConnection(
        notebook,
        f"{which}, and this page does not use the api-server's own.",
        "An administrator of Airflow can give the connection credentials or a role; or, where all who write DAGs may "
        f"use the api-server's own, set [{SECTION}] {OPTION} = True.",
    )
