"""Airflow as a test sees it: its REST API, and the runs started over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone, TaskInstances
from tests.helpers.until import until


def logged_in(airflow: AirflowStandalone) -> httpx.Client:
    client = httpx.Client(base_url=airflow.url, timeout=30, trust_env=False)
    credentials = {"username": airflow.username, "password": airflow.password}
    token = client.post("/auth/token", json=credentials).raise_for_status().json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


@dataclass(frozen=True)
class Run:
    """One run of a DAG. What it shows of tasks waits for nothing; ``end`` waits for the run."""

    airflow: AirflowStandalone
    api: httpx.Client
    dag_id: str
    run_id: str

    @classmethod
    def start(cls, airflow: AirflowStandalone, api: httpx.Client, dag_id: str, **conf: Any) -> Run:
        return cls(airflow, api, dag_id, airflow.trigger(dag_id, conf))

    @classmethod
    def of_schedule(cls, airflow: AirflowStandalone, api: httpx.Client, dag_id: str) -> Run:
        """Switch a DAG on, and take the run that its schedule is owed then."""
        airflow.wait_for_dag(dag_id)
        api.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()
        run_ids: list[str] = []

        def due() -> bool:
            answer = api.get(f"/api/v2/dags/{dag_id}/dagRuns", params={"run_type": "scheduled"}).raise_for_status()
            run_ids[:] = [run["dag_run_id"] for run in answer.json()["dag_runs"]]
            return bool(run_ids)

        until(due, f"{dag_id} has a scheduled run", interval=0.25)
        return cls(airflow, api, dag_id, run_ids[0])

    def end(self, timeout: float = 120) -> str:
        """Wait for the end; the state."""
        return self.airflow.wait_for_run(self.dag_id, self.run_id, timeout)

    def tasks(self) -> TaskInstances:
        return self.airflow.task_instances(self.dag_id, self.run_id)

    def states(self) -> dict[str, str | None]:
        """The state of each task."""
        return {name: task["state"] for name, task in self.tasks().items()}

    def xcom(self, task_id: str = "notebook_link", map_index: int = -1) -> Any:
        return self.airflow.xcom(self.dag_id, self.run_id, task_id, map_index=map_index)

    def log(self, task_id: str = "notebook_link", map_index: int = -1) -> str:
        return self.airflow.task_log(self.dag_id, self.run_id, task_id, map_index=map_index)

    def links(self, task_id: str = "notebook_link") -> Mapping[str, str | None]:
        """The extra links of a task, as its page in Airflow has them."""
        path = f"/api/v2/dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}/links"
        links: Mapping[str, str | None] = self.api.get(path).raise_for_status().json()["extra_links"]
        return links

    def wait_for_task(self, state: str, task_id: str = "notebook_link", timeout: float = 60) -> None:
        until(lambda: self.states().get(task_id) == state, f"{task_id} is {state}", timeout, interval=0.25)
