"""A thousand watches of notebooks that are in use: when all begin at once, and when they have run for a while."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from tests.benchmarks.polling import connection, local_server

SECONDS = 60
ROWS = {
    "mints a minute": "mints a minute (AWS requests)",
    "busiest second": "mints in the busiest second",
    "requests a minute": "requests a minute, with the notebooks'",
    "megabytes": "MB beyond the idle process",
    "cpu a minute": "CPU-s a minute",
    "adding block": "s, longest block of the loop in the beginning",
    "adding block cpu": "CPU-s, longest block in the beginning",
    "block": "s, longest block of the loop",
    "block cpu": "CPU-s, longest block of the loop",
    "idle block": "s, the same of a loop that does nothing",
    "ended": "watches that ended",
}


def measure(watches: int) -> dict[str, Any]:
    """
    Measure both.

    :param watches: how many watches.
    """
    plans = {"all at once": False, "spread over half an hour": True}
    return {name: _run({"watches": watches, "seconds": SECONDS, "spread": spread}) for name, spread in plans.items()}


def _run(plan: dict[str, Any]) -> dict[str, Any]:
    with local_server("idling_server") as server, tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "AIRFLOW_HOME": folder, "AIRFLOW_CONN_AWS_DEFAULT": connection(server)}
        command = [sys.executable, "-m", "tests.benchmarks.idling_process", json.dumps({**plan, "server": server})]
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return figures
