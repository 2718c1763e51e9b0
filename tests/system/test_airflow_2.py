"""Airflow 2: a real scheduler and triggerer run an example DAG. There is no door here, and no API as the others use."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.connections import airflow_connections
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.system.conftest import DAGS, MARKER, REGION
from tests.system.messages import Visit, mail_to, slack_to, url_in
from tests.system.search import columns, files, found_in

pytestmark = pytest.mark.skipif(AIRFLOW_V_3_0_PLUS, reason="the other system tests run all of Airflow 3")

BIN = Path(sys.executable).parent
AIRFLOW = str(BIN / "airflow")
DAG_ID = "notebook_on_demand"


class Airflow2:
    """An Airflow without its webserver; looked at in its database."""

    def __init__(self, home: Path, local: LocalServices) -> None:
        self.home = home
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "AWS_"))},
            **airflow_connections(local.addresses()),
            # A task is started with the `airflow` that is found there.
            "PATH": os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath))),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        }

    def command(self, *arguments: str) -> None:
        answer = subprocess.run(
            [AIRFLOW, *arguments], env=self.env, cwd=self.home, capture_output=True, text=True, check=False
        )
        (self.home / f"{'-'.join(arguments[:2])}.log").write_text(answer.stdout + answer.stderr)
        assert answer.returncode == 0, answer.stderr

    def process(self, name: str) -> SupervisedProcess:
        log = self.home / f"{name}.log"
        return SupervisedProcess([AIRFLOW, name, "--skip-serve-logs"], log=log, env=self.env, cwd=self.home)

    def database(self, query: str, *values: str) -> list[tuple[str, str]]:
        with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query, values).fetchall()

    def wait_for(self, seconds: float, query: str, *values: str) -> None:
        """Wait until the query answers with something."""
        give_up = time.monotonic() + seconds
        while not self.database(query, *values):
            assert time.monotonic() < give_up, (query, self.database("SELECT task_id, state FROM task_instance"))
            time.sleep(0.25)

    def states(self, run_id: str) -> dict[str, str]:
        query = "SELECT task_id, state FROM task_instance WHERE run_id = ?"
        return dict(self.database(query, run_id))


@pytest.fixture(scope="module")
def airflow_2(folder: Path, local: LocalServices) -> Iterator[Airflow2]:
    """It has run the DAG twice: once the link was delivered, once there was no capacity."""
    local.sagemaker.create_notebook(MARKER, status="Updating", region=REGION)
    local.sagemaker.faults.on_start("no-capacity", "no-capacity")
    (home := folder / "airflow-2").mkdir()
    airflow = Airflow2(home, local)
    airflow.command("db", "migrate")
    airflow.command("dags", "reserialize")
    airflow.command("dags", "unpause", DAG_ID)
    for run_id, notebook in (("delivered", MARKER), ("no-capacity", "no-capacity")):
        conf = {"notebook_instance_name": notebook, "recipient": f"{run_id}@example.com"}
        airflow.command("dags", "trigger", DAG_ID, "--run-id", run_id, "--conf", json.dumps(conf))
    with ExitStack() as stack:
        for name in ("scheduler", "triggerer"):
            stack.callback(airflow.process(name).stop)
        airflow.wait_for(180, "SELECT 1 FROM task_instance WHERE run_id = 'delivered' AND state = 'deferred'")
        # It stays so until it was seen deferred, however fast or slow this machine is.
        local.sagemaker.set_status(MARKER, "Stopped", region=REGION)
        for run_id in ("delivered", "no-capacity"):
            airflow.wait_for(180, "SELECT 1 FROM dag_run WHERE run_id = ? AND state IN ('success', 'failed')", run_id)
        yield airflow


def test_each_link_opens_jupyterlab(airflow_2: Airflow2, local: LocalServices) -> None:
    assert airflow_2.states("delivered") == {
        "notebook_link": "success",
        "stop_if_failed": "skipped",
        "delivered": "success",
    }
    mail, (slack,) = mail_to(local, "delivered@example.com"), slack_to(local, "delivered@example.com")
    assert [Visit(url_in(message)).whose() for message in (mail, slack)] == [MARKER, MARKER]


def test_no_capacity_is_said_in_plain_words_to_whom_the_link_was_for(airflow_2: Airflow2, local: LocalServices) -> None:
    assert airflow_2.states("no-capacity") == {
        "notebook_link": "failed",
        "stop_if_failed": "success",
        "delivered": "upstream_failed",
    }
    mail, (slack,) = mail_to(local, "no-capacity@example.com"), slack_to(local, "no-capacity@example.com")
    for text in (mail.text, str(slack.blocks)):
        assert "Insufficient notebook instance capacity" in text
        assert "authToken" not in text


def test_no_link_is_written_down_anywhere(airflow_2: Airflow2, minted: list[str]) -> None:
    everything = {**files(airflow_2.home), **columns(airflow_2.home / "airflow.db")}
    seen = set(found_in([MARKER], everything))
    assert {"airflow.db", "scheduler.log", "dag_run.conf", "rendered_task_instance_fields.rendered_fields"} <= seen
    assert any(re.search(r"task_id=notebook_link/attempt=1\.log\.trigger\.\d+\.log$", name) for name in seen)
    (task_log,) = (name for name in seen if re.search(r"run_id=delivered/.*=notebook_link/attempt=1\.log$", name))
    assert b"{parsers.py:" in b"".join(everything[task_log]), "botocore logs its answers at DEBUG"
    assert len(minted) >= 2
    assert found_in(minted, everything) == []
