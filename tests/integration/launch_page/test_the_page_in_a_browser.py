"""The launch page refreshes itself, in a visible and in a hidden tab."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_sagemaker_presign.exceptions import SageMakerAccessDenied, SageMakerUnavailable
from tests.helpers.chromium import HOST

if TYPE_CHECKING:
    from tests.helpers.launch_page_server import Notebook

pytestmark = pytest.mark.browser


def shows(page: Any, headline: str) -> None:
    page.locator("#status .headline", has_text=headline).wait_for()


def pass_time(page: Any, seconds: int) -> None:
    """Let the page's timers go on, second by second; what they ask for is answered before the next one."""
    for _ in range(seconds):
        page.clock.run_for(1000)
        for _ in range(1000):
            if not asks(page):
                break
            page.wait_for_timeout(5)


def asks(page: Any) -> bool:
    """Whether the page waits for an answer; one that leaves for another page waits for none any more."""
    from playwright.sync_api import Error

    try:
        return bool(page.evaluate("window.inFlight"))
    except Error:
        return False


def until(condition: Callable[[], bool], page: Any) -> None:
    """Wait for something, while the page's time goes on."""
    for _ in range(100):
        if condition():
            return
        pass_time(page, 1)
        page.wait_for_timeout(50)
    raise AssertionError("That did not happen.")


def until_landed(page: Any, notebook: Notebook) -> None:
    until(lambda: page.url == notebook.landing_url, page)
    page.get_by_role("heading", name="JupyterLab").wait_for()


def start(page: Any, notebook: Notebook) -> None:
    page.goto(notebook.page_url)
    page.get_by_role("button", name="Start and open").click()
    shows(page, "Starting")


# -- "Start and open" ------------------------------------------------------------------------------------------------


