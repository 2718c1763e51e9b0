"""Kernels and terminals on demand: a notebook instance is busy although nobody is connected, and idle again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import requests

from airflow_sagemaker_presign.local import LocalServices
from tests.helpers.local_client import sagemaker_client
from tests.helpers.notebook_person import Person
from tests.helpers.until import until

NAMES = ("research", "training")
"""Those that are InService."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServices]:
    folder = tmp_path_factory.mktemp("local")
    with LocalServices(folder=folder, notebooks=(*NAMES, "resting"), stop_seconds=0) as services:
        for name in NAMES:
            services.sagemaker.set_status(name, "InService")
        yield services


@pytest.fixture
def local(services: LocalServices) -> LocalServices:
    for name in NAMES:
        services.sagemaker.set_status(name, "InService")
        services.make_idle(name)
    return services


def kernels_of(local: LocalServices, name: str = "research") -> list[tuple[str, int]]:
    """The kernels as a client with a presigned URL sees them: their states and connections."""
    rows = Person(local, name).get("/api/kernels?no_track_activity=1").json()
    return [(row["execution_state"], row["connections"]) for row in rows]


def processes(local: LocalServices, word: str) -> list[psutil.Process]:
    """The processes below the JupyterLabs with a word, such as a kernel's id, on their command line."""
    assert local.jupyter is not None
    below = [child for pid in local.jupyter.pids for child in psutil.Process(pid).children(recursive=True)]
    return [process for process in below if any(word in part for part in command_line(process))]


def command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:  # It has ended, and perhaps nobody has asked how.
        return []


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or bool(process.status() == psutil.STATUS_ZOMBIE)


def test_a_busy_kernel_is_reported_busy_with_nobody_connected(local: LocalServices) -> None:
    running = local.make_busy("research")
    assert [(row["execution_state"], row["connections"]) for row in running["kernels"]] == [("busy", 0)]
    assert kernels_of(local) == [("busy", 0)]


def test_a_kernel_is_busy_for_as_long_as_asked(local: LocalServices) -> None:
    local.make_busy("research", seconds=0.5)
    until(lambda: kernels_of(local) == [("idle", 0)], "the cell has ended", timeout=20)


def test_a_kernel_that_nobody_connects_to_stays_starting_however_often_it_is_looked_at(local: LocalServices) -> None:
    (kernel,) = local.make_busy("research", "unconnected-kernel")["kernels"]
    until(lambda: processes(local, kernel["id"]), "the kernel's process")
    for _ in range(5):
        assert kernels_of(local) == [("starting", 0)]


def test_a_terminal_that_prints_is_active_again_and_again(local: LocalServices) -> None:
    (terminal,) = local.make_busy("research", "printing-terminal")["terminals"]
    person = Person(local)
    seen = {terminal["last_activity"]}

    def goes_on() -> bool:
        seen.add(person.get("/api/terminals?no_track_activity=1").json()[0]["last_activity"])
        return len(seen) > 3

    until(goes_on, "more output", timeout=20)


def test_a_silent_terminal_runs_its_command_until_it_is_ended(local: LocalServices) -> None:
    assert len(local.make_busy("research", "silent-terminal", seconds=3607)["terminals"]) == 1
    until(lambda: processes(local, "3607"), "the command", timeout=20)
    (command,) = processes(local, "3607")
    local.make_idle("research")
    until(lambda: has_ended(command), "the command's end", timeout=20)
    assert Person(local).get("/api/terminals").json() == []


def test_of_two_notebooks_only_the_named_one_is_busy_and_only_the_named_one_becomes_idle(local: LocalServices) -> None:
    local.make_busy("research")
    assert kernels_of(local, "training") == []
    local.make_busy("training")
    assert local.make_idle("research") == {"kernels": [], "terminals": []}
    assert kernels_of(local, "research") == []
    assert kernels_of(local, "training") == [("busy", 0)]


def test_an_open_session_of_one_notebook_does_not_reach_the_kernels_of_another(local: LocalServices) -> None:
    (kernel,) = local.make_busy("training")["kernels"]
    person = Person(local, "research")
    assert person.get(f"/api/kernels/{kernel['id']}").status_code == 404
    other = local.notebook_url("training")
    assert person.browser.get(f"{other}/api/kernels").status_code == 403
    port = person.address.rpartition(":")[2]
    stolen = {f"local-sagemaker-{(other or '').rpartition(':')[2]}": person.browser.cookies[f"local-sagemaker-{port}"]}
    assert requests.get(f"{other}/api/kernels", cookies=stolen).status_code == 403


def test_a_busy_kernels_process_ends_with_a_stop_and_the_other_notebooks_does_not(local: LocalServices) -> None:
    (ends,) = local.make_busy("research")["kernels"]
    (stays,) = local.make_busy("training")["kernels"]
    (process,) = processes(local, ends["id"])
    (other,) = processes(local, stays["id"])
    sagemaker_client(local.endpoint_url).stop_notebook_instance(NotebookInstanceName="research")
    until(lambda: has_ended(process), "the end of the kernel's process", timeout=20)
    assert not has_ended(other)
    assert kernels_of(local, "training") == [("busy", 0)]
    local.sagemaker.set_status("research", "InService")
    assert kernels_of(local, "research") == []


def test_it_is_made_busy_and_idle_over_http(local: LocalServices) -> None:
    address = f"{local.endpoint_url}/local/notebooks/research/busy"
    answer = requests.put(address, json={"seconds": 60})
    assert [row["execution_state"] for row in answer.json()["kernels"]] == ["busy"]
    answer = requests.put(address, json={"activity": "silent-terminal"})
    assert (len(answer.json()["kernels"]), len(answer.json()["terminals"])) == (1, 1)
    assert requests.delete(address).json() == {"kernels": [], "terminals": []}
    assert [row["execution_state"] for row in requests.put(address).json()["kernels"]] == ["busy"]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("nobody", {}, "There is no notebook instance nobody in us-east-1."),
        ("training", {"activity": "dancing"}, "'dancing' is not a valid Activity"),
        ("training", {"seconds": 0}, "seconds must be more than 0"),
        ("training", {"seconds": "60; rm"}, "TypeError"),
        ("training", {"region": "eu-central-1"}, "training is not InService: its status is Stopped."),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    name: str, body: dict[str, Any], reason: str, local: LocalServices
) -> None:
    answer = requests.put(f"{local.endpoint_url}/local/notebooks/{name}/busy", json=body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert kernels_of(local, "training") == []


@pytest.mark.parametrize("status", ["Stopped", "Stopping", "Pending", "Failed"])
def test_one_that_is_not_in_service_is_neither_busy_nor_idle_and_no_jupyterlab_starts(
    status: str, local: LocalServices
) -> None:
    assert local.jupyter is not None
    local.sagemaker.set_status("resting", status)
    before = local.jupyter.pids
    for method in (local.make_busy, local.make_idle):
        with pytest.raises(ValueError, match=f"resting is not InService: its status is {status}"):
            method("resting")
    assert local.jupyter.pids == before


def test_without_jupyterlab_nothing_can_be_busy() -> None:
    with pytest.raises(ValueError, match="without JupyterLab"):
        LocalServices(jupyter=False).make_busy("research")
