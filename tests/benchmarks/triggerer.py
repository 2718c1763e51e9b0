"""Many waits in a real triggerer, runner and supervisor together: the poller, provider style, and no-op triggers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from airflow_sagemaker_presign.local.supervised_process import SupervisedProcess
from tests.benchmarks.counted_lookups import NOTES, CountedLookups
from tests.benchmarks.polling import INTERVAL, STEADY, ask_server, connection, local_server
from tests.benchmarks.styles import STYLES

GET_GOING = 300.0
"""Maximum seconds until every notebook instance was observed."""

SETTLE = 60.0
ROWS = {
    "to get going": "seconds until every wait had an observation",
    "cpu a minute": "CPU-s a minute while nothing changes",
    "blocked": 'times "Triggerer\'s async thread was blocked"',
    "longest": "s, the longest of them",
    "lookups": "connection lookups",
    "requests a minute": "requests a minute while nothing changes",
}
LIMITS = {"cpu a minute": 2, "lookups": 1}
BLOCKED = re.compile(r"async thread was blocked for ([0-9.]+) seconds")


def measure(waits: int) -> dict[str, Any]:
    """
    Start a triggerer for each style, one after the other.

    :param waits: how many waits.
    """
    styles = {}
    with local_server() as server:
        for style in STYLES:
            with tempfile.TemporaryDirectory() as folder:
                styles[style] = _one(style, waits, server, Path(folder))
            print(f"  {style}: {styles[style]}", flush=True)
    return {"waits": waits, "limits": {**LIMITS, "blocked": styles["no-op"]["blocked"]}, "styles": styles}


def _one(style: str, waits: int, server: str, home: Path) -> dict[str, Any]:
    notes, console = home / "lookups", home / "console.log"
    notes.touch()
    environment = _environment(home, waits, notes)
    airflow = str(Path(sys.executable).parent / "airflow")
    fill = [
        sys.executable,
        "-m",
        "tests.benchmarks.waiting_tasks",
        style,
        str(waits),
        str(INTERVAL),
        connection(server),
    ]
    for command in ([airflow, "db", "migrate"], fill):
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    began = time.time()
    names = [f"notebook-{number:05}" for number in range(waits)]
    ask_server(server, plans={name: [[began, "Pending"]] for name in names})
    triggerer = SupervisedProcess([airflow, "triggerer", "--skip-serve-logs"], log=console, env=environment, cwd=home)
    try:
        reported = _until_all_reported(server, began) if style != "no-op" else None
        time.sleep(SETTLE)
        figures = _steady(triggerer.pid, server)
    finally:
        triggerer.stop()
    blocks = [float(seconds) for seconds in BLOCKED.findall(console.read_text())]
    # Each process of the chain from runner to database sends one request per lookup.
    lookups = Counter(notes.read_text().splitlines())
    return {
        "to get going": reported,
        **figures,
        "blocked": len(blocks),
        "longest": max(blocks, default=0.0),
        "lookups": max(lookups.values(), default=0),
    }


def _environment(home: Path, waits: int, notes: Path) -> Mapping[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "AWS_"))}
    return {
        **inherited,
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": os.getcwd(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__TRIGGERER__CAPACITY": str(waits),
        "AIRFLOW__SECRETS__BACKEND": f"{CountedLookups.__module__}.{CountedLookups.__qualname__}",
        NOTES: str(notes),
    }


def _until_all_reported(server: str, began: float) -> float | None:
    while time.time() - began < GET_GOING:
        if reported := ask_server(server)["all_reported_at"]:
            return float(reported) - began
        time.sleep(1)
    return None


def _steady(pid: int, server: str) -> dict[str, float]:
    before, asked = _cpu(pid), len(ask_server(server, requests=True)["requests"])
    time.sleep(STEADY)
    return {
        "cpu a minute": (_cpu(pid) - before) * 60 / STEADY,
        "requests a minute": (len(ask_server(server, requests=True)["requests"]) - asked) * 60 / STEADY,
    }


def _cpu(pid: int) -> float:
    times = [each.cpu_times() for each in psutil.Process(pid).children(recursive=True)]
    return float(sum(each.user + each.system for each in times))