def test_start_and_open_starts_and_opens(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    page.get_by_text("the notebook opens here by itself").wait_for()
    notebook.status = "InService"
    pass_time(page, 4)
    until_landed(page, notebook)
    assert notebook.clicks == ["start", "open"]


def test_back_from_the_notebook_does_not_lead_there_again(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    notebook.status = "InService"
    pass_time(page, 4)
    until_landed(page, notebook)
    page.go_back()
    page.get_by_role("button", name="Open JupyterLab").wait_for()
    pass_time(page, 60)
    assert notebook.clicks == ["start", "open"]


def test_a_page_in_the_background_changes_its_title_and_opens_nothing(page: Any, notebook: Notebook) -> None:
    from playwright.sync_api import expect

    start(page, notebook)
    page.evaluate("setUnseen(true)")
    refreshes = notebook.refreshes
    pass_time(page, 20)
    assert notebook.refreshes == refreshes, "a hidden tab polls less often"
    notebook.status = "InService"
    pass_time(page, 20)
    expect(page).to_have_title("Ready: notebook research")
    page.evaluate("setUnseen(false)")
    page.get_by_role("button", name="Open JupyterLab").wait_for()
    pass_time(page, 30)
    assert notebook.clicks == ["start"]
    page.get_by_role("button", name="Open JupyterLab").click()
    until_landed(page, notebook)


def test_a_user_who_returns_before_the_notebook_is_ready_is_redirected(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    page.evaluate("setUnseen(true)")
    pass_time(page, 40)
    page.evaluate("setUnseen(false)")
    notebook.status = "InService"
    pass_time(page, 4)
    until_landed(page, notebook)


def test_a_user_who_reloads_the_page_is_redirected(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    page.reload()
    page.get_by_text("the notebook opens here by itself").wait_for()
    notebook.status = "InService"
    pass_time(page, 4)
    until_landed(page, notebook)


def test_another_tab_that_follows_the_same_start_opens_nothing(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    page.evaluate("setUnseen(true)")
    other = page.context.new_page()
    other.goto(notebook.page_url)
    shows(other, "Starting")
    assert not other.get_by_text("opens here by itself").is_visible()
    notebook.status = "InService"
    pass_time(other, 4)
    other.get_by_role("button", name="Open JupyterLab").wait_for()
    assert notebook.clicks == ["start"]


def test_a_tab_that_was_duplicated_opens_once(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    wish = page.evaluate("Object.entries(sessionStorage)")
    copy = page.context.new_page()
    copy.add_init_script(f"for (const [key, value] of {wish!r}) sessionStorage.setItem(key, value)")
    copy.goto(notebook.page_url)
    copy.get_by_text("the notebook opens here by itself").wait_for()
    notebook.status = "InService"
    for tab in (page, copy):
        tab.get_by_role("heading", name="JupyterLab").or_(tab.get_by_role("button", name="Open JupyterLab")).wait_for()
    until(lambda: len(notebook.landings) == 1, page)
    pass_time(page, 10)
    pass_time(copy, 10)
    assert notebook.clicks == ["start", "open"]


def test_after_an_hour_it_waits_for_the_person(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    page.evaluate("setUnseen(true)")
    page.clock.fast_forward(3_601_000)
    page.evaluate("setUnseen(false)")
    notebook.status = "InService"
    pass_time(page, 4)
    page.get_by_role("button", name="Open JupyterLab").wait_for()
    pass_time(page, 20)
    assert notebook.clicks == ["start"]


def test_a_start_that_failed_is_no_reason_to_open_later(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    notebook.status, notebook.reason = "Failed", "Insufficient notebook instance capacity."
    pass_time(page, 4)
    shows(page, "The last start failed")
    # Somebody else had more luck.
    notebook.status = "InService"
    pass_time(page, 20)
    page.get_by_role("button", name="Open JupyterLab").wait_for()
    pass_time(page, 20)
    assert notebook.clicks == ["start"]


def test_a_start_that_failed_is_none_either_while_the_clock_is_set_back(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    # Set back by a minute: what was made just now is of a minute to come.
    page.evaluate(
        "for (const [key, made] of Object.entries(sessionStorage))"
        " sessionStorage.setItem(key, JSON.stringify({ ...JSON.parse(made), at: JSON.parse(made).at + 60_000 }))"
    )
    notebook.status, notebook.reason = "Failed", "Insufficient notebook instance capacity."
    pass_time(page, 4)
    shows(page, "The last start failed")
    notebook.status = "InService"
    pass_time(page, 70)
    until(page.get_by_role("button", name="Open JupyterLab").is_visible, page)
    assert notebook.clicks == ["start"]


def test_the_button_of_a_notebook_that_somebody_started_meanwhile_opens_it(page: Any, notebook: Notebook) -> None:
    page.goto(notebook.page_url)
    page.get_by_role("button", name="Start and open").wait_for()
    notebook.status = "InService"
    page.get_by_role("button", name="Start and open").click()
    until_landed(page, notebook)
    assert notebook.clicks == ["open"]


def test_the_button_of_a_notebook_that_stopped_meanwhile_starts_nothing(page: Any, notebook: Notebook) -> None:
    notebook.status = "InService"
    page.goto(notebook.page_url)
    page.get_by_role("button", name="Open JupyterLab").wait_for()
    notebook.status = "Stopped"
    page.get_by_role("button", name="Open JupyterLab").click()
    page.get_by_role("button", name="Start and open").wait_for()
    assert notebook.clicks == []


def test_an_open_page_of_another_notebook_becomes_that_of_the_new_one(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    notebook.name, notebook.status = "other", "InService"
    pass_time(page, 4)
    page.get_by_role("heading", name="other").wait_for()
    page.get_by_role("button", name="Open JupyterLab").wait_for()
    pass_time(page, 20)
    assert notebook.clicks == ["start"], "what was to open is another notebook"


# -- No response -----------------------------------------------------------------------------------------------------


def nginx(status: int) -> Any:
    from fastapi.responses import HTMLResponse

    from tests.helpers.launch_page_server import BAD_GATEWAY

    return HTMLResponse(BAD_GATEWAY.replace("502", str(status)), status)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 404, 429, 200])
def test_a_response_without_the_page_shows_offline_for_a_while(page: Any, notebook: Notebook, status: int) -> None:
    start(page, notebook)
    notebook.answer = nginx(status)
    pass_time(page, 4)
    page.get_by_text("Airflow does not respond. This page keeps trying.").wait_for()
    for _ in range(6):
        pass_time(page, 31)
    shows(page, "Starting")
    notebook.answer = None
    notebook.status = "InService"
    pass_time(page, 31)
    until_landed(page, notebook)


def test_a_fault_of_airflow_itself_passes_too(page: Any, notebook: Notebook) -> None:
    from airflow_sagemaker_presign.launch_page.http_errors import HttpError

    notebook.status = "Pending"
    page.goto(notebook.page_url)
    notebook.answer = HttpError(500, "Something went wrong", "The database is away.")
    pass_time(page, 4)
    page.get_by_text("Airflow does not respond. This page keeps trying.").wait_for()
    notebook.answer = None
    pass_time(page, 31)
    page.get_by_text("Airflow does not respond. This page keeps trying.").wait_for(state="hidden")


def test_the_page_backs_off_while_it_gets_no_response(page: Any, notebook: Notebook) -> None:
    start(page, notebook)
    notebook.answer = nginx(502)
    pass_time(page, 4)
    page.get_by_text("Airflow does not respond.").wait_for()
    before = notebook.refreshes
    for _ in range(60):
        pass_time(page, 1)
    assert 2 <= notebook.refreshes - before <= 5


@pytest.mark.parametrize("width", [320, 640])
def test_the_text_below_the_button_does_not_overlap_it(page: Any, notebook: Notebook, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(notebook.page_url)
    notebook.answer = nginx(502)
    page.get_by_role("button", name="Start and open").click()
    notice = page.get_by_text("Airflow does not respond.")
    notice.wait_for()
    button = page.get_by_role("button", name="Start and open").bounding_box()
    assert notice.bounding_box()["y"] - (button["y"] + button["height"]) >= 8


@pytest.mark.parametrize("action", ["Start and open", "Open JupyterLab"])
def test_a_click_without_a_response_keeps_the_page(page: Any, notebook: Notebook, action: str) -> None:
    notebook.status = "Stopped" if action.startswith("Start") else "InService"
    page.goto(notebook.page_url)
    page.get_by_role("button", name=action).wait_for()
    notebook.answer = nginx(502)
    page.get_by_role("button", name=action).click()
    page.get_by_text("Airflow does not respond.").wait_for()
    notebook.answer = None
    page.get_by_role("button", name=action).click()
    shows(page, "Starting") if action.startswith("Start") else until_landed(page, notebook)
    assert len(notebook.clicks) == 1


def test_a_link_that_ends_while_the_page_is_open_says_so(page: Any, notebook: Notebook) -> None:
    from airflow_sagemaker_presign.launch_page.http_errors import HttpError

    start(page, notebook)
    notebook.answer = HttpError(410, "This link has expired", "It was open for 1 hour.")
    pass_time(page, 4)
    page.get_by_role("heading", name="This link has expired").wait_for()
    assert "Signed in as ada" in page.inner_text("header")


def test_a_user_signed_out_meanwhile_is_redirected_to_the_login(page: Any, notebook: Notebook) -> None:
    from starlette.exceptions import HTTPException

    start(page, notebook)
    notebook.answer = HTTPException(401)
    pass_time(page, 4)
    page.get_by_role("heading", name="Airflow: login").wait_for()
    assert "next=%2Fsagemaker-notebooks%2Fmornings%2Fmanual__1%2Fnotebook_link" in page.url


def test_a_new_version_of_the_page_replaces_the_old_one(
    page: Any, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_sagemaker_presign.launch_page import templating

    notebook.status = "InService"
    page.goto(notebook.page_url)
    page.evaluate("window.isOld = true")
    monkeypatch.setattr(templating, "_frame", lambda values: "newer")
    with page.expect_event("load"):
        pass_time(page, 16)
    assert page.evaluate("window.isOld") is None
    page.get_by_role("button", name="Open JupyterLab").wait_for()


# -- AWS refuses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Stopped", "InService"])
def test_an_error_message_stays_until_the_state_changes(page: Any, notebook: Notebook, status: str) -> None:
    notebook.status = status
    notebook.http_error = SageMakerAccessDenied("research", "AWS refused to do it: AccessDeniedException: no.")
    page.goto(notebook.page_url)
    page.get_by_role("main").get_by_role("button").click()
    refused = page.get_by_text("AccessDeniedException")
    refused.wait_for()
    refreshes = notebook.refreshes
    for _ in range(4):
        pass_time(page, 16)
    assert notebook.refreshes > refreshes
    assert refused.is_visible()
    notebook.status = "Pending"
    pass_time(page, 16)
    shows(page, "Starting")
    assert not refused.is_visible()
    assert not page.get_by_text("opens here by itself").is_visible(), "a rejected start is not shown as starting"


def test_the_button_works_after_a_first_request_to_aws_without_a_response(page: Any, notebook: Notebook) -> None:
    notebook.status, notebook.error = "InService", SageMakerUnavailable("research", "AWS could not describe it.")
    page.goto(notebook.page_url)
    shows(page, "AWS is not responding right now")
    notebook.error = None
    pass_time(page, 16)
    page.get_by_role("button", name="Open JupyterLab").click()
    until_landed(page, notebook)


def test_too_many_links_count_down_and_offer_the_button_again(page: Any, notebook: Notebook) -> None:
    from airflow_sagemaker_presign.launch_page.http_errors import HttpError

    notebook.status, notebook.http_error = (
        "InService",
        HttpError(429, "Too many requests", "Six times.", retry_after=37),
    )
    page.goto(notebook.page_url)
    page.get_by_role("button", name="Open JupyterLab").click()
    page.get_by_text("You can continue in 37 s").wait_for()
    pass_time(page, 7)
    page.get_by_text("You can continue in 30 s").wait_for()
    notebook.http_error, notebook.answer = None, nginx(502)
    pass_time(page, 31)
    page.get_by_text("You can continue in 0 s").wait_for()
    notebook.answer = None
    pass_time(page, 6)
    page.get_by_role("button", name="Open JupyterLab").click()
    until_landed(page, notebook)
    assert notebook.clicks == ["open", "open"]


# -- Addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_base_url", [True, False], ids=["the base URL", "another name than the base URL"])
def test_the_button_works_on_plain_http_under_a_name(page: Any, notebook: Notebook, is_base_url: bool) -> None:
    by_name = notebook.page_url.replace("127.0.0.1", HOST)
    if is_base_url:
        notebook.base_url = notebook.base_url.replace("127.0.0.1", HOST)
    page.goto(by_name)
    page.get_by_role("button", name="Start and open").click()
    shows(page, "Starting")
    notebook.status = "InService"
    pass_time(page, 4)
    until_landed(page, notebook)
    (headers,) = notebook.landings
    assert "referer" not in headers
    assert "origin" not in headers
    assert HOST not in str(headers)


def test_no_other_site_presses_the_button_under_a_name(page: Any, notebook: Notebook) -> None:
    notebook.status = "InService"
    by_name = notebook.page_url.replace("127.0.0.1", HOST)
    notebook.base_url = notebook.base_url.replace("127.0.0.1", HOST)
    page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body="<p>evil</p>"))
    page.goto("http://evil.example/")
    page.set_content(
        f'<form method="post" action="{by_name}"><input name="token" value="{notebook.token}">'
        '<button name="action" value="open">A prize</button></form>'
    )
    page.get_by_role("button", name="A prize").click()
    page.get_by_role("heading", name="The request came from another page").wait_for()
    assert notebook.clicks == []


# -- Without a script ------------------------------------------------------------------------------------------------


def test_without_its_script_the_page_works_too(browser: Any, notebook: Notebook) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(notebook.page_url)
    page.get_by_role("button", name="Start and open").click()
    shows(page, "Starting")
    notebook.status = "InService"
    page.get_by_role("button", name="Open JupyterLab").click()  # It refreshes by itself.
    # Nothing turns a page's time here: where no script runs, the browser's own clock refreshes the page.
    page.wait_for_url(notebook.landing_url)
    page.get_by_role("heading", name="JupyterLab").wait_for()
    context.close()


def test_a_notebook_is_kept_running_by_a_press_and_by_nothing_else(page: Any, notebook: Notebook) -> None:
    from airflow_sagemaker_presign.launch_page.rendered_task import Watch

    notebook.status, notebook.watch = "InService", Watch(timedelta(hours=1), at_latest=None)
    page.goto(notebook.page_url)
    shows(page, "Airflow stops it when it is idle")
    until(lambda: notebook.refreshes > 2, page)
    assert notebook.clicks == []
    page.get_by_role("button", name="Keep it running").click()
    page.get_by_text("Kept at").wait_for()
    shows(page, "Airflow stops it when it is idle")
    assert notebook.clicks == ["keep"]
    assert page.get_by_text("Session lasts").count() == 0
    notebook.status = "Stopped"
    until(lambda: page.get_by_role("button").count() == 0, page)
    assert (notebook.clicks, notebook.landings) == (["keep"], [])
