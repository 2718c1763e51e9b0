"""A notebook that a second person has to approve: asked for, approved and rejected over Airflow's API."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run
from tests.helpers.messages import mail_to, mails_to, urls_in
from tests.helpers.system_settings import REGION
from tests.helpers.until import until

DAG_ID = "notebook_with_approval"
ASKS, APPROVES, OPENS = "ed", "ellen", "zoe@example.com"
REASON = "Churn of the last quarter"

Ask = Callable[[str, str], Run]


def as_person(airflow: AirflowStandalone, name: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {airflow.token(name)}"}
    return httpx.Client(base_url=airflow.url, headers=headers, timeout=30, trust_env=False)


@pytest.fixture
def ask(airflow: AirflowStandalone, api: httpx.Client) -> Ask:
    """Request a notebook, and return when the approval can be answered."""

    def ask(notebook: str, recipient: str) -> Run:
        airflow.wait_for_dag(DAG_ID)
        api.patch(f"/api/v2/dags/{DAG_ID}", json={"is_paused": False}).raise_for_status()
        conf = {"notebook_instance_name": notebook, "recipient": recipient, "reason": REASON}
        with as_person(airflow, ASKS) as person:
            answer = person.post(f"/api/v2/dags/{DAG_ID}/dagRuns", json={"logical_date": None, "conf": conf})
        run = Run(airflow, api, DAG_ID, answer.raise_for_status().json()["dag_run_id"])
        # Faster than any person: the scheduler fails a task that resumes before it has processed the deferral.
        line = f"TaskInstance Finished: dag_id={DAG_ID}, task_id=approve, run_id={run.run_id}"
        until(
            lambda: line in airflow.console.read_text(errors="replace"),
            "the task waits, and the scheduler knows",
            timeout=60,
            interval=0.25,
        )
        return run

    return ask


def path_of(run: Run) -> str:
    return f"/api/v2/dags/{DAG_ID}/dagRuns/{run.run_id}/taskInstances/approve/-1/hitlDetails"


def answer(run: Run, name: str, option: str, **params: str) -> httpx.Response:
    with as_person(run.airflow, name) as person:
        return person.patch(path_of(run), json={"chosen_options": [option], "params_input": params})


def test_a_notebook_that_another_user_approved_opens_for_its_recipient(
    ask: Ask, airflow: AirflowStandalone, local: LocalServices, api: httpx.Client
) -> None:
    run = ask("approved", OPENS)
    request = api.get(path_of(run)).raise_for_status().json()
    assert request["subject"] == f"Notebook approved for {OPENS}?"
    assert request["body"] == f"{ASKS} asks for it: {REASON}"
    assert local.sagemaker.status("approved", REGION) == "Stopped"
    assert answer(run, OPENS, "Approve").status_code == 403, "a viewer approves nothing"

    assert answer(run, APPROVES, "Approve").status_code == 200

    assert run.end() == "success"
    assert run.states() == {
        "approve": "success",
        "notebook_link": "success",
        "stop_if_failed": "skipped",
        "delivered": "success",
    }
    mail = mail_to(local, OPENS)
    assert REASON in mail.text
    assert urls_in(mail) == []
    (launch_url,) = set(re.findall(r"http://\S+/sagemaker-notebooks/\S+", mail.text))
    for name, status in ((OPENS, 200), (ASKS, 403), (APPROVES, 403), ("vera", 403)):
        page = httpx.get(launch_url, cookies={"_token": airflow.token(name)}, trust_env=False)
        assert page.status_code == status, name
        assert ("Open JupyterLab" in page.text) == (status == 200)
    assert local.sagemaker.requests_of("CreatePresignedNotebookInstanceUrl", "approved") == []


def test_a_notebook_that_was_rejected_is_not_started(ask: Ask, local: LocalServices) -> None:
    run = ask("not-approved", OPENS)

    assert answer(run, APPROVES, "Reject").status_code == 200

    assert run.end() == "success"
    assert run.states() == {
        "approve": "success",
        "notebook_link": "skipped",
        "stop_if_failed": "skipped",
        "delivered": "skipped",
    }
    assert local.sagemaker.requests_of("StartNotebookInstance", "not-approved") == []


@pytest.mark.parametrize(
    ("approver", "recipient"),
    [
        pytest.param(ASKS, "asked@example.com", id="who asked"),
        pytest.param("grace@example.org", "grace@example.org", id="whom it is for"),
    ],
)
def test_an_approval_of_ones_own_request_starts_nothing_and_says_so(
    ask: Ask, local: LocalServices, approver: str, recipient: str
) -> None:
    run = ask("not-approved", recipient)

    said = {"notebook_instance_name": "not-approved", "recipient": "somebody.else@example.com", "reason": REASON}
    assert answer(run, approver, "Approve", **said).status_code == 200

    assert run.end() == "failed"
    assert run.states() == {
        "approve": "failed",
        "notebook_link": "upstream_failed",
        "stop_if_failed": "skipped",
        "delivered": "upstream_failed",
    }
    (mail,) = mails_to(local, recipient)
    assert f"{approver} cannot approve this: they requested it" in mail.text
    assert "have another person approve" in mail.text
    assert local.sagemaker.requests_of("StartNotebookInstance", "not-approved") == []
