"""Each notebook instance has its own JupyterLab, open while the session lasts and the notebook is InService."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import requests
import websocket

from airflow_sagemaker_presign.local import LocalServices
from tests.helpers.notebook_person import Person
from tests.helpers.until import until


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServices]:
    with LocalServices(
        folder=tmp_path_factory.mktemp("local"), notebooks=("research", "training"), start_seconds=60, stop_seconds=60
    ) as services:
        yield services


@pytest.fixture
def local(services: LocalServices) -> LocalServices:
    for name in ("research", "training"):
        services.sagemaker.set_status(name, "InService")
    return services


def is_closed(connection: Any) -> bool:
    """Whether the other side has closed it: everything that was on its way is read, and then there is an end."""
    try:
        while connection.recv():
            pass
    except (websocket.WebSocketConnectionClosedException, ConnectionError):
        return True
    except websocket.WebSocketTimeoutException:
        return False
    return True


def detached_process(tmp_path: Path, connection: Any) -> psutil.Process:
    """Start something in a terminal that would outlive it."""
    file = tmp_path / "pid"
    script = f"echo $$ > {file}.new; mv {file}.new {file}; exec sleep 600"
    connection.send(json.dumps(["stdin", f"setsid nohup sh -c '{script}' >/dev/null 2>&1 &\r"]))
    until(file.exists, timeout=20)
    return psutil.Process(int(file.read_text()))


def test_neither_link_nor_session_opens_a_notebook_that_is_not_in_service(local: LocalServices) -> None:
    person = Person(local)
    assert person.get("/lab").status_code == 200
    for status in ("Stopping", "Stopped", "Pending", "Failed", "Updating", "InMaintenance", "New"):
        local.sagemaker.set_status("research", status)
        for answer in (requests.get(person.url), person.get("/lab"), person.get("/api/kernels")):
            assert answer.status_code == 403
            assert f"is not running: its status is {status}" in answer.text
            assert "Ask for a new link" in answer.text
    local.sagemaker.set_status("research", "InService")
    assert person.get("/lab").status_code == 200


def test_a_deleted_notebook_opens_for_no_user_and_its_successor_not_for_earlier_users(
    local: LocalServices,
) -> None:
    local.sagemaker.create_notebook("short-lived", "InService")
    person = Person(local, "short-lived")
    local.sagemaker.set_status("short-lived", "Stopped")
    person.client.delete_notebook_instance(NotebookInstanceName="short-lived")
    local.clock.advance(60)
    for answer in (requests.get(person.url), person.get("/lab")):
        assert (answer.status_code, "was deleted" in answer.text) == (403, True)
    local.sagemaker.create_notebook("short-lived", "InService")
    for answer in (requests.get(person.url), person.get("/lab")):
        assert (answer.status_code, "was deleted" in answer.text) == (403, True)
    assert Person(local, "short-lived").get("/lab").status_code == 200


def test_a_websocket_ends_with_its_session_and_not_before(local: LocalServices) -> None:
    short, long = Person(local, seconds=1800), Person(local, seconds=3600)
    kernel = short.post("/api/kernels")["id"]
    connections = [person.connect(f"/api/kernels/{kernel}/channels") for person in (short, long)]
    local.clock.advance(1700)
    assert not is_closed_within_a_moment(connections[0])
    local.clock.advance(100)
    assert is_closed(connections[0])
    assert not is_closed_within_a_moment(connections[1])
    assert long.get(f"/api/kernels/{kernel}").status_code == 200
    connections[1].close()


def is_closed_within_a_moment(connection: Any) -> bool:
    connection.settimeout(0.3)
    closed = is_closed(connection)
    connection.settimeout(20)
    return closed


def test_a_session_ends_by_the_machines_time_as_well(local: LocalServices) -> None:
    person = Person(local)
    connection = person.in_terminal()
    local.clock.advance(1798)
    assert is_closed(connection)
    assert person.get("/lab").status_code == 403


@pytest.mark.parametrize("by", ["the API", "the control"])
def test_a_stop_closes_connections_and_ends_kernels_terminals_and_their_child_processes(
    by: str, local: LocalServices, tmp_path: Path
) -> None:
    person = Person(local)
    kernel = person.post("/api/kernels")["id"]
    connection = person.in_terminal()
    detached = detached_process(tmp_path, connection)
    if by == "the API":
        person.client.stop_notebook_instance(NotebookInstanceName="research")
    else:
        local.sagemaker.set_status("research", "Stopped")
    assert is_closed(connection)
    until(lambda: not detached.is_running(), timeout=20)
    assert person.get(f"/api/kernels/{kernel}").status_code == 403
    local.sagemaker.set_status("research", "InService")
    assert person.get("/api/kernels").json() == []
    assert person.get("/api/terminals").json() == []


def test_a_stop_and_start_between_two_requests_is_noticed_too(local: LocalServices) -> None:
    person = Person(local)
    connection = person.in_terminal()
    person.client.stop_notebook_instance(NotebookInstanceName="research")
    local.clock.advance(60)
    person.client.start_notebook_instance(NotebookInstanceName="research")
    local.clock.advance(60)
    assert is_closed(connection)
    assert person.get("/api/terminals").json() == []


def test_a_jupyterlab_that_ended_by_itself_is_started_anew(local: LocalServices) -> None:
    assert local.jupyter is not None
    Person(local, "research").get("/lab")  # It takes the one that waits, if that is still there.
    local.sagemaker.create_notebook("unstable", "InService")
    before = set(local.jupyter.pids)
    person = Person(local, "unstable")
    assert person.get("/lab").status_code == 200
    (pid,) = set(local.jupyter.pids) - before
    for process in psutil.Process(pid).children(recursive=True):
        process.kill()
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, timeout=20)
    assert person.get("/lab").status_code == 200


def test_files_outlive_a_stop(local: LocalServices) -> None:
    person = Person(local)
    body = {"type": "file", "format": "text", "content": "kept"}
    person.post("/api/contents")  # An untitled notebook.
    headers = {"X-XSRFToken": person.browser.cookies["_xsrf"]}
    person.browser.put(f"{person.address}/api/contents/kept.txt", json=body, headers=headers)
    local.sagemaker.set_status("research", "Stopped")
    local.sagemaker.set_status("research", "InService")
    assert person.get("/api/contents/kept.txt").json()["content"] == "kept"


def test_two_notebooks_share_neither_address_nor_session_nor_kernels_nor_files(local: LocalServices) -> None:
    one, other = Person(local, "research"), Person(local, "training")
    assert one.address != other.address
    kernel = one.post("/api/kernels")["id"]
    assert kernel not in other.get("/api/kernels").text
    one.post("/api/contents")
    assert [item["name"] for item in other.get("/api/contents").json()["content"]] == ["welcome.ipynb"]
    assert other.get("/api/me").json()["identity"]["username"] == "training"
    crossed = requests.get(one.url.replace(one.address, other.address))
    assert (crossed.status_code, "is for another notebook instance" in crossed.text) == (403, True)
    local.sagemaker.set_status("research", "Stopped")
    assert other.get("/lab").status_code == 200


def test_the_same_name_in_another_region_is_another_notebook(local: LocalServices) -> None:
    here = Person(local, "research")
    local.sagemaker.create_notebook("research-eu", "InService", region="eu-central-1")
    local.sagemaker.set_status("research", "InService", region="eu-central-1")
    there = Person(local, "research", region="eu-central-1")
    assert here.address != there.address
    local.sagemaker.set_status("research", "Stopped", region="eu-central-1")
    assert there.get("/lab").status_code == 403
    assert here.get("/lab").status_code == 200


def test_describe_returns_the_address_before_the_first_mint(local: LocalServices) -> None:
    client = Person(local, "research").client
    local.sagemaker.create_notebook("new", "InService")
    url = client.describe_notebook_instance(NotebookInstanceName="new")["Url"]
    assert Person(local, "new").address == f"http://{url}"


def test_looking_at_links_alone_starts_no_jupyterlab(local: LocalServices) -> None:
    assert local.jupyter is not None
    Person(local, "research").get("/lab")
    before = set(local.jupyter.pids)
    for number in range(5):
        local.sagemaker.create_notebook(f"many-{number}", "InService")
        Person(local, f"many-{number}")
    assert set(local.jupyter.pids) <= before


def test_a_whole_browsers_worth_of_requests_at_once_gets_through(local: LocalServices) -> None:
    from concurrent.futures import ThreadPoolExecutor

    local.sagemaker.create_notebook("busy", "InService")
    person = Person(local, "busy")  # Not opened yet: all of these wait for one start.
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: person.get("/api/contents/welcome.ipynb"), range(30)))
    assert {answer.status_code for answer in answers} == {200}
