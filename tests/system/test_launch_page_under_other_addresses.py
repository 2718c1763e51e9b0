"""The launch page where Airflow is not on localhost: a host name on plain HTTP, and nginx, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.links import launch_path
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from airflow_sagemaker_presign.local.sagemaker_api import notebook_operations
from tests.helpers import chromium, nginx
from tests.helpers.airflow_api import Run
from tests.helpers.nginx import Nginx
from tests.helpers.ports import free_port
from tests.helpers.second_api_server import ApiServer
from tests.helpers.system_settings import REGION, USERS, Start

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1"),
]
NAME = "launch-elsewhere"
PREFIX = "/team/airflow"
ROLES = {**USERS, "admin": "admin"}
AS_LONG_AS_AWS_MAKES_THEM = 3900


@pytest.fixture(scope="module")
def run(start: Start, local: LocalServices) -> Run:
    local.sagemaker.set_status(NAME, "InService", region=REGION)
    run = start("elsewhere")
    assert run.end() == "success", run.states()
    return run


@pytest.fixture
def stopped(local: LocalServices, run: Run) -> None:
    local.sagemaker.set_status(NAME, "Stopped", region=REGION)


@pytest.fixture
def tab(browser: Any, request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    """A tab of a browser that trusts nginx's certificate; when the test fails, its picture is kept."""
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 900, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    failures = request.session.testsfailed
    yield page
    if request.session.testsfailed > failures:
        picture = folder / f"{request.node.name}.png"
        page.screenshot(path=picture)
        print(f"What the browser showed: {picture}")
    context.close()


@pytest.fixture(scope="module")
def by_name(airflow: AirflowStandalone, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Airflow on plain HTTP, where its base URL has a host name."""
    port = free_port()
    base_url = f"http://{chromium.HOST}:{port}"
    server = ApiServer(airflow, ROLES, base_url, port, tmp_path_factory.mktemp("by-name"))
    try:
        server.start()
        yield base_url
    finally:
        server.stop()


@pytest.fixture(scope="module")
def behind_nginx(airflow: AirflowStandalone, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Airflow behind nginx, with TLS, below a path."""
    if not nginx.is_wanted():
        pytest.skip("no nginx on this machine")
    port, upstream, folder = free_port(), free_port(), tmp_path_factory.mktemp("nginx")
    base_url = f"https://{chromium.HOST}:{port}{PREFIX}"
    server, proxy = ApiServer(airflow, ROLES, base_url, upstream, folder), Nginx(port, upstream, PREFIX, folder)
    try:
        proxy.start(chromium.HOST)
        server.start()
        yield server
    finally:
        server.stop()
        proxy.stop()


def come_to_the_page(tab: Any, airflow: AirflowStandalone, base_url: str, run: Run) -> None:
    """By the link, through Airflow's login, and back."""
    tab.goto(base_url + launch_path(run.dag_id, run.run_id, "notebook_link"))
    tab.locator("input[name=username]").fill(airflow.username)
    tab.locator("input[name=password]").fill(airflow.password)
    tab.keyboard.press("Enter")
    tab.get_by_role("heading", name=NAME).wait_for()
    assert tab.url.startswith(base_url + "/sagemaker-notebooks/elsewhere/")


def opens_jupyterlab(tab: Any, local: LocalServices, leave_from: str) -> None:
    """Check that JupyterLab opens, without the token in its address, and that it got no Referer of the launch page."""
    tab.get_by_role("region", name="File Browser Section").wait_for()
    assert "authToken" not in tab.url
    assert leave_from not in tab.evaluate("document.referrer")


def test_on_plain_http_under_a_name(
    stopped: None, tab: Any, by_name: str, airflow: AirflowStandalone, local: LocalServices, run: Run
) -> None:
    come_to_the_page(tab, airflow, by_name, run)
    header_texts: list[str] = []
    tab.on(
        "request",
        lambda request: header_texts.append(str(request.all_headers())) if "authToken" in request.url else None,
    )
    tab.get_by_role("button", name="Start and open").click()
    tab.get_by_text("opens here by itself").wait_for()
    opens_jupyterlab(tab, local, chromium.HOST)
    assert header_texts
    assert chromium.HOST not in "".join(header_texts)


def test_behind_nginx_while_airflow_starts_anew(
    stopped: None, tab: Any, behind_nginx: ApiServer, airflow: AirflowStandalone, local: LocalServices, run: Run
) -> None:
    come_to_the_page(tab, airflow, behind_nginx.base_url, run)
    tab.get_by_role("button", name="Start and open").click()
    tab.get_by_text("opens here by itself").wait_for()
    behind_nginx.stop()
    tab.get_by_text("Airflow does not respond. This page keeps trying.").wait_for()
    assert tab.get_by_role("heading", name=NAME).is_visible()
    behind_nginx.start()
    opens_jupyterlab(tab, local, chromium.HOST)
    tab.go_back()
    tab.get_by_role("button", name="Open JupyterLab").wait_for()


def test_behind_nginx_a_click_while_airflow_is_away_costs_nothing(
    tab: Any, behind_nginx: ApiServer, airflow: AirflowStandalone, local: LocalServices, run: Run
) -> None:
    local.sagemaker.set_status(NAME, "InService", region=REGION)
    come_to_the_page(tab, airflow, behind_nginx.base_url, run)
    button = tab.get_by_role("button", name="Open JupyterLab")
    button.wait_for()
    behind_nginx.stop()
    button.click()
    tab.get_by_text("Airflow does not respond. This page keeps trying.").wait_for()
    behind_nginx.start()
    button.click()
    opens_jupyterlab(tab, local, chromium.HOST)


@pytest.fixture
def long_urls(local: LocalServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the local SageMaker's URLs be as long as AWS makes them, and good all the same."""
    padding = "&padding=" + "x" * AS_LONG_AS_AWS_MAKES_THEM
    monkeypatch.setattr(notebook_operations, "urlencode", lambda query: urlencode(query) + padding)


def test_behind_nginx_a_url_as_long_as_aws_makes_it(
    tab: Any, long_urls: None, behind_nginx: ApiServer, airflow: AirflowStandalone, local: LocalServices, run: Run
) -> None:
    """nginx answers 502 to what has headers of more than 4,000 characters; ours has the URL in no header."""
    local.sagemaker.set_status(NAME, "InService", region=REGION)
    come_to_the_page(tab, airflow, behind_nginx.base_url, run)
    lengths: list[int] = []
    tab.on("request", lambda request: lengths.append(len(request.url)))
    tab.get_by_role("button", name="Open JupyterLab").click()
    opens_jupyterlab(tab, local, chromium.HOST)
    assert max(lengths) > AS_LONG_AS_AWS_MAKES_THEM
