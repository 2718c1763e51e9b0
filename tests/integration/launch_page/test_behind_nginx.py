"""How a URL as long as AWS makes them gets through nginx with its usual settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from tests.helpers import nginx

if not HAS_LAUNCH_PAGE:
    pytest.skip("there is no launch page before Airflow 3.1.1", allow_module_level=True)

from tests.helpers.launch_page_server import PATH, Notebook, page_app, served
from tests.helpers.ports import free_port

HEADERS = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def notebook() -> Notebook:
    notebook = Notebook()
    notebook.status = "InService"
    notebook.landing_url = "https://research.notebook.eu-central-1.sagemaker.aws?authToken="
    return notebook


@pytest.fixture
def proxy(notebook: Notebook, tmp_path: Path) -> Iterator[httpx.Client]:
    if not nginx.is_wanted():
        pytest.skip("no nginx on this machine")
    port = free_port()
    with served(page_app(notebook)) as upstream:
        proxy = nginx.Nginx(port, upstream, "", tmp_path)
        try:
            proxy.start("localhost")
            with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=False, trust_env=False) as client:
                yield client
        finally:
            proxy.stop()


def click(client: httpx.Client, notebook: Notebook, query: str = "") -> httpx.Response:
    return client.post(PATH + query, data={"action": "open", "token": notebook.token}, headers=HEADERS)


@pytest.mark.parametrize("length", [2800, 3900, 8000])
def test_the_form_of_the_page_gets_through_whatever_the_length(
    proxy: httpx.Client, notebook: Notebook, length: int
) -> None:
    notebook.landing_url += "x" * length
    page = proxy.get(PATH)
    assert f'action="{PATH}?by=page"' in page.text
    answer = click(proxy, notebook, "?by=page")
    assert answer.status_code == 200
    assert f'content="0; url={notebook.landing_url}"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_location_gets_through_while_it_is_short(proxy: httpx.Client, notebook: Notebook) -> None:
    """What a client has to be ready for that is no page: see proxy_buffer_size in docs/launch-page.md."""
    notebook.landing_url += "x" * 2800
    assert click(proxy, notebook).headers["Location"] == notebook.landing_url
    notebook.landing_url += "x" * 1100
    assert click(proxy, notebook).status_code == 502
