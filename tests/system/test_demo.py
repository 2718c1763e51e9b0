"""The demo as its user runs it, in separate processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.helpers.until import until

CHECKOUT = Path(__file__).parents[2]
DEMO = (sys.executable, "-m", "airflow_sagemaker_presign.local.demo")
MARK = "DEMO_TEST_MARK"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment that identifies the demo's processes; none of them may be left at the end."""
    mark = str(tmp_path)
    yield {**os.environ, MARK: mark}
    left = [process for process in psutil.process_iter() if environment_of(process).get(MARK) == mark]
    described = [" ".join(process.cmdline()) for process in left]
    for process in left:
        process.kill()
    assert not described


def environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        environment: dict[str, str] = process.environ()
    except psutil.Error:
        return {}
    return environment


def folders() -> set[Path]:
    return set((CHECKOUT / ".demo").glob("*"))


def test_once_opens_the_links_and_the_launch_page_and_ends_well(environment: dict[str, str]) -> None:
    before = folders()

    demo = subprocess.run([*DEMO, "--once"], env=environment, capture_output=True, text=True, timeout=240)

    assert demo.returncode == 0, demo.stdout + demo.stderr
    validity = re.findall(r"valid on arrival for ([\d.]+) of 300 s", demo.stdout)
    assert len(validity) == 2
    assert all(240 <= float(seconds) <= 300 for seconds in validity)
    assert re.search(
        r"The launch page, .* http://127\.0\.0\.1:\d+/sagemaker-notebooks/notebook_on_demand/\S+/notebook_link\n",
        demo.stdout,
    )
    assert re.search(r"The launch page +opens JupyterLab; viewing it minted nothing", demo.stdout)
    assert "authToken" not in demo.stdout + demo.stderr
    assert folders() == before


@pytest.mark.parametrize(
    ("number", "after"),
    [
        pytest.param(signal.SIGINT, "Local SageMaker", id="ctrl-c-while-airflow-starts"),
        pytest.param(signal.SIGTERM, "All on this machine", id="sigterm-while-the-local-sagemaker-starts"),
    ],
)
def test_ended_in_the_middle_it_leaves_nothing(
    environment: dict[str, str], number: signal.Signals, after: str, tmp_path: Path
) -> None:
    before = folders()
    output = tmp_path / "output"
    with output.open("wb") as file:
        demo = subprocess.Popen(
            DEMO, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    wait_for(output, after, demo)
    time.sleep(3)  # Well into what comes next.

    demo.send_signal(number)

    assert demo.wait(40) == 128 + number, output.read_text()
    assert folders() == before


def test_killed_it_takes_everything_along(environment: dict[str, str], tmp_path: Path) -> None:
    output = tmp_path / "output"
    before = folders()
    with output.open("wb") as file:
        demo = subprocess.Popen(DEMO, env=environment, stdin=subprocess.DEVNULL, stdout=file, start_new_session=True)
    wait_for(output, "Local SageMaker", demo)
    time.sleep(3)
    below = psutil.Process(demo.pid).children(recursive=True)

    demo.kill()
    demo.wait()

    assert len(below) >= 4
    _, left = psutil.wait_procs(below, timeout=30)
    assert not left
    for folder in folders() - before:  # No process was left to do it.
        subprocess.run(["rm", "-r", str(folder)], check=True)


def test_a_port_in_use_is_reported_at_once(environment: dict[str, str]) -> None:
    before = folders()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        demo = subprocess.run(
            [*DEMO, "--once", "--port", str(port)], env=environment, capture_output=True, text=True, timeout=60
        )

    assert demo.returncode == 1
    assert f"Port {port} is in use" in demo.stderr
    assert "Traceback" not in demo.stderr
    assert folders() == before


def wait_for(output: Path, text: str, demo: subprocess.Popen[bytes]) -> None:
    until(lambda: text in output.read_text() or demo.poll() is not None, output.read_text, timeout=60, interval=0.1)
    assert text in output.read_text(), output.read_text()
