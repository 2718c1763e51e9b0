"""The presigned URLs of the served SageMaker lead into a real JupyterLab."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from http.cookiejar import CookieJar
from pathlib import Path

import boto3
import pytest
import requests

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.jupyter.process import JupyterProcess


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServices]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JupyterProcess, "log_level", "DEBUG")
        with LocalServices(folder=tmp_path_factory.mktemp("local")) as services:
            services.sagemaker.set_status("research", "InService")
            yield services


@pytest.fixture
def url(local: LocalServices) -> str:
    return mint(local)


def mint(local: LocalServices, seconds: int = 1800) -> str:
    client = boto3.client(
        "sagemaker",
        endpoint_url=local.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    answer = client.create_presigned_notebook_instance_url(
        NotebookInstanceName="research", SessionExpirationDurationInSeconds=seconds
    )
    return str(answer["AuthorizedUrl"])


def log_of(local: LocalServices) -> str:
    assert local.jupyter is not None
    return local.jupyter.log.read_text()


def test_a_link_leads_into_jupyterlab_and_leaves_the_address(local: LocalServices, url: str) -> None:
    assert url.startswith(f"{local.jupyter_url}/?authToken=")
    browser = requests.Session()
    page = browser.get(url)
    assert [step.status_code for step in page.history] == [302]
    assert (page.status_code, page.url) == (200, f"{local.jupyter_url}/lab")
    assert browser.get(f"{local.jupyter_url}/api/status").status_code == 200
    welcome = browser.get(f"{local.jupyter_url}/api/contents/welcome.ipynb").json()
    assert "You are in" in welcome["content"]["cells"][0]["source"]


def test_the_session_cookie_is_for_this_port_for_no_script_and_ends_with_the_session(
    local: LocalServices, url: str
) -> None:
    answer = requests.get(url, allow_redirects=False)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    jar: CookieJar = answer.cookies
    (cookie,) = jar
    assert cookie.name == f"local-sagemaker-{(local.jupyter_url or '').rpartition(':')[2]}"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert cookie.expires is not None
    assert 1790 < cookie.expires - local.clock.now().timestamp() <= 1800


@pytest.mark.parametrize(("view", "landing"), [("lab", ("/lab",)), ("classic", ("/tree", "/doc"))])
def test_the_landing_page_is_the_one_asked_for(view: str, landing: tuple[str, ...], url: str) -> None:
    page = requests.Session().get(f"{url}&view={view}")
    assert page.status_code == 200
    assert page.url.endswith(landing)


def test_a_link_that_is_only_looked_at_still_opens(url: str) -> None:
    requests.head(url, allow_redirects=False)
    requests.get(url, allow_redirects=False)
    assert requests.Session().get(url).status_code == 200


def test_an_altered_link_is_refused_in_words(url: str) -> None:
    middle = len(url) - 20
    altered = url[:middle] + ("A" if url[middle] != "A" else "B") + url[middle + 1 :]
    answer = requests.get(altered)
    assert answer.status_code == 403
    assert "altered on its way" in answer.text
    assert "Ask for a new link" in answer.text


def test_an_expired_link_is_refused_in_words_while_its_session_goes_on(local: LocalServices, url: str) -> None:
    browser = requests.Session()
    browser.get(url)
    local.clock.advance(301)
    answer = until_refused(requests.Session(), url)
    assert "works for five minutes" in answer.text
    assert "Ask for a new link" in answer.text
    assert browser.get(f"{local.jupyter_url}/api/status").status_code == 200


def test_the_session_ends_when_it_was_to_end(local: LocalServices, url: str) -> None:
    browser = requests.Session()
    browser.get(url)
    # The browser keeps the cookie here, as one with a wrong clock would: the server has to refuse it.
    kept = {cookie.name: cookie.value or "" for cookie in browser.cookies if cookie.name.startswith("local-")}
    local.clock.advance(timedelta(seconds=1801))
    answer = until_refused(requests.Session(), f"{local.jupyter_url}/lab", kept)
    assert "Your session has ended" in answer.text
    assert requests.get(f"{local.jupyter_url}/api/status", cookies=kept).status_code == 403


@pytest.mark.parametrize("path", ["/", "/lab", "/api/status", "/api/contents", "/login", "/?token=x"])
def test_nobody_gets_in_without_a_link(path: str, local: LocalServices) -> None:
    answer = requests.get(f"{local.jupyter_url}{path}")
    assert answer.status_code in (403, 404)
    assert "welcome.ipynb" not in answer.text


def test_the_token_is_in_no_log_of_jupyter_even_at_debug(local: LocalServices) -> None:
    url = mint(local)
    token = url.partition("authToken=")[2]
    browser = requests.Session()
    for address in (url, f"{url}x", url.replace("authToken", "%61uth%54oken")):
        browser.get(address)
        browser.get(f"{local.jupyter_url}/nowhere", headers={"Referer": address})
        requests.post(address)
    log = log_of(local)
    assert "[D " in log  # It does log at DEBUG.
    assert token not in log
    assert token.rpartition(".")[2] not in log


def test_the_signing_key_is_neither_on_the_command_line_nor_in_the_environment(local: LocalServices) -> None:
    assert local.jupyter is not None
    process = Path(f"/proc/{local.jupyter.pid}")
    if not process.exists():
        pytest.skip("there is no /proc here to look into")
    key = local.sagemaker.signing_key.hex().encode()
    assert key not in (process / "cmdline").read_bytes()
    assert key not in (process / "environ").read_bytes()


def test_jupyterlab_knows_nothing_of_the_persons_own_credentials(local: LocalServices) -> None:
    assert local.jupyter is not None
    names = local.jupyter._environment()
    assert not [name for name in names if name.startswith(("AWS_", "AIRFLOW__"))]
    assert os.environ["PATH"] == names["PATH"]


def until_refused(browser: requests.Session, url: str, cookies: dict[str, str] | None = None) -> requests.Response:
    # The other process hears of the turned clock over a pipe: a moment later.
    give_up = time.monotonic() + 5
    while True:
        answer = browser.get(url, cookies=cookies)
        if answer.status_code == 403:
            return answer
        assert time.monotonic() < give_up, answer.status_code
        browser = requests.Session()
        time.sleep(0.05)
