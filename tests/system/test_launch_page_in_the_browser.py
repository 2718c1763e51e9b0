"""What a person does who reads the mail after lunch: from the mail through Airflow's login to the notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run
from tests.helpers.messages import mail_to
from tests.helpers.system_settings import REGION, Start

pytestmark = pytest.mark.browser
NAME = "launch-in-the-browser"


@pytest.fixture(scope="module")
def run(start: Start, local: LocalServices) -> Run:
    local.inbox.slack.clear()  # It takes messages again, whichever tests ran before.
    run = start("notebook_on_demand", notebook_instance_name=NAME, recipient="lunch@example.com", session_hours=2)
    assert run.end() == "success"
    return run


@pytest.fixture
def launch_page(page: Any, run: Run, local: LocalServices, airflow: AirflowStandalone) -> Any:
    """The launch page of a run on demand, by the link in its mail, after the login."""
    page.goto(local.inbox_url)
    frame = page.frame_locator(f"#message-{mail_to(local, 'lunch@example.com').id} iframe")
    with page.expect_popup() as popup:
        frame.get_by_role("link", name="open the notebook through Airflow").click()
    launch_page = popup.value
    launch_page.set_default_timeout(60_000)
    log_in(launch_page, airflow)
    launch_page.get_by_role("heading", name=NAME).wait_for()
    return launch_page


@pytest.fixture
def stopped(local: LocalServices, run: Run) -> Iterator[None]:
    """The notebook was stopped since the mail; it runs again after the test."""
    local.sagemaker.set_status(NAME, "Stopped", region=REGION)
    yield
    local.sagemaker.set_status(NAME, "InService", region=REGION)


def log_in(page: Any, airflow: AirflowStandalone) -> None:
    page.locator("input[name=username]").fill(airflow.username)
    page.locator("input[name=password]").fill(airflow.password)
    page.keyboard.press("Enter")


def opens_jupyterlab(page: Any, local: LocalServices) -> None:
    page.wait_for_url(f"{local.notebook_url(NAME, REGION)}/lab**")
    page.get_by_role("region", name="File Browser Section").wait_for()
    assert "authToken" not in page.url


def test_from_the_mail_to_jupyterlab(launch_page: Any, local: LocalServices, airflow: AirflowStandalone) -> None:
    assert launch_page.url.startswith(f"{airflow.url}/sagemaker-notebooks/notebook_on_demand/")
    for said in ("Signed in as admin", REGION, "ml.t3.medium", "InService", "2 hours from when you open it"):
        launch_page.get_by_text(said).wait_for()
    for landmark in ("banner", "main", "status"):
        launch_page.get_by_role(landmark).wait_for()
    # By keyboard alone.
    button = launch_page.get_by_role("button", name="Open JupyterLab")
    for _ in range(5):
        launch_page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    assert button.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    launch_page.keyboard.press("Enter")
    opens_jupyterlab(launch_page, local)
    launch_page.go_back()
    launch_page.get_by_role("button", name="Open JupyterLab").wait_for()


def test_from_stopped_in_two_tabs(stopped: None, launch_page: Any, local: LocalServices) -> None:
    other = launch_page.context.new_page()
    other.goto(launch_page.url)
    launch_page.get_by_role("button", name="Start and open").click()
    launch_page.get_by_role("status").get_by_text("Starting").wait_for()
    launch_page.reload()
    # A laptop that was closed meanwhile.
    launch_page.context.set_offline(True)
    launch_page.get_by_text("This page keeps trying.").wait_for()
    launch_page.context.set_offline(False)
    # Here it was started, so here it opens by itself.
    opens_jupyterlab(launch_page, local)
    button = other.get_by_role("button", name="Open JupyterLab")
    button.wait_for()
    assert other.title() == f"Ready: notebook {NAME}"
    starts = local.sagemaker.requests_of("StartNotebookInstance", NAME)
    assert len(starts) == 2, "one by the task, one through the launch page"
    button.click()
    opens_jupyterlab(other, local)


def test_a_start_that_fails_says_why(stopped: None, launch_page: Any, local: LocalServices) -> None:
    local.sagemaker.faults.on_start(NAME, "no-capacity", times=1)
    launch_page.get_by_role("button", name="Start and open").click()
    launch_page.get_by_text("Insufficient notebook instance capacity").wait_for()
    launch_page.get_by_text("another instance type").wait_for()
    launch_page.get_by_role("button", name="Start again and open").wait_for()


def test_from_the_task_in_airflow(launch_page: Any, run: Run, airflow: AirflowStandalone) -> None:
    launch_page.goto(
        f"{airflow.url}/dags/{run.dag_id}/runs/{run.run_id.replace('+', '%2B')}/tasks/notebook_link/details"
    )
    link = launch_page.get_by_role("link", name="Open notebook")
    assert "/sagemaker-notebooks/notebook_on_demand/" in link.get_attribute("href")


def test_signed_out_meanwhile(launch_page: Any) -> None:
    launch_page.context.clear_cookies()
    launch_page.evaluate("dispatchEvent(new Event('online'))")
    launch_page.wait_for_url("**/login**")
