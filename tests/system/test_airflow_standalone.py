"""The Airflow that these tests and the demo start."""

from __future__ import annotations

import httpx

from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone


def test_people_and_tasks_have_an_api_server_each(airflow: AirflowStandalone) -> None:
    """In one, a person's request fails when it comes while a task's waits to be written: one at a time on SQLite."""
    for_people, for_tasks = "/api/v2/version", "/execution/health"

    def answered(base_url: str) -> list[bool]:
        with httpx.Client(base_url=base_url, trust_env=False) as client:
            answers = [client.get(path) for path in (for_people, for_tasks)]
        # To what it does not know, the people's one answers with the page of Airflow's UI.
        return [answer.is_success and "json" in answer.headers["content-type"] for answer in answers]

    assert answered(airflow.url) == [True, False]
    assert answered(airflow.execution_url.removesuffix("/execution")) == [False, True]
