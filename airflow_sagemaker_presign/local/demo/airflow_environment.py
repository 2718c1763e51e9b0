"""The command, passwords and settings of ``airflow standalone``."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

# The log servers of the scheduler and the triggerer listen on all addresses, and no setting changes that. On one
# machine they are not needed: the api-server reads the log files itself. So ``airflow standalone`` runs this script as
# the ``airflow`` on its PATH.
_COMMAND = """#!/bin/sh
case "$1" in
    scheduler | triggerer) exec {airflow} "$@" --skip-serve-logs ;;{api_server}
    *) exec {airflow} "$@" ;;
esac
"""
# Users' requests are written to Airflow's audit log on the api-server's event loop. SQLite allows one writer; if
# that is a task's request, it cannot finish while the loop waits for it, until the database is "locked" after 5 s and
# the user's request fails. So tasks get an api-server of their own.
_API_SERVER = """
    api-server) {airflow} "$@" --apps execution --port {execution_port} & exec {airflow} "$@" --apps core ;;"""


def write_command(home: Path, *, execution_port: int | None = None) -> Path:
    """
    Write the ``airflow`` command that starts Airflow and its child processes.

    :param home: its AIRFLOW_HOME.
    :param execution_port: the port of a second api-server, for tasks only; needed with SQLite.
    """
    command = home / "bin" / "airflow"
    command.parent.mkdir(exist_ok=True)
    airflow = shlex.quote(str(_bin() / "airflow"))
    api_server = "" if execution_port is None else _API_SERVER.format(airflow=airflow, execution_port=execution_port)
    _write(command, _COMMAND.format(airflow=airflow, api_server=api_server), 0o700)
    return command


def write_passwords(home: Path, passwords: Mapping[str, str]) -> Path:
    """
    Write the file with the users' passwords.

    :param home: its AIRFLOW_HOME.
    :param passwords: by user name.
    """
    path = home / "passwords.json"
    _write(path, json.dumps(dict(passwords)), 0o600)
    return path


def environment(home: Path, dags: Path, port: int, roles: Mapping[str, str], passwords: Path) -> dict[str, str]:
    """
    Return the environment of all Airflow processes, without the user's own Airflow and AWS settings.

    :param home: its AIRFLOW_HOME.
    :param dags: the folder of the DAG files.
    :param port: of the UI and API.
    :param roles: by user name, of Airflow's simple auth manager.
    :param passwords: the file with the users' passwords.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "AWS_"))}
    settings = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__PARALLELISM": "4",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in roles.items()),
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API__WORKERS": "1",
        "API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "API__SECRET_KEY": secrets.token_urlsafe(64),
        "DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {
        **inherited,
        "AIRFLOW_HOME": str(home),
        "PATH": os.pathsep.join((str(home / "bin"), str(_bin()), os.environ.get("PATH", os.defpath))),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **{f"AIRFLOW__{key}": value for key, value in settings.items()},
    }


def _bin() -> Path:
    """Return the folder of this Python environment's commands."""
    return Path(sys.executable).parent


def _write(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
