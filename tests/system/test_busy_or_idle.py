"""What is idle is stopped by a real Airflow, after a mail; what is in use or kept is not, whoever dies meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.helpers.airflow_api import Run
from tests.helpers.launch_page_client import OURS, LaunchPageClient
from tests.helpers.messages import mails_to
from tests.helpers.system_settings import REGION, Start
from tests.helpers.until import until

KEEP = "keep_sagemaker_notebook_instance_running"


def in_service(local: LocalServices, name: str) -> None:
    local.sagemaker.set_status(name, "InService", region=REGION)


def status(local: LocalServices, name: str) -> str | None:
    return local.sagemaker.status(name, REGION)


def watch(start: Start, name: str, dag_id: str = "watched") -> Run:
    return start(dag_id, notebook_instance_name=name, recipient=f"{name}@example.com")


@pytest.fixture(scope="module")
def kept(start: Start, local: LocalServices) -> Run:
    """A run that has warned of a stop in 20 s."""
    in_service(local, "watch-kept")
    run = watch(start, "watch-kept", "watched_for_long")
    until(lambda: mails_to(local, "watch-kept@example.com"), "the warning", timeout=120)
    return run


def test_of_two_notebooks_the_idle_one_is_stopped_and_the_busy_one_when_it_is_idle(
    start: Start, local: LocalServices
) -> None:
    in_service(local, "watch-idle")
    in_service(local, "watch-busy")
    local.make_busy("watch-busy", region=REGION)
    idle, busy = watch(start, "watch-idle"), watch(start, "watch-busy")
    assert idle.end() == "success"
    assert idle.xcom("stop") == "Stopped"
    (warning,) = mails_to(local, "watch-idle@example.com")
    assert warning.subject.startswith("Notebook watch-idle will be stopped")
    until(lambda: "in use: a busy kernel (python3)" in busy.log("stop"), "the log of the busy one")
    assert mails_to(local, "watch-busy@example.com") == []
    local.make_idle("watch-busy", region=REGION)
    assert busy.end() == "success"
    assert status(local, "watch-busy") == "Stopped"
    assert len(mails_to(local, "watch-busy@example.com")) == 1


@pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1")
def test_who_presses_the_button_keeps_it_running_and_is_warned_again(
    kept: Run, local: LocalServices, airflow: AirflowStandalone
) -> None:
    page = LaunchPageClient(airflow, local, {user: airflow.token(user) for user in airflow.passwords})
    path = page.path(kept, "stop")
    (warning,) = mails_to(local, "watch-kept@example.com")
    assert f"{airflow.url}{path}" in warning.text
    shown = page.ask("GET", path, "ed")
    assert "Keep it running" in shown.text
    assert page.ask("HEAD", path, "ed").status_code == 200
    assert kept.airflow.xcom(kept.dag_id, kept.run_id, "stop", "sagemaker_presign_keep") is None
    form = {"action": "keep", "token": page.form_token(path, "ed")}
    assert page.ask("POST", path, "vera", headers=OURS, data=form).status_code == 403
    assert page.ask("POST", path, "ed", headers=OURS, data=form).status_code == 303
    assert page.database("SELECT owner FROM log WHERE event = ? AND run_id = ?", KEEP, kept.run_id) == [("ed",)]
    # Instead of the stop comes another warning.
    until(lambda: len(mails_to(local, "watch-kept@example.com")) == 2, "the second warning", timeout=120)
    assert status(local, "watch-kept") == "InService"
    assert "to keep the notebook instance watch-kept running" in kept.log("stop")


def test_a_task_that_is_marked_as_success_stops_nothing(kept: Run, local: LocalServices) -> None:
    kept.wait_for_task("deferred", "stop")
    path = f"/api/v2/dags/{kept.dag_id}/dagRuns/{kept.run_id}/taskInstances/stop"
    kept.api.patch(path, json={"new_state": "success"}).raise_for_status()
    assert kept.end() == "success"
    assert status(local, "watch-kept") == "InService"


def test_a_triggerer_that_is_killed_leaves_its_watches_to_the_next_one(
    start: Start, local: LocalServices, next_triggerer: list[SupervisedProcess], airflow: AirflowStandalone
) -> None:
    in_service(local, "watch-killed")
    local.make_busy("watch-killed", region=REGION)
    run = watch(start, "watch-killed")
    until(lambda: "in use: a busy kernel" in run.log("stop"), "the triggerer watches", timeout=120)
    kill_and_replace_triggerer(airflow, next_triggerer)
    local.make_idle("watch-killed", region=REGION)
    assert run.end(timeout=180) == "success"
    assert status(local, "watch-killed") == "Stopped"
    assert len(mails_to(local, "watch-killed@example.com")) == 1


@pytest.fixture(scope="session")
def next_triggerer(airflow: AirflowStandalone) -> Iterator[list[SupervisedProcess]]:
    """The triggerers that take over; they run until the tests end."""
    triggerers: list[SupervisedProcess] = []
    yield triggerers
    for triggerer in triggerers:
        triggerer.stop()


def kill_and_replace_triggerer(airflow: AirflowStandalone, triggerers: list[SupervisedProcess]) -> None:
    found = [
        process
        for process in psutil.process_iter(["cmdline", "environ"])
        if "triggerer" in " ".join(process.info["cmdline"] or ())
        and (process.info["environ"] or {}).get("AIRFLOW_HOME") == str(airflow.home)
    ]
    environment = found[0].environ()
    for process in found:
        process.kill()
    psutil.wait_procs(found, timeout=30)
    # Without the server of logs: the old one's port may still be in use.
    command = [str(Path(sys.executable).with_name("airflow")), "triggerer", "--skip-serve-logs"]
    triggerers.append(SupervisedProcess(command, log=airflow.console, env=environment, cwd=airflow.home))
