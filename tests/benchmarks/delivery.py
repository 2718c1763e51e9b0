"""How long from InService to "accepted by mail server and Slack", deferred and in the worker, on a real Airflow."""

from __future__ import annotations

import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone

MODES = ("deferred", "worker")
LIMITS = {"deferred": 5.0, "worker": 1.0}


def measure(runs: int) -> dict[str, Any]:
    """
    Run the benchmark's DAGs one after the other and compare timestamps of SageMaker, mail server and Slack.

    :param runs: runs per mode, taken in turn so that a slow moment of the machine hits both.
    :return: for each mode the seconds of each run, sorted, and their median.
    """
    seconds: dict[str, list[float]] = {mode: [] for mode in MODES}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalServices(jupyter=False, stop_seconds=0.5, notebooks=()) as local,
        AirflowStandalone(
            Path(folder) / "airflow", dags=Path(__file__).parent / "dags", env=airflow_connections(local.addresses())
        ) as airflow,
    ):
        for number in range(runs):
            for mode in MODES:
                notebook = f"{mode}-{number}"
                # Random, so that starts do not end in phase with the polling.
                local.sagemaker.create_notebook(notebook, start_seconds=random.uniform(4, 8))
                seconds[mode].append(_one(local, airflow, mode, notebook))
                print(f"  {mode:9} {seconds[mode][-1]:6.2f} s", flush=True)
    return {
        mode: {"seconds": sorted(seconds[mode]), "median": statistics.median(seconds[mode]), "limit": LIMITS[mode]}
        for mode in MODES
    }


def _one(local: LocalServices, airflow: AirflowStandalone, mode: str, notebook: str) -> float:
    dag_id = f"bench_{mode}"
    run_id = airflow.trigger(dag_id, conf={"notebook": notebook})
    state = airflow.wait_for_run(dag_id, run_id, timeout=120)
    if state != "success":
        raise RuntimeError(f"The run of {dag_id} ended as {state}:\n{airflow.task_log(dag_id, run_id, 'link')}")
    (described,) = [n for n in local.sagemaker.notebooks() if n["NotebookInstanceName"] == notebook]
    in_service: float = described["LastModifiedTime"].timestamp()
    person = f"{notebook}@example.com"
    arrivals = [mail.arrived_at for mail in local.inbox.mails if person in mail.recipients]
    arrivals += [message.arrived_at for message in local.inbox.slack_messages if message.recipient == person]
    if len(arrivals) != 2:
        raise RuntimeError(f"{person} got {len(arrivals)} messages, not 2.")
    return max(arrivals) - in_service
