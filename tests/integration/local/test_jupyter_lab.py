"""The presigned URLs of the served SageMaker lead into a real JupyterLab."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from http.cookiejar import CookieJar
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import requests

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.jupyter.process import JupyterProcess
from tests.helpers.local_client import sagemaker_client


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
    client = sagemaker_client(local.endpoint_url)
    answer = client.create_presigned_notebook_instance_url(
        NotebookInstanceName="research", SessionExpirationDurationInSeconds=seconds
    )
    return str(answer["AuthorizedUrl"])


def log_of(local: LocalServices) -> str:
    assert local.jupyter is not None
    return local.jupyter.log.read_text()


def test_a_link_leads_into_jupyterlab_and_leaves_the_address(local: LocalServices, url: str) -> None:
    address = local.notebook_url("research")
    assert url.startswith(f"{address}/?authToken=")
    browser = requests.Session()
    page = browser.get(url)
    assert [step.status_code for step in page.history] == [302]
    assert (page.status_code, page.url) == (200, f"{address}/lab")
    assert browser.get(f"{address}/api/status").status_code == 200
    assert browser.get(f"{address}/api/me").json()["identity"]["display_name"] == "research"
    welcome = browser.get(f"{address}/api/contents/welcome.ipynb").json()
    assert "Welcome" in welcome["content"]["cells"][0]["source"]


def test_the_session_cookie_is_for_this_port_for_no_script_and_ends_with_the_session(
    local: LocalServices, url: str
) -> None:
    answer = requests.get(url, allow_redirects=False)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    jar: CookieJar = answer.cookies
    (cookie,) = jar
    assert cookie.name == f"local-sagemaker-{(local.notebook_url('research') or '').rpartition(':')[2]}"
    assert len(answer.headers["Set-Cookie"]) < 600
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert cookie.expires is not None
    assert 1790 < cookie.expires - local.clock.now().timestamp() <= 1800


@pytest.mark.parametrize(("view", "landing"), [("lab", ("/lab",)), ("classic", ("/tree", "/doc"))])
def test_the_landing_page_is_the_one_asked_for(view: str, landing: tuple[str, ...], url: str) -> None:
    page = requests.Session().get(f"{url}&view={view}")
    assert page.status_code == 200
    assert page.url.endswith(landing)


def test_a_link_that_was_only_previewed_still_opens(url: str) -> None:
    requests.head(url, allow_redirects=False)
    requests.get(url, allow_redirects=False)
    assert requests.Session().get(url).status_code == 200


def test_an_altered_link_is_refused_in_words(url: str) -> None:
    middle = len(url) - 20
    altered = url[:middle] + ("A" if url[middle] != "A" else "B") + url[middle + 1 :]
    answer = requests.get(altered)
    assert answer.status_code == 403
    assert "was altered" in answer.text
    assert "Ask for a new link" in answer.text


def test_an_expired_link_is_refused_in_words_while_its_session_goes_on(local: LocalServices, url: str) -> None:
    browser = requests.Session()
    browser.get(url)
    local.clock.advance(301)
    answer = requests.get(url)
    assert answer.status_code == 403
    assert "works for five minutes" in answer.text
    assert "Ask for a new link" in answer.text
    assert browser.get(f"{local.notebook_url('research')}/api/status").status_code == 200


def test_advancing_the_clock_expires_older_links_at_once(local: LocalServices) -> None:
    for _ in range(60):
        url = mint(local)
        local.clock.advance(301)
        assert requests.get(url, allow_redirects=False).status_code == 403


def test_the_session_ends_when_it_was_to_end(local: LocalServices, url: str) -> None:
    browser = requests.Session()
    browser.get(url)
    # The browser keeps the cookie here, as one with a wrong clock would: the server has to refuse it.
    kept = {cookie.name: cookie.value or "" for cookie in browser.cookies if cookie.name.startswith("local-")}
    local.clock.advance(timedelta(seconds=1801))
    answer = requests.get(f"{local.notebook_url('research')}/lab", cookies=kept)
    assert answer.status_code == 403
    assert "Your session has ended" in answer.text
    assert requests.get(f"{local.notebook_url('research')}/api/status", cookies=kept).status_code == 403


@pytest.mark.parametrize("path", ["/", "/lab", "/api/status", "/api/contents", "/login", "/?token=x"])
def test_a_notebook_does_not_open_without_a_link(path: str, local: LocalServices) -> None:
    answer = requests.get(f"{local.notebook_url('research')}{path}")
    assert answer.status_code in (403, 404)
    assert "welcome.ipynb" not in answer.text


def test_the_token_is_in_no_log_of_jupyter_even_at_debug(local: LocalServices) -> None:
    url = mint(local)
    token = url.partition("authToken=")[2]
    browser = requests.Session()
    for address in (url, f"{url}x", url.replace("authToken", "%61uth%54oken")):
        browser.get(address)
        browser.get(f"{local.notebook_url('research')}/nowhere", headers={"Referer": address})
        requests.post(address)
    log = log_of(local)
    assert "[D " in log  # It does log at DEBUG.
    assert "/nowhere" in log
    for start in (0, 1740, 3480):
        assert token[start : start + 20] not in log


def test_a_malformed_request_is_rejected_without_side_effects(local: LocalServices, url: str) -> None:
    port = int((local.notebook_url("research") or "").rpartition(":")[2])
    heads = (b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
    for head in heads:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head)
            assert connection.recv(100).startswith(b"HTTP/1.1 400 "), head[:30]
    assert requests.Session().get(url).status_code == 200


def test_a_foreign_name_for_this_machine_leads_nowhere(url: str) -> None:
    answer = requests.get(url, headers={"Host": "evil.example"}, allow_redirects=False)
    assert (answer.status_code, answer.cookies.get_dict()) == (403, {})


def test_the_signing_key_is_neither_on_a_command_line_nor_in_an_environment(local: LocalServices) -> None:
    assert local.jupyter is not None
    if not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    key = local.sagemaker.signing_key.hex().encode()
    for pid in local.jupyter.pids:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            assert key not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert key not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_jupyterlab_knows_nothing_of_the_persons_own_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("AIRFLOW_CONN_SLACK", "mine")
    environment = JupyterProcess(tmp_path, tmp_path / "socket", tmp_path / "log")._environment()
    assert "mine" not in environment.values()
    assert os.environ["PATH"] == environment["PATH"]
