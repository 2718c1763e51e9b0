"""
A real ``airflow standalone`` in a folder of its own, for the demo, the system tests and the benchmarks.

.. code-block:: python

    from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone

    connections = {"AIRFLOW_CONN_SMTP_DEFAULT": json.dumps({"conn_type": "smtp", "host": "127.0.0.1", ...})}
    with AirflowStandalone(tmp_path / "airflow", dags=Path("dags"), env=connections) as airflow:
        run_id = airflow.trigger("notebook_on_demand", conf={"recipient": "ada@example.com"})
        state = airflow.wait_for_run("notebook_on_demand", run_id, timeout=120)
        assert state == "success", airflow.task_log("notebook_on_demand", run_id, "notebook_link")
        receipt = airflow.xcom("notebook_on_demand", run_id, "notebook_link")
        airflow.console, airflow.home   # what all its processes printed; airflow.db and the task logs in logs/

Everything listens on 127.0.0.1 only, on free ports, so several run side by side. It ends with the ``with`` block, and
with this process, however that ends. A start takes 15 to 35 s: share one between tests. Requires Airflow 3.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from airflow_sagemaker_presign.local.demo.airflow_environment import environment, write_command, write_passwords
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess

USERNAME = "admin"
HEALTHY = ("metadatabase", "scheduler", "triggerer", "dag_processor")
TaskInstances = dict[str, dict[str, Any]]


class AirflowStandaloneError(RuntimeError):
    """Airflow failed; the message states how, and where the logs are."""


class AirflowStandalone:
    """
    Start Airflow with ``start`` (or ``with``), use it over its REST API, end it with ``stop``.

    :param home: its AIRFLOW_HOME; created if it does not exist.
    :param dags: the folder of the DAG files.
    :param env: more environment for all its processes: connections (``AIRFLOW_CONN_…``), settings (``AIRFLOW__…``).
        Until the start, ``self.env`` takes more.
    :param users: more who can log in, each with a role of Airflow's simple auth manager (``viewer``, ``user``, ``op``).
        ``self.passwords`` has everybody's password.
    :param port: the port of the UI and API; 0 takes a free one.
    :param start_timeout: the maximum number of seconds until all components are healthy.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags: Path,
        env: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        port: int = 0,
        start_timeout: float = 180,
    ) -> None:
        self.home = home.absolute()
        self.dags = dags.absolute()
        self.console = self.home / "console.log"
        self.username = USERNAME
        self._roles = {**(users or {}), self.username: "admin"}
        self.passwords = {name: secrets.token_urlsafe(12) for name in self._roles}
        self.password = self.passwords[self.username]
        self.env = dict(env or {})
        self._start_timeout = start_timeout
        self._reserved = [_reserve(port), _reserve(0)]
        self.port, self._execution_port = (each.getsockname()[1] for each in self._reserved)
        self.url = f"http://127.0.0.1:{self.port}"
        self.execution_url = f"http://127.0.0.1:{self._execution_port}/execution"
        self._http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self._process: SupervisedProcess | None = None

    def __enter__(self) -> AirflowStandalone:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """
        Start Airflow, and return when its database, scheduler, triggerer, DAG processor and api-server are healthy.

        :raises AirflowStandaloneError: when it ends, or takes too long.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.console.touch(mode=0o600)
        command = write_command(self.home, execution_port=self._execution_port)
        passwords = write_passwords(self.home, self.passwords)
        settings = {
            **environment(self.home, self.dags, self.port, self._roles, passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.execution_url}/",
            **self.env,
        }
        self._process = SupervisedProcess([str(command), "standalone"], log=self.console, env=settings, cwd=self.home)
        deadline = time.monotonic() + self._start_timeout
        while unhealthy := self._unhealthy():
            self.check_running()
            if time.monotonic() > deadline:
                raise self._error(f"Airflow is not healthy after {self._start_timeout:.0f} s: {', '.join(unhealthy)}")
            time.sleep(0.25)
        self._log_in()

    def stop(self) -> None:
        """Stop all of Airflow's processes, and return when they have ended. The folder stays."""
        if self._process is not None:
            self._process.stop()
        self._http.close()
        for each in self._reserved:
            each.close()

    def check_running(self) -> None:
        """
        Check that Airflow is still running.

        :raises AirflowStandaloneError: when it has.
        """
        if self._process is None or self._process.returncode() is not None:
            raise self._error("Airflow is not running, or exited by itself")

    def wait_for_dag(self, dag_id: str, timeout: float = 60) -> None:
        """
        Wait until a DAG file has been read.

        :param dag_id: the DAG.
        :param timeout: seconds.
        :raises AirflowStandaloneError: with the import errors of the DAG files, when it does not appear.
        """
        deadline = time.monotonic() + timeout
        while self._request("GET", f"/api/v2/dags/{dag_id}", allow=(404,)).status_code == 404:
            errors = self._request("GET", "/api/v2/importErrors").json()["import_errors"]
            if time.monotonic() > deadline or any(dag_id in error["filename"] for error in errors):
                traces = "\n".join(f"{error['filename']}: {error['stack_trace']}" for error in errors)
                raise self._error(f"There is no DAG {dag_id!r} in {self.dags}. {traces}")
            time.sleep(0.25)

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, timeout: float = 60) -> str:
        """
        Unpause a DAG, start a run, and return its run_id.

        :param dag_id: the DAG; waited for.
        :param conf: the run's params.
        :param timeout: seconds to wait for the DAG to be there.
        """
        self.wait_for_dag(dag_id, timeout)
        self._request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})
        body = {"logical_date": None, "conf": dict(conf or {})}
        run_id: str = self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body).json()["dag_run_id"]
        return run_id

    def token(self, username: str = USERNAME) -> str:
        """Log a user in, and return their API token."""
        body = {"username": username, "password": self.passwords[username]}
        return str(self._request("POST", "/auth/token", json=body).json()["access_token"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run as the API shows it: ``state``, ``start_date``, ``end_date``…"""
        return dict(self._request("GET", self._path(dag_id, run_id)).json())

    def task_instances(self, dag_id: str, run_id: str) -> TaskInstances:
        """Return a run's task instances by task_id (mapped ones: ``task_id[index]``): ``state``, ``start_date``…"""
        instances = self._request("GET", f"{self._path(dag_id, run_id)}/taskInstances").json()["task_instances"]
        return {t["task_id"] if t["map_index"] < 0 else f"{t['task_id']}[{t['map_index']}]": t for t in instances}

    def wait_for_run(
        self, dag_id: str, run_id: str, timeout: float, progress: Callable[[TaskInstances], None] | None = None
    ) -> str:
        """
        Wait for the end of a run, and return its state.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param timeout: seconds.
        :param progress: called with the task instances, about four times a second.
        :raises AirflowStandaloneError: when it takes too long, or Airflow ends.
        """
        deadline = time.monotonic() + timeout
        while True:
            state: str = self.run(dag_id, run_id)["state"]
            if progress is not None:
                progress(self.task_instances(dag_id, run_id))
            if state in ("success", "failed"):
                return state
            self.check_running()
            if time.monotonic() > deadline:
                raise self._error(f"The run {run_id} of {dag_id} is still {state} after {timeout:.0f} s")
            time.sleep(0.25)

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Return a value that a task pushed; None if there is none."""
        path = f"{self._path(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        params = {"map_index": map_index, "deserialize": False, "stringify": False}
        response = self._request("GET", path, params=params, allow=(404,))
        return None if response.status_code == 404 else response.json()["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Return the log of one try of a task, as the UI would show it, one JSON object a line."""
        path = f"{self._path(dag_id, run_id)}/taskInstances/{task_id}/logs/{try_number}"
        lines = {"Accept": "application/x-ndjson"}
        return self._request("GET", path, params={"map_index": map_index}, headers=lines, allow=(404,)).text

    def _path(self, dag_id: str, run_id: str) -> str:
        return f"/api/v2/dags/{dag_id}/dagRuns/{run_id.replace('+', '%2B')}"

    def _unhealthy(self) -> list[str]:
        try:
            health = self._http.get("/api/v2/monitor/health").json()
            # The first request to the execution API takes seconds: send it now rather than in the first task.
            self._http.get(f"{self.execution_url}/health").raise_for_status()
        except (httpx.HTTPError, ValueError):
            return ["api-server"]
        return [part for part in HEALTHY if (health.get(part) or {}).get("status") != "healthy"]

    def _log_in(self) -> None:
        self._http.headers["Authorization"] = f"Bearer {self.token()}"

    def _request(self, method: str, path: str, *, allow: tuple[int, ...] = (), **kwargs: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **kwargs)
        except httpx.HTTPError as error:
            raise self._error(f"Airflow did not respond to {method} {path}: {error!r}") from error
        if response.is_error and response.status_code not in allow:
            raise self._error(f"Airflow returned {response.status_code} for {method} {path}: {response.text[:500]}")
        return response

    def _error(self, message: str) -> AirflowStandaloneError:
        tail = "" if self._process is None else f" The end of it:\n{self._process.tail()}"
        return AirflowStandaloneError(f"{message}. Its output is in {self.console}.{tail}")


def _reserve(port: int) -> socket.socket:
    """
    Reserve a port until Airflow listens on it.

    On Linux, Airflow can bind a port that is bound with SO_REUSEADDR and does not listen. Elsewhere, the port is only
    checked.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reserved.bind(("127.0.0.1", port))
    except OSError as error:
        reserved.close()
        raise AirflowStandaloneError(f"Port {port} is in use: {error.strerror}. Choose another one.") from error
    return reserved
