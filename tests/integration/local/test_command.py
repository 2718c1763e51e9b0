"""``python -m airflow_sagemaker_presign.local`` from start to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import requests

from tests.helpers.local_client import sagemaker_client
from tests.helpers.until import until

COMMAND = [sys.executable, "-m", "airflow_sagemaker_presign.local", "--port", "0"]


class Service:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self.ready_file = folder / "ready.json"
        self.process = subprocess.Popen(
            [*COMMAND, "--ready-file", str(self.ready_file), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def addresses(self) -> dict[str, Any]:
        until(lambda: self.ready_file.exists() or self.process.poll() is not None, timeout=60)
        assert self.process.poll() is None, self.process.communicate()[0]
        return dict(json.loads(self.ready_file.read_text()))

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Service]]:
    services: list[Service] = []
    yield services
    for service in services:
        service.process.kill()
        service.process.wait()


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_the_addresses_and_exits_cleanly(number: int, tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "--no-jupyter", "--notebook", "ada", "--notebook", "grace")
    started.append(service)
    addresses = service.addresses()
    names = [row["NotebookInstanceName"] for row in requests.get(f"{addresses['control_url']}/notebooks").json()]
    assert names == ["ada", "grace"]
    code, output = service.end(number)
    assert code == 0
    assert f"AWS_ENDPOINT_URL={addresses['endpoint_url']}" in output
    assert "aws sagemaker start-notebook-instance --notebook-instance-name ada" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("option", ["--port", "--smtp-port"])
def test_a_port_in_use_is_a_clear_error_with_code_2(option: str, tmp_path: Path, started: list[Service]) -> None:
    first = Service(tmp_path, "--no-jupyter")
    started.append(first)
    port = str(first.addresses()["port"])
    second = subprocess.run([*COMMAND, "--no-jupyter", option, port], capture_output=True, text=True, timeout=30)
    assert second.returncode == 2
    assert f"Port {port} of 127.0.0.1" in second.stderr
    assert "--port or --smtp-port" in second.stderr
    assert "Traceback" not in second.stderr


def test_two_services_run_side_by_side(tmp_path: Path, started: list[Service]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        started.append(Service(tmp_path / name, "--no-jupyter"))
    one, two = (service.addresses() for service in started)
    assert one["endpoint_url"] != two["endpoint_url"]
    assert one["smtp_port"] != two["smtp_port"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_is_left_however_it_ends(number: int, tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "--folder", str(tmp_path / "folder"), "--start-seconds", "0")
    started.append(service)
    addresses = service.addresses()
    start_a_kernel(addresses)
    (supervisor,) = map(psutil.Process, addresses["jupyter_pids"])
    below = [child.pid for child in supervisor.children(recursive=True)]
    assert len(below) >= 2  # JupyterLab and the kernel.
    os.kill(service.process.pid, number)
    until(lambda: not any(alive(pid) for pid in [supervisor.pid, *below]), timeout=15)


def test_no_process_is_left_when_it_is_killed_while_jupyterlab_starts(tmp_path: Path, started: list[Service]) -> None:
    service = Service(tmp_path, "--folder", str(tmp_path / "folder"))
    started.append(service)
    parent = psutil.Process(service.process.pid)
    until(parent.children, interval=0.01)
    children = parent.children(recursive=True)
    service.process.kill()
    until(lambda: not any(alive(child.pid) for child in children), timeout=15)


def start_a_kernel(addresses: dict[str, Any]) -> None:
    client = sagemaker_client(addresses["endpoint_url"])
    client.start_notebook_instance(NotebookInstanceName="research")
    url = client.create_presigned_notebook_instance_url(NotebookInstanceName="research")["AuthorizedUrl"]
    browser = requests.Session()
    browser.get(url)
    headers = {"X-XSRFToken": browser.cookies["_xsrf"]}
    answer = browser.post(f"{url.partition('?')[0]}api/kernels", json={}, headers=headers)
    assert answer.status_code == 201, answer.text
