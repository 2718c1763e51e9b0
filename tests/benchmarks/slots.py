"""How many seconds of a worker's slot a notebook costs: deferred, in the worker, and the provider's own operator."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone

MODES = ("deferred", "worker", "provider")
START = 143.0
"""Seconds that a start takes, as one of AWS's did that was recorded."""


def measure() -> dict[str, Any]:
    """Run a task of each kind, all at once: each has its own slot."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalServices(jupyter=False, stop_seconds=0.5, notebooks=()) as local,
    ):
        notes = Path(folder) / "slots"
        environment = {**airflow_connections(local.addresses()), "SLOT_NOTES": str(notes)}
        with AirflowStandalone(
            Path(folder) / "airflow", dags=Path(__file__).parent / "dags", env=environment
        ) as airflow:
            runs = {}
            for mode in MODES:
                local.sagemaker.create_notebook(f"slots-{mode}", start_seconds=START)
                runs[mode] = airflow.trigger(f"slots_{mode}")
            for mode, run_id in runs.items():
                state = airflow.wait_for_run(f"slots_{mode}", run_id, timeout=START + 120)
                if state != "success":
                    log = airflow.task_log(f"slots_{mode}", run_id, "start")
                    raise RuntimeError(f"The run of slots_{mode} ended as {state}:\n{log}")
        legs = [json.loads(line) for line in notes.read_text().splitlines()]
    return {mode: [seconds for dag_id, seconds in legs if dag_id == f"slots_{mode}"] for mode in MODES}
