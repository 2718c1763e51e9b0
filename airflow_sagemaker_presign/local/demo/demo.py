"""
The demo, on one machine: ``python -m airflow_sagemaker_presign.local.demo [--once] [--port PORT]``.

Starts the local SageMaker and a real Airflow, runs the DAG ``notebook_on_demand``, and prints the addresses. The link
itself is in the inbox only; the launch page's address, which is not a credential, is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.demo.airflow_standalone import (
    AirflowStandalone,
    AirflowStandaloneError,
    TaskInstances,
)
from airflow_sagemaker_presign.local.demo.launch_page_check import check_launch_page
from airflow_sagemaker_presign.local.demo.link_check import LinkCheckError, check_newest
from airflow_sagemaker_presign.local.demo.progress import Progress
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess

PACKAGE = Path(__file__).resolve().parents[2]
DAG_ID = "notebook_on_demand"
TASK_ID = "notebook_link"
NOTEBOOKS = ("research", "research-ada", "research-grace", "research-katherine")
"""Those of the example DAGs, which this Airflow shows, and of the README's DAG: each can be run here."""
START_TIMEOUT = 60
RUN_TIMEOUT = 180
STEPS = ("Start the notebook", "Wait until it is InService", "Mint the link and deliver it")


class DemoError(RuntimeError):
    """The demo failed; the message states why."""


class Ended(BaseException):
    """
    The demo was stopped by a signal.

    :param number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.code = 128 + number


def main(arguments: list[str] | None = None) -> int:
    """
    Run the demo.

    :return: the exit code: 0 when all went well, 1 when something failed, 2 for wrong arguments, 128 and the signal's
        number when it was ended before.
    """
    options = _parse(arguments)
    _end_at_signals()
    progress = Progress(on_terminal=sys.stdout.isatty())
    folder = Path.cwd() / ".demo" / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True, mode=0o700)
    try:
        code = _run(options, folder, progress)
    except (DemoError, AirflowStandaloneError, LinkCheckError) as error:
        progress.give_up()
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        if any(folder.iterdir()):
            print(f"\nLogs are in {folder}", file=sys.stderr)
            return 1
        code = 1
    except Ended as ended:
        code = ended.code
    except BrokenPipeError:  # make demo | head
        code = 128 + signal.SIGPIPE
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()  # Only when no other demo has a folder there.
    return code


def example_dags() -> Path:
    """Return the folder of the example DAGs: in the package (a wheel), or next to it (a checkout)."""
    installed = PACKAGE / "example_dags"
    return installed if installed.is_dir() else PACKAGE.parent / "dags"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m airflow_sagemaker_presign.local.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="check the links, then exit; implied without a terminal")
    parser.add_argument("--port", type=int, default=0, help="for Airflow (default: a free one)")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= 65535:
        parser.error(f"--port must be from 1 to 65535, not {options.port}")
    options.once = options.once or not (sys.stdin.isatty() and sys.stdout.isatty())
    return options


def _run(options: argparse.Namespace, folder: Path, progress: Progress) -> int:
    progress.write("A SageMaker notebook link, from the start of the notebook to the inbox. All on this machine.\n")
    # First, because it binds its port: a port that is in use fails now instead of in ten seconds.
    airflow = AirflowStandalone(folder / "airflow", dags=example_dags(), port=options.port)
    with contextlib.ExitStack() as stack:
        stack.callback(airflow.stop)
        with progress.step("Local SageMaker, mail server and Slack"):
            sagemaker, addresses = _start_sagemaker(folder, stack)
        airflow.env.update(airflow_connections(addresses, region_name="eu-central-1"))
        with progress.step("Airflow"):
            airflow.start()
        launch_url = _run_dag(airflow, progress)
        _print_addresses(airflow, launch_url, addresses, folder, progress)
        if options.once:
            _check_links(addresses["messages_url"], progress)
            check_launch_page(launch_url, airflow.token(), f"{addresses['control_url']}/requests")
            progress.write(f"  {'The launch page':20} opens JupyterLab; viewing it minted nothing")
        else:
            progress.write("\nCtrl-C ends everything.")
            try:
                _stay_up(airflow, sagemaker)
            except Ended as ended:  # Ctrl-C is how it ends well.
                return 0 if ended.number == signal.SIGINT else ended.code
    return 0


def _start_sagemaker(folder: Path, stack: contextlib.ExitStack) -> tuple[SupervisedProcess, dict[str, Any]]:
    ready = folder / "addresses.json"
    command = [sys.executable, "-m", "airflow_sagemaker_presign.local", *_sagemaker_arguments(folder, ready)]
    sagemaker = SupervisedProcess(command, log=folder / "sagemaker.log", env=os.environ)
    stack.callback(sagemaker.stop)
    deadline = time.monotonic() + START_TIMEOUT
    while not ready.exists():
        _check_running(sagemaker)
        if time.monotonic() > deadline:
            raise DemoError(f"The local SageMaker is not up after {START_TIMEOUT} s.\n{sagemaker.tail()}")
        time.sleep(0.1)
    return sagemaker, json.loads(ready.read_text())


def _sagemaker_arguments(folder: Path, ready: Path) -> list[str]:
    arguments = ["--port", "0", "--smtp-port", "0", "--ready-file", str(ready)]
    arguments += ["--folder", str(folder / "jupyter"), "--start-seconds", "10"]
    return arguments + [argument for name in NOTEBOOKS for argument in ("--notebook", name)]


def _check_running(sagemaker: SupervisedProcess) -> None:
    if sagemaker.returncode() is not None:
        raise DemoError(f"The local SageMaker ended by itself, with code {sagemaker.returncode()}.\n{sagemaker.tail()}")


def _run_dag(airflow: AirflowStandalone, progress: Progress) -> str:
    """Run the DAG, and return the URL of its launch page."""
    run_id = airflow.trigger(DAG_ID)
    steps = iter(STEPS)
    progress.begin(next(steps))
    was_deferred = False

    def follow(tasks: TaskInstances) -> None:
        nonlocal was_deferred
        deferred = tasks.get(TASK_ID, {}).get("state") == "deferred"
        if deferred != was_deferred:
            was_deferred = deferred
            progress.begin(next(steps, STEPS[-1]))

    state = airflow.wait_for_run(DAG_ID, run_id, RUN_TIMEOUT, follow)
    if state != "success":
        progress.give_up()
        raise DemoError(f"The DAG {DAG_ID} failed. {_reason(airflow.task_log(DAG_ID, run_id, TASK_ID))}")
    progress.end()
    return str(airflow.xcom(DAG_ID, run_id, TASK_ID)["launch_url"])


def _reason(log: str) -> str:
    """Return the error in a failed task's log."""
    reasons = []
    for line in log.splitlines():
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            for error in entry.get("error_detail") or ():
                reasons.append(f"{error['exc_type']}: {error['exc_value']}")
    return reasons[0] if reasons else f"The end of its task's log:\n{log[-1500:]}"


