"""Airflow's components, any of which can be killed separately: scheduler, workers, triggerers, and the others."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from airflow_sagemaker_presign.local.demo.airflow_environment import environment, write_command, write_passwords
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.fleet.plan import DAG_ID, TRIGGERERS, WORKERS
from tests.fleet.stores import LOOPBACK
from tests.helpers.ports import free_port

ROOT = Path(__file__).parents[2]
HEALTHY = ("metadatabase", "scheduler", "triggerer", "dag_processor")
USERNAME = "admin"


class FleetFailed(RuntimeError):
    """Airflow did not do what it should; the message says what, and where its logs are."""


class AirflowFleet:
    """
    Start it with ``with``; all of it ends with the block, and with this process however that ends.

    :param home: AIRFLOW_HOME, for all of its parts.
    :param env: settings, connections and whatever the DAG reads.
    """

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        home.mkdir(mode=0o700, parents=True)
        self._home = home
        self._port = free_port()
        self._passwords = {USERNAME: secrets.token_urlsafe(12)}
        passwords = write_passwords(home, self._passwords)
        self._command = str(write_command(home))
        common = environment(home, Path(__file__).parent / "dags", self._port, {USERNAME: "admin"}, passwords)
        execution_api = f"http://{LOOPBACK}:{self._port}/execution/"
        # The DAG file reads tests.fleet.plan.
        self._env = {
            **common,
            "PYTHONPATH": str(ROOT),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": execution_api,
            **env,
        }
        self._parts: dict[str, SupervisedProcess] = {}
        self._http = httpx.Client(base_url=f"http://{LOOPBACK}:{self._port}", timeout=60, trust_env=False)

    def __enter__(self) -> AirflowFleet:
        try:
            migrate = [self._command, "db", "migrate"]
            subprocess.run(migrate, env=self._env, cwd=self._home, check=True, capture_output=True, text=True)
            for name in ("api-server", "scheduler", "dag-processor", *WORKERS, *TRIGGERERS):
                self.start(name)
            self._until(180, "is not healthy", self._is_healthy)
            self._log_in()
            self._until(60, f"has not read the DAG {DAG_ID}", self._has_dag)
            self._call("PATCH", f"/api/v2/dags/{DAG_ID}", json={"is_paused": False})
        except subprocess.CalledProcessError as error:
            raise FleetFailed(f"Airflow could not make its database: {error.stderr[-2000:]}") from None
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Start a part, for the first time or again."""
        self._parts[name] = SupervisedProcess(
            [self._command, *arguments(name, self._home)],
            log=self._home / f"{name}.log",
            env=self._env,
            cwd=self._home,
        )

    def kill(self, *names: str) -> None:
        """End parts as a machine ends that loses its power: all of their processes at once, by SIGKILL."""
        for name in names:
            self._parts[name].kill()

    def stop(self) -> None:
        """End all parts, all at the same time: each takes its seconds over it."""
        if self._parts:
            with ThreadPoolExecutor(len(self._parts)) as stopping:
                list(stopping.map(SupervisedProcess.stop, self._parts.values()))
            self._parts.clear()
        self._http.close()

    def trigger(self, run_id: str) -> None:
        """Start a run of the fleet's DAG."""
        self._call("POST", f"/api/v2/dags/{DAG_ID}/dagRuns", json={"logical_date": None, "dag_run_id": run_id})

    def state(self, run_id: str) -> str:
        """
        Return a run's state.

        :raises FleetFailed: when a part has ended by itself.
        """
        for name, part in self._parts.items():
            if part.returncode() is not None and not part.killed:
                raise FleetFailed(f"{name} ended by itself. The end of what it said:\n{part.tail()}")
        state: str = self._call("GET", f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}").json()["state"]
        return state

    def _is_healthy(self) -> bool:
        try:
            health: dict[str, Any] = self._http.get("/api/v2/monitor/health").json()
        except (httpx.HTTPError, ValueError):
            return False
        return all((health.get(part) or {}).get("status") == "healthy" for part in HEALTHY)

    def _log_in(self) -> None:
        body = {"username": USERNAME, "password": self._passwords[USERNAME]}
        token = self._call("POST", "/auth/token", json=body).json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _has_dag(self) -> bool:
        return self._http.get(f"/api/v2/dags/{DAG_ID}").status_code == 200

    def _until(self, timeout: float, not_so: str, condition: Any) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            ended = [name for name, part in self._parts.items() if part.returncode() is not None]
            if ended or time.monotonic() > deadline:
                tails = "\n".join(f"{name}: {part.tail(5)}" for name, part in self._parts.items())
                raise FleetFailed(
                    f"Airflow {not_so} after {timeout:g} s, or {ended} ended. Logs: {self._home}\n{tails}"
                )
            time.sleep(0.5)

    def _call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        answer = self._http.request(method, path, **kwargs)
        if answer.is_error:
            raise FleetFailed(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer


def arguments(name: str, home: Path) -> list[str]:
    """
    Say how a part is started.

    Log servers listen on all addresses, and no setting changes that; a single machine does not need them.

    :param name: of the part.
    :param home: AIRFLOW_HOME, for its file with the process id.
    """
    pid = ["--pid", str(home / f"{name}.pid")]
    if name in WORKERS:
        return ["celery", "worker", "--celery-hostname", name, "--skip-serve-logs", *pid]
    if name in TRIGGERERS:
        # Home's own command adds --skip-serve-logs.
        return ["triggerer", *pid]
    return [name]
