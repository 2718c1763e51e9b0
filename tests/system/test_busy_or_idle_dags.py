"""The example DAGs about idle notebooks, on a real Airflow: warned, stopped, left, reported, counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run
from tests.helpers.local_client import sagemaker_client
from tests.helpers.messages import mail_to
from tests.helpers.system_settings import EVENING_IDLE_SECONDS, REGION
from tests.helpers.until import until

OWNERS = {"tagged-idle": "idle@example.com", "tagged-busy": "busy@example.com"}


@pytest.fixture(scope="module")
def tagged(local: LocalServices) -> None:
    """Two notebooks with the tag that the DAG looks for, opened once; one is busy."""
    client = sagemaker_client(local.endpoint_url, region=REGION)
    for name, owner in OWNERS.items():
        client.create_notebook_instance(
            NotebookInstanceName=name,
            InstanceType="ml.t3.medium",
            RoleArn="arn:aws:iam::123456789012:role/notebooks",
            Tags=[{"Key": "team", "Value": "research"}, {"Key": "owner", "Value": owner}],
        )
        local.sagemaker.set_status(name, "InService", region=REGION)
    local.make_idle("tagged-idle", region=REGION)
    local.make_busy("tagged-busy", region=REGION)


@pytest.fixture
def off_again(api: httpx.Client) -> Iterator[list[str]]:
    """DAGs that are switched off at the end, since their later runs would mint in other tests."""
    dag_ids: list[str] = []
    yield dag_ids
    for dag_id in dag_ids:
        api.patch(f"/api/v2/dags/{dag_id}", json={"is_paused": True}).raise_for_status()


@pytest.mark.usefixtures("tagged")
def test_in_the_evening_the_idle_one_is_stopped_and_the_owner_of_the_busy_one_gets_a_mail(
    airflow: AirflowStandalone,
    api: httpx.Client,
    local: LocalServices,
    off_again: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_ENDPOINT_URL", local.endpoint_url)
    hook = SageMakerNotebookInstanceHook(None, region_name=REGION)
    idle_for = timedelta(seconds=EVENING_IDLE_SECONDS)
    until(lambda: not hook.notebook_instance_usage("tagged-idle").in_use(idle_for), "it is idle", interval=1)
    off_again.append("notebooks_idle_evening")
    run = Run.of_schedule(airflow, api, "notebooks_idle_evening")
    assert run.end() == "success", run.states()
    assert local.sagemaker.status("tagged-idle", REGION) == "Stopped"
    assert local.sagemaker.status("tagged-busy", REGION) == "InService"
    assert mail_to(local, "idle@example.com").subject.startswith("Notebook tagged-idle will be stopped")
    report = mail_to(local, "busy@example.com")
    assert report.subject == "Notebooks in use this evening"
    assert "tagged-busy" in report.html
    assert "a busy kernel (python3)" in report.html


@pytest.mark.usefixtures("tagged")
def test_the_hours_of_notebooks_are_counted_and_reported(
    airflow: AirflowStandalone,
    api: httpx.Client,
    local: LocalServices,
    off_again: list[str],
) -> None:
    off_again += ["notebook_hours", "notebooks_weekly_report"]
    assert Run.of_schedule(airflow, api, "notebook_hours").end() == "success"
    assert Run.start(airflow, api, "notebook_hours").end() == "success"
    value = api.get("/api/v2/variables/sagemaker_notebook_hours").raise_for_status().json()["value"]
    weeks = json.loads(value).values()
    counts = [week["tagged-busy (ml.t3.medium)"] for week in weeks if "tagged-busy (ml.t3.medium)" in week]
    # Over midnight, they are in two weeks.
    assert (sum(count["running"] for count in counts), sum(count["in use"] for count in counts)) == (2, 2)
    assert Run.of_schedule(airflow, api, "notebooks_weekly_report").end() == "success"
    mail = mail_to(local, "data-platform@example.com")
    assert mail.subject == "Notebooks last week"
    assert "Hours in use" in mail.html
