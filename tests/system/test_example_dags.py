"""Every example DAG, run by a real Airflow; its links opened at a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from urllib.parse import quote

import httpx
import pytest

from airflow_sagemaker_presign.local import LocalServices
from tests.system.airflow_api import Run
from tests.system.conftest import MARKER, REGION
from tests.system.messages import Visit, mail_to, mails_to, slack_to, url_in, urls_in

CONSOLE_PAGE = f"https://{REGION}.console.aws.amazon.com/sagemaker/home?region={REGION}#/notebook-instances/{MARKER}"
DELIVERED = {"notebook_link": "success", "stop_if_failed": "skipped", "delivered": "success"}


def test_the_buttons_to_console_and_door_are_there_while_the_task_waits_and_afterwards(
    runs: dict[str, Run], links_while_waiting: dict[str, str | None]
) -> None:
    run = runs["on demand"]
    path = f"{run.dag_id}/{quote(run.run_id, safe='')}/notebook_link"
    buttons = {
        "SageMaker notebook instance": CONSOLE_PAGE,
        "Open notebook": f"{run.airflow.url}/sagemaker-notebooks/{path}",
    }
    assert links_while_waiting == buttons
    run.wait_for_task("success")
    assert run.links() == buttons


def test_a_link_on_demand_comes_by_mail_and_by_slack_and_each_opens_jupyterlab(
    runs: dict[str, Run], local: LocalServices
) -> None:
    assert runs["on demand"].end() == "success"
    assert runs["on demand"].states() == DELIVERED
    mail, (slack,) = mail_to(local, "mary@example.com"), slack_to(local, "mary@example.com")
    assert url_in(mail) != url_in(slack)
    for message in (mail, slack):
        visit = Visit(url_in(message))
        assert visit.arrived_at.endswith("/lab")
        assert "<title>JupyterLab</title>" in visit.page
        assert visit.whose() == MARKER


def test_the_receipt_says_how_fresh_each_link_arrived_and_holds_no_link(runs: dict[str, Run]) -> None:
    runs["on demand"].end()
    receipt = runs["on demand"].xcom()
    assert receipt["notebook_instance_name"] == MARKER
    assert receipt["session_expiration_duration"] == 2 * 3600
    assert [delivery["notifier"] for delivery in receipt["deliveries"]] == [
        "NotebookUrlSmtpNotifier to mary@example.com",
        "NotebookUrlSlackNotifier to mary@example.com",
    ]
    assert all(240 <= delivery["validity_left"] <= 300 for delivery in receipt["deliveries"])
    assert receipt.pop("door_url") == runs["on demand"].links()["Open notebook"]
    assert "http" not in str(receipt)
    assert "authToken" not in str(receipt)


def test_a_link_arrives_seconds_after_the_notebook_is_in_service(
    runs: dict[str, Run], local: LocalServices, record_property: Callable[[str, object], None]
) -> None:
    runs["on demand"].end()
    (in_service,) = (
        datetime.fromisoformat(str(notebook["LastModifiedTime"])).timestamp()
        for notebook in local.sagemaker.notebooks()
        if notebook["NotebookInstanceName"] == MARKER and REGION in notebook["NotebookInstanceArn"]
    )
    seconds = mail_to(local, "mary@example.com").arrived_at - in_service
    record_property("seconds from InService to the mail's arrival", round(seconds, 1))
    assert seconds > 0  # How few they are is a benchmark's to say: here the machine is full of tests.


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"session_hours": 13}, "13 is greater than the maximum of 12"),
        ({"session_hours": 0.4}, "0.4 is less than the minimum of 0.5"),
        ({"session_hours": "8h"}, "'8h' is not of type 'number'"),
        ({"notebook_instance_name": "my_notebook"}, "'my_notebook' does not match"),
        ({"notebook_instance_name": "x" * 64}, "is too long"),
        ({"recipient": "ada"}, "'ada' is not a 'idn-email'"),
    ],
)
def test_a_run_on_demand_with_a_wrong_param_is_refused_with_the_reason(
    runs: dict[str, Run], api: httpx.Client, params: dict[str, object], reason: str
) -> None:
    answer = api.post("/api/v2/dags/notebook_on_demand/dagRuns", json={"logical_date": None, "conf": params})
    assert answer.status_code == 400
    assert f"Invalid input for param {next(iter(params))}" in answer.json()["detail"]
    assert reason in answer.json()["detail"]


def test_no_capacity_is_said_in_plain_words_to_whom_the_link_was_for(
    runs: dict[str, Run], local: LocalServices
) -> None:
    run = runs["no capacity"]
    assert run.end() == "failed"
    assert run.states() == {"notebook_link": "failed", "stop_if_failed": "success", "delivered": "upstream_failed"}
    mail, (slack,) = mail_to(local, "no-capacity@example.com"), slack_to(local, "no-capacity@example.com")
    assert mail.subject == "No link to notebook no-capacity"
    for text in (mail.text, str(slack.blocks)):
        assert "Insufficient notebook instance capacity" in text
        assert "Try again later, or have the notebook instance changed to another instance type" in text
        assert "authToken" not in text
    assert run.links()["SageMaker notebook instance"] == CONSOLE_PAGE.replace(MARKER, "no-capacity")


def test_the_morning_comes_by_its_schedule_and_sends_the_link_to_a_person_and_not_to_the_channel(
    runs: dict[str, Run], local: LocalServices
) -> None:
    assert runs["morning"].end() == "success"
    assert runs["morning"].states() == DELIVERED
    (message,) = slack_to(local, "ada@example.com")
    assert slack_to(local, "#research") == []
    assert "(Europe/Berlin)" in message.text
    assert "11 hours from when you open it" in str(message.blocks)
    assert Visit(url_in(message)).whose() == "research"


def test_after_training_the_link_comes_with_the_job_and_its_model(runs: dict[str, Run], local: LocalServices) -> None:
    run = runs["trained"]
    assert run.end() == "success"
    assert run.states() == {"train": "success", **DELIVERED}
    job = run.xcom("train")["Training"]
    mail = mail_to(local, "trained@example.com")
    assert f"Training job {job['TrainingJobName']} is done." in mail.text
    assert f"Its model is at {job['ModelArtifacts']['S3ModelArtifacts']}" in mail.text
    assert job["ModelArtifacts"]["S3ModelArtifacts"].startswith("s3://my-models/churn/models")
    assert Visit(url_in(mail)).whose() == "research"


def test_after_a_training_that_failed_no_notebook_is_touched_and_the_mail_says_so(
    runs: dict[str, Run], local: LocalServices
) -> None:
    run = runs["training failed"]
    assert run.end() == "failed"
    assert run.states() == {
        "train": "failed",
        "notebook_link": "upstream_failed",
        "stop_if_failed": "skipped",
        "delivered": "upstream_failed",
    }
    mail = mail_to(local, "training-failed@example.com")
    assert mail.subject == "Task train failed"
    assert "open the task in Airflow" in mail.html
    assert urls_in(mail) == []


def test_each_of_a_team_gets_the_link_to_their_own_notebook_in_a_task_of_that_name(
    runs: dict[str, Run], local: LocalServices
) -> None:
    assert runs["team"].end() == "success"
    tasks = runs["team"].tasks()
    notebooks = ["research-ada", "research-grace", "research-katherine"]
    assert [tasks[f"notebook_link[{index}]"]["rendered_map_index"] for index in range(3)] == notebooks
    for notebook in notebooks:
        (mail,) = mails_to(local, f"{notebook.removeprefix('research-')}@example.com")
        assert Visit(url_in(mail)).whose() == notebook


def test_in_the_evening_the_notebook_is_stopped(evening: Run, local: LocalServices) -> None:
    assert evening.end() == "success"
    assert evening.xcom("stop") == "Stopped"
    assert local.sagemaker.status("research", REGION) == "Stopped"
