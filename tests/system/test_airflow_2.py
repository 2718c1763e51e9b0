"""Airflow 2: a real scheduler and triggerer run an example DAG. It has no launch page, and another REST API."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.helpers.messages import Visit, mail_to, slack_to, url_in
from tests.helpers.secret_search import columns, files, found_in
from tests.helpers.system_settings import DAGS, MARKER, REGION
from tests.helpers.until import until

pytestmark = pytest.mark.skipif(AIRFLOW_VERSION >= (3, 0), reason="the other system tests run all of Airflow 3")

MANY_DAGS = Path(__file__).parent / "many_dags"
BIN = Path(sys.executable).parent
AIRFLOW = str(BIN / "airflow")
DAG_ID = "notebook_on_demand"
STOPPING_DAG_ID = "started_and_stopped"
COUNT = int(os.environ.get("MANY_LINKS", "4"))
MANY = {f"waits-for-{n}@example.com": f"waited-for-{n}" for n in range(COUNT)}
STOPPED = {f"stops-{n}@example.com": f"stopped-{n}" for n in range(max(2, COUNT // 4))}
ALL_HAVE_ENDED = "SELECT 1 WHERE NOT EXISTS (SELECT * FROM dag_run WHERE state NOT IN ('success', 'failed'))"
TRIGGER = """
import json, sys
from airflow.api.common.trigger_dag import trigger_dag
for run_id, conf in json.loads(sys.argv[2]).items():
    # Their dates have to differ.
    trigger_dag(sys.argv[1], run_id=run_id, conf=conf, replace_microseconds=False)
"""


class Airflow2:
    """An Airflow without its webserver; the tests read its database."""

    def __init__(self, home: Path, dags: Path, local: LocalServices) -> None:
        self.home = home
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "AWS_"))},
            **airflow_connections(local.addresses()),
            # A task is started with the `airflow` that is found there.
            "PATH": os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath))),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__MAX_NUM_RENDERED_TI_FIELDS_PER_TASK": str(COUNT + 2),
            "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": str(COUNT + 2),
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(COUNT + 2),
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

    def trigger(self, dag_id: str, notebooks: Mapping[str, str]) -> None:
        """Start a run for each person and notebook, named after the person; in one process, as each takes seconds."""
        self.command("dags", "unpause", dag_id)
        runs = {
            recipient.partition("@")[0]: {"notebook_instance_name": notebook, "recipient": recipient}
            for recipient, notebook in notebooks.items()
        }
        command = [sys.executable, "-c", TRIGGER, dag_id, json.dumps(runs)]
        answer = subprocess.run(command, env=self.env, cwd=self.home, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr

    def process(self, name: str) -> SupervisedProcess:
        log = self.home / f"{name}.log"
        return SupervisedProcess([AIRFLOW, name, "--skip-serve-logs"], log=log, env=self.env, cwd=self.home)

    def database(self, query: str, *values: str) -> list[Any]:
        with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True, timeout=30) as connection:
            return connection.execute(query, values).fetchall()

    def wait_for(self, seconds: float, query: str, *values: str) -> None:
        """Wait until the query answers with something."""
        until(
            lambda: self.database(query, *values),
            lambda: f"{query} {self.database('SELECT task_id, state FROM task_instance')}",
            timeout=seconds,
            interval=0.25,
        )

    def states(self, run_id: str) -> dict[str, str]:
        query = "SELECT task_id, state FROM task_instance WHERE run_id = ?"
        return dict(self.database(query, run_id))


@pytest.fixture(scope="module")
def airflow_2(folder: Path, local: LocalServices) -> Iterator[Airflow2]:
    """It has run the DAG twice: once the link was delivered, once there was no capacity."""
    local.sagemaker.create_notebook(MARKER, status="Updating", region=REGION)
    local.sagemaker.faults.on_start("no-capacity", "no-capacity")
    (home := folder / "airflow-2").mkdir()
    (dags := folder / "dags-of-airflow-2").mkdir()
    for file in (DAGS / f"{DAG_ID}.py", MANY_DAGS / f"{STOPPING_DAG_ID}.py"):
        shutil.copy(file, dags)
    airflow = Airflow2(home, dags, local)
    airflow.command("db", "migrate")
    airflow.command("dags", "reserialize")
    airflow.trigger(DAG_ID, {"delivered@example.com": MARKER, "no-capacity@example.com": "no-capacity"})
    with ExitStack() as stack:
        for name in ("scheduler", "triggerer"):
            stack.callback(airflow.process(name).stop)
        airflow.wait_for(180, "SELECT 1 FROM task_instance WHERE run_id = 'delivered' AND state = 'deferred'")
        # It stays so until it was seen deferred, however fast or slow this machine is.
        local.sagemaker.set_status(MARKER, "Stopped", region=REGION)
        airflow.wait_for(180, ALL_HAVE_ENDED)
        yield airflow


@pytest.fixture(scope="module")
def airflow_2_of_many(airflow_2: Airflow2, local: LocalServices) -> Airflow2:
    """It has also run the DAG for many people at once, and another one, which waits in the worker and then stops."""
    for notebook in (*MANY.values(), *STOPPED.values()):
        local.sagemaker.create_notebook(notebook, region=REGION, stop_seconds=20)
    airflow_2.trigger(DAG_ID, MANY)
    airflow_2.trigger(STOPPING_DAG_ID, STOPPED)
    airflow_2.wait_for(180 + 40 * COUNT, ALL_HAVE_ENDED)
    return airflow_2


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


def test_those_of_many_at_once_arrive_deferred_and_in_the_worker(
    airflow_2_of_many: Airflow2, local: LocalServices
) -> None:
    links = "SELECT run_id, state, try_number FROM task_instance WHERE task_id = 'notebook_link'"
    states = {run_id: found for run_id, *found in airflow_2_of_many.database(links)}
    people = MANY | STOPPED
    assert {person: states[person.partition("@")[0]] for person in people} == {
        person: ["success", 1] for person in people
    }
    for person, notebook in people.items():
        mail, (slack,) = mail_to(local, person), slack_to(local, person)
        assert f" {notebook} " in mail.subject
        assert url_in(slack)
        assert url_in(mail)
    print(f"{len(MANY)} deferred and {len(STOPPED)} in the worker delivered.")


def test_the_notebook_instances_of_those_in_the_worker_were_stopped(
    airflow_2_of_many: Airflow2, local: LocalServices
) -> None:
    assert {local.sagemaker.status(notebook, region=REGION) for notebook in STOPPED.values()} == {"Stopped"}
    assert {airflow_2_of_many.states(person.partition("@")[0])["stop"] for person in STOPPED} == {"success"}


def test_no_link_is_written_down_anywhere(airflow_2: Airflow2, minted: list[str]) -> None:
    everything = {**files(airflow_2.home), **columns(airflow_2.home / "airflow.db")}
    seen = set(found_in([MARKER], everything))
    assert {"airflow.db", "scheduler.log", "dag_run.conf", "rendered_task_instance_fields.rendered_fields"} <= seen
    assert any(re.search(r"task_id=notebook_link/attempt=1\.log\.trigger\.\d+\.log$", name) for name in seen)
    (task_log,) = (name for name in seen if re.search(r"run_id=delivered/.*=notebook_link/attempt=1\.log$", name))
    assert b"{parsers.py:" in b"".join(everything[task_log]), "botocore logs its answers at DEBUG"
    assert len(minted) >= 2
    assert found_in(minted, everything) == []
