"""What a person does: from the mail to the notebook, and through the form of the DAG."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run
from tests.helpers.messages import mail_to, url_in
from tests.helpers.system_settings import MARKER, REGION

pytestmark = pytest.mark.browser


def test_the_button_in_the_mail_opens_jupyterlab(page: Any, runs: dict[str, Run], local: LocalServices) -> None:
    runs["on demand"].end()
    mail = mail_to(local, "mary@example.com")
    page.goto(local.inbox_url)
    frame = page.frame_locator(f"#message-{mail.id} iframe")
    with page.expect_popup() as popup:
        frame.get_by_role("link", name="Open the notebook").first.click()
    lab = popup.value
    lab.get_by_role("region", name="File Browser Section").wait_for()
    lab.locator(".jp-DirListing-item").first.wait_for()
    assert lab.url.startswith(f"{local.notebook_url(MARKER, REGION)}/lab")
    assert "authToken" not in lab.url


def test_a_link_that_was_altered_is_refused_in_words(page: Any, runs: dict[str, Run], local: LocalServices) -> None:
    runs["on demand"].end()
    url = url_in(mail_to(local, "mary@example.com"))
    token = url.split("authToken=")[1].split("&")[0]
    altered = token[:-10] + ("A" if token[-10] != "A" else "B") + token[-9:]
    answer = page.goto(url.replace(token, altered))
    assert answer.status == 403
    page.get_by_text("This link was not made by this local SageMaker, or it was altered.").wait_for()


@pytest.fixture
def form(page: Any, airflow: AirflowStandalone, runs: dict[str, Run]) -> Any:
    """The form of the DAG on demand, for a user who has just logged in."""
    page.goto(f"{airflow.url}/dags/notebook_on_demand")
    page.locator("input[name=username]").fill(airflow.username)
    page.locator("input[name=password]").fill(airflow.password)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("spinbutton").wait_for()
    return dialog


def runs_so_far(api: httpx.Client) -> int:
    total: int = api.get("/api/v2/dags/notebook_on_demand/dagRuns").raise_for_status().json()["total_entries"]
    return total


@pytest.mark.parametrize(("typed", "refusal"), [("13", "13 is greater than the maximum of 12"), ("0.1", "0.1 is less")])
def test_the_form_refuses_a_session_that_aws_would_refuse(
    form: Any, api: httpx.Client, typed: str, refusal: str
) -> None:
    from playwright.sync_api import expect

    before = runs_so_far(api)
    hours = form.get_by_role("spinbutton")
    expect(hours).to_have_value("8")
    assert "half an hour to 12 hours" in form.inner_text()
    hours.fill("")
    hours.press_sequentially(typed, delay=100)  # As a person types: the field follows each key.
    hours.press("Tab")
    form.get_by_role("button", name="Trigger", exact=True).last.click()
    form.get_by_text(f"Invalid input for param session_hours: {refusal}").wait_for()
    assert runs_so_far(api) == before


def test_the_form_refuses_a_name_that_no_notebook_can_have(form: Any, api: httpx.Client) -> None:
    before = runs_so_far(api)
    form.locator("#element_notebook_instance_name").fill("my_notebook")
    form.get_by_role("button", name="Trigger", exact=True).last.click()
    form.get_by_text("Invalid input for param notebook_instance_name: 'my_notebook' does not match").wait_for()
    assert runs_so_far(api) == before
