"""An api-server with Flask-AppBuilder's users, next to the Airflow of the system tests and with its database."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from airflow_sagemaker_presign.local.demo.airflow_environment import environment
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.helpers.ports import free_port
from tests.helpers.until import until

PASSWORD = "of-these-tests-only"

# In a separate process, since Airflow's settings are read once in a process.
_ADD_USERS = """
import json, sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.auth_manager.models.db import FABDBManager
from airflow.utils.session import create_session

with create_session() as session:
    FABDBManager(session).initdb()
with get_application_builder() as builder:
    builder.sm.sync_roles()
    for name, email, role in json.loads(sys.argv[1]):
        assert builder.sm.add_user(name, name.title(), "Test", email, builder.sm.find_role(role), sys.argv[2])
"""


@dataclass(frozen=True)
class Person:
    """A user of Flask-AppBuilder."""

    user_name: str
    email: str
    role: str


class FabApiServer:
    """
    The api-server for people.

    :param airflow: the Airflow whose database it has.
    :param name: distinguishes its log from others.
    """

    def __init__(self, airflow: AirflowStandalone, name: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = airflow.home
        self.log = airflow.home / f"{name}.log"
        self.env = {
            **environment(airflow.home, airflow.dags, self.port, {}, airflow.home / "passwords.json"),
            **airflow.env,
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            **settings,
        }

    def add(self, people: list[Person]) -> None:
        """Make its tables, and add people to them."""
        rows = json.dumps([(person.user_name, person.email, person.role) for person in people])
        with self.log.open("ab") as log:
            subprocess.run(
                [sys.executable, "-c", _ADD_USERS, rows, PASSWORD], env=self.env, stdout=log, stderr=log, check=True
            )

    @contextmanager
    def running(self, timeout: float = 120) -> Iterator[FabApiServer]:
        """Run it, from when on it answers."""
        command = [
            str(Path(sys.executable).parent / "airflow"),
            "api-server",
            "--apps",
            "core",
            "--port",
            str(self.port),
        ]
        process = SupervisedProcess(command, log=self.log, env=self.env, cwd=self.home)
        try:
            until(
                lambda: self._answers() or process.returncode() is not None,
                lambda: f"it responds. {self.log.read_text()[-3000:]}",
                timeout,
                interval=0.25,
            )
            assert process.returncode() is None, f"it ended: {self.log.read_text()[-3000:]}"
            yield self
        finally:
            process.stop()

    def token(self, user_name: str) -> str:
        """Log a user in over the API."""
        credentials = {"username": user_name, "password": PASSWORD}
        answer = httpx.post(f"{self.url}/auth/token", json=credentials, timeout=60, trust_env=False)
        return str(answer.raise_for_status().json()["access_token"])

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10, trust_env=False).is_success
        except httpx.HTTPError:
            return False