def _print_addresses(
    airflow: AirflowStandalone, launch_url: str, addresses: dict[str, Any], folder: Path, progress: Progress
) -> None:
    progress.write(f"""
  The link, for five minutes       {addresses["inbox_url"]}
  The launch page, for seven days  {launch_url}
  The DAG in Airflow               {airflow.url}/dags/{DAG_ID}
  Airflow's login                  {airflow.username} with {airflow.password}
  Logs                             {folder}""")


def _check_links(messages_url: str, progress: Progress) -> None:
    messages = httpx.get(messages_url, trust_env=False).raise_for_status().json()
    progress.write()
    for kind, place in (("mail", "in the mail"), ("slack", "on Slack")):
        arrival = check_newest(messages, kind)
        progress.write(f"  The link {place:11} opens JupyterLab; valid on arrival for {arrival}")


def _stay_up(airflow: AirflowStandalone, sagemaker: SupervisedProcess) -> None:
    """Wait for Ctrl-C; or for make, if that started us, to be killed."""
    parent = os.getppid()
    while True:
        time.sleep(0.5)
        airflow.check_running()
        _check_running(sagemaker)
        if os.getppid() != parent and "MAKELEVEL" in os.environ:
            raise Ended(signal.SIGHUP)


def _end_at_signals() -> None:
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(number: int, _frame: FrameType | None) -> None:
        # Ignore further signals, so that a second Ctrl-C does not interrupt the cleanup.
        for other in signals:
            signal.signal(other, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.write(2, b"\nEnding everything ...\n")
        raise Ended(number)

    for number in signals:
        signal.signal(number, end)


if __name__ == "__main__":
    sys.exit(main())
