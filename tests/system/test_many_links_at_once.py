"""
Many runs at once on a real Airflow, each with a link by mail and by Slack: all arrive, at the first attempt.

Each task asks its supervisor from the threads of both notifiers; where that is not kept in order, an answer is read by
whom it is not for. That failed 18 of 40 runs on Airflow 3.1.8, and made workers of 5 GB. To repeat it with 40:

    MANY_LINKS=40 python -m pytest tests/system/test_many_links_at_once.py
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.system_settings import DAGS, REGION

pytestmark = pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="Airflow 2 has a separate test for it")

MANY_DAGS = Path(__file__).parent / "many_dags"

COUNT = int(os.environ.get("MANY_LINKS", "8"))
DAG_ID = "notebook_on_demand"
STOPPING_DAG_ID = "started_and_stopped"
NOTEBOOK = "opened-by-many"
FEWER = max(2, COUNT // 4)
USUAL_MB = 700
"""What a process of Airflow may need at its peak; a broken answer made one allocate gigabytes."""


class PeakMemory:
    """The most memory that any process below this one ever had, in MB."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            # The kernel keeps each one's peak, so nothing is missed between two observations.
            self.megabytes = max(self.megabytes, *peaks_below(os.getpid()).values(), 0.0)


def peaks_below(pid: int) -> dict[int, float]:
    """The peak memory in MB of each process below one."""
    parents, peaks = {}, {}
    for path in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            status = path.read_text()
            number = int(path.parent.name)
            parents[number] = int(re.findall(r"^PPid:\s+(\d+)", status, re.MULTILINE)[0])
            # A process that is just ending has none any more.
            peaks[number] = sum(int(kb) / 1024 for kb in re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE))
    below = {pid}
    while new := {child for child, parent in parents.items() if parent in below} - below:
        below |= new
    return {number: peaks[number] for number in below - {pid}}


@pytest.fixture(scope="module")
def airflow_of_many(folder: Path, local: LocalServices) -> Iterator[AirflowStandalone]:
    local.sagemaker.create_notebook(NOTEBOOK, status="InService", region=REGION)
    # Other tests of the session may have left a Slack that rejects messages.
    local.inbox.slack.clear()
    local.inbox.smtp.clear()
    (dags := folder / "dags-of-many").mkdir()
    for file in (DAGS / f"{DAG_ID}.py", MANY_DAGS / f"{STOPPING_DAG_ID}.py"):
        shutil.copy(file, dags)
    environment = {
        **airflow_connections(local.addresses(), timeout=60),
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": str(COUNT),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(2 * COUNT),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    }
    with AirflowStandalone(folder / "airflow-of-many", dags=dags, env=environment) as airflow:
        yield airflow


def run_all(airflow: AirflowStandalone, notebooks: Mapping[str, str], dag_id: str = DAG_ID) -> dict[str, str]:
    """Run a DAG for each person and notebook, all at once, to the good end of all; the runs by person."""
    runs = {
        person: airflow.trigger(dag_id, {"notebook_instance_name": notebook, "recipient": person})
        for person, notebook in notebooks.items()
    }
    states = {person: airflow.wait_for_run(dag_id, run, timeout=600) for person, run in runs.items()}
    failed = [person for person, state in states.items() if state != "success"]
    logs = "\n".join(airflow.task_log(dag_id, runs[person], "notebook_link") for person in failed)
    assert failed == [], logs[-5_000:]
    return runs


def all_have_their_links(
    airflow: AirflowStandalone, local: LocalServices, runs: Mapping[str, str], dag_id: str = DAG_ID
) -> None:
    for person, run in runs.items():
        receipt = airflow.xcom(dag_id, run, "notebook_link")
        assert [delivery["attempts"] for delivery in receipt["deliveries"]] == [1, 1], (person, receipt)
        assert airflow.task_instances(dag_id, run)["notebook_link"]["try_number"] == 1
    mails = [mail.recipients[0] for mail in local.inbox.mails if mail.recipients[0] in runs]
    posts = [message.recipient for message in local.inbox.slack_messages if message.recipient in runs]
    assert sorted(mails) == sorted(map(str, posts)) == sorted(runs)


def test_all_links_arrive_at_the_first_attempt(airflow_of_many: AirflowStandalone, local: LocalServices) -> None:
    with PeakMemory() as memory:
        runs = run_all(airflow_of_many, {f"one-of-many-{n}@example.com": NOTEBOOK for n in range(COUNT)})
    all_have_their_links(airflow_of_many, local, runs)
    print(f"{len(runs)} of {COUNT} delivered; the largest process had {memory.megabytes:.0f} MB.")
    assert 50 < memory.megabytes < USUAL_MB


def test_links_waited_for_in_the_triggerer_arrive_at_the_first_attempt(
    airflow_of_many: AirflowStandalone, local: LocalServices
) -> None:
    """There the lookups of many triggers share the channel of one process."""
    waited_for = {f"waits-for-{n}@example.com": f"waited-for-{n}" for n in range(FEWER)}
    for notebook in waited_for.values():
        local.sagemaker.create_notebook(notebook, region=REGION, start_seconds=20)
    all_have_their_links(airflow_of_many, local, run_all(airflow_of_many, waited_for))


def test_links_waited_for_in_the_worker_arrive_at_the_first_attempt_and_their_notebooks_are_stopped(
    airflow_of_many: AirflowStandalone, local: LocalServices
) -> None:
    stopped = {f"stops-{n}@example.com": f"stopped-{n}" for n in range(FEWER)}
    for notebook in stopped.values():
        # A stop of a few seconds meets the race in Airflow that conftest.py describes.
        local.sagemaker.create_notebook(notebook, region=REGION, stop_seconds=20)
    runs = run_all(airflow_of_many, stopped, STOPPING_DAG_ID)
    all_have_their_links(airflow_of_many, local, runs, STOPPING_DAG_ID)
    assert {local.sagemaker.status(notebook, region=REGION) for notebook in stopped.values()} == {"Stopped"}
