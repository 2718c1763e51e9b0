"""Another api-server of the same Airflow, under another address."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from airflow_sagemaker_presign.local.demo.airflow_environment import environment
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.helpers.until import until


class ApiServer:
    """
    An api-server for people, of an Airflow that runs already.

    :param airflow: whose database, users and DAGs it has.
    :param roles: the role of each user.
    :param base_url: what people type; it may be a proxy's.
    :param port: where it listens.
    :param folder: for its log.
    """

    def __init__(
        self, airflow: AirflowStandalone, roles: dict[str, str], base_url: str, port: int, folder: Path
    ) -> None:
        self.base_url = base_url
        self.port = port
        self._log = folder / "api-server.log"
        command = Path(sys.executable).parent / "airflow"
        self._command = [str(command), "api-server", "--apps", "core", "--port", str(port)]
        passwords = airflow.home / "passwords.json"
        self._environment = {
            **environment(airflow.home, airflow.dags, port, roles, passwords),
            **airflow.env,
            "AIRFLOW__API__BASE_URL": base_url,
            "AIRFLOW__API__SECRET_KEY": "of-these-tests-only",
        }
        self._home = airflow.home
        self._process: SupervisedProcess | None = None

    def start(self) -> None:
        self._process = SupervisedProcess(self._command, log=self._log, env=self._environment, cwd=self._home)
        health = f"http://127.0.0.1:{self.port}{urlsplit(self.base_url).path}/api/v2/monitor/health"
        until(
            lambda: _is_well(health),
            lambda: f"{health} responds. {self._log.read_text()[-3000:]}",
            timeout=120,
            interval=0.25,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()


def _is_well(health: str) -> bool:
    try:
        return httpx.get(health, trust_env=False).is_success
    except (httpx.HTTPError, OSError):
        return False
