"""
``airflow dags test`` and ``airflow tasks test`` at DEBUG, on each Airflow: the links arrive and are written nowhere.

There Airflow has its supervisor in the task's own process, where it logs each request with its body.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.inbox.mailbox import Mail, SlackMessage
from tests.helpers.messages import mails_to, urls_in
from tests.helpers.secret_search import columns, files, found_in
from tests.helpers.system_settings import REGION

AIRFLOW = Path(sys.executable).parent / "airflow"
WHERE = ("deferred", "worker")
COMMANDS = {
    "dags test": (("dags", "test", "links"), WHERE),
    "tasks test, deferred": (("tasks", "test", "links", "deferred"), ("deferred",)),
    "tasks test, in the worker": (("tasks", "test", "links", "worker"), ("worker",)),
}


@dataclass(frozen=True)
class CommandLine:
    """``airflow`` with its own database; its output goes to a file in its home."""

    home: Path
    env: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        console = self.home / f"{'-'.join(arguments)}.console"
        with console.open("wb") as output:
            ended = subprocess.run(
                [AIRFLOW, *arguments],
                env=dict(self.env),
                cwd=self.home,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=300,
                check=False,
            )
        said = console.read_text(errors="replace")
        assert ended.returncode == 0, said[-5_000:]
        return said


@pytest.fixture(scope="module")
def command_line(folder: Path, local: LocalServices) -> CommandLine:
    (home := folder / "command-line").mkdir()
    dags = shutil.copytree(Path(__file__).parent / "command_dags", home / "dags")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "AWS_"))}
    env = {
        **inherited,
        **airflow_connections(local.addresses()),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "COLUMNS": "200",
    }
    command_line = CommandLine(home, env)
    # Other tests' outage of Slack, which lasts until it is cleared, is over once their module is.
    local.inbox.slack.clear()
    for where in WHERE:
        local.sagemaker.create_notebook(f"tried-out-{where}", region=REGION)
        local.sagemaker.create_notebook(f"idle-{where}", region=REGION)
    command_line.run("db", "migrate")
    command_line.run("dags", "reserialize")
    return command_line


@pytest.mark.parametrize("command", COMMANDS)
def test_the_links_arrive_and_are_written_down_nowhere(
    command: str, command_line: CommandLine, local: LocalServices, minted: list[str]
) -> None:
    arguments, tasks = COMMANDS[command]
    if command == "tasks test, deferred" and AIRFLOW_VERSION >= (3, 0) and AIRFLOW_VERSION < (3, 1):
        pytest.skip("Airflow 3.0 ends `tasks test` after the trigger, before anything is minted")
    for task in tasks:
        local.sagemaker.set_status(f"tried-out-{task}", "Stopped", region=REGION)
    before, messages_before = len(minted), len(local.inbox.messages())
    said = command_line.run(*arguments)

    new = local.inbox.messages()[messages_before:]
    assert sorted(_to(message) for message in new) == sorted(2 * [f"{task}@example.com" for task in tasks])
    assert len({url for message in new for url in urls_in(message)}) == 2 * len(tasks)
    assert len(minted) - before == 2 * len(tasks), "each was minted once for each notifier, at its first attempt"
    assert "debug" in said.lower()
    assert "NotebookInstanceArn" in said, "botocore logs its answers at DEBUG"
    everything = {**files(command_line.home), **columns(command_line.home / "airflow.db")}
    assert f"{'-'.join(arguments)}.console" in found_in([f"tried-out-{tasks[0]}"], everything)
    assert found_in(minted[before:], everything) == []


def test_idle_notebooks_are_stopped_after_a_warning_and_the_looks_are_written_down_nowhere(
    command_line: CommandLine, local: LocalServices, minted: list[str], cookies: list[str]
) -> None:
    for where in WHERE:
        local.sagemaker.set_status(f"idle-{where}", "InService", region=REGION)
    before, cookies_before = len(minted), len(cookies)
    said = command_line.run("dags", "test", "idle")
    for where in WHERE:
        assert local.sagemaker.status(f"idle-{where}", REGION) in ("Stopping", "Stopped")
        (warning,) = mails_to(local, f"idle-{where}@example.com")
        assert warning.subject.startswith(f"Notebook idle-{where} will be stopped")
        # There is no launch page for a run of this command, or none at all.
        assert urls_in(warning) == []
    # Each with a look in the beginning, to warn, to stop, and right before the stop.
    assert len(cookies) - cookies_before >= 6
    assert len(minted) - before >= 6
    assert "will be stopped at" in said
    everything = {**files(command_line.home), **columns(command_line.home / "airflow.db")}
    assert found_in(minted[before:], everything) == []
    assert found_in(cookies[cookies_before:], everything) == []


def _to(message: Mail | SlackMessage) -> str:
    return message.recipients[0] if isinstance(message, Mail) else str(message.recipient)
