"""A thousand waits: the shared poller against a trigger for each task, as a user of the provider would write it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERVAL = 5
STEADY = 60
OTHERS = 10_000
ALLOWED = 2.0
"""Requests a second, where AWS throttles."""

AWAY = 20
"""Seconds for which the connection cannot be looked up when waits are taken over."""

SCALE = (10, 100, 1000, 5000)
ROWS = {
    "requests a minute": "requests a minute while nothing changes",
    "after ten seconds": "requests in the minute after the first 10 s",
    "busiest second": "requests in the busiest second",
    "connections": "connections",
    "megabytes": "MB beyond the idle process",
    "cpu a minute": "CPU-s a minute while nothing changes",
    "adding cpu": "CPU-s to get going",
    "to get going": "seconds until every wait had an observation",
    "adding block": "s, longest block of the loop while adding",
    "adding block cpu": "CPU-s, longest block of the loop while adding",
    "steady block": "s, longest block while nothing changes",
    "idle block": "s, the same of a loop that does nothing",
    "steady block cpu": "CPU-s, longest block while nothing changes",
    "p50": "s from InService to known, p50",
    "p99": "s from InService to known, p99",
    "lost": "waits lost",
}
LIMITS = {
    "requests a minute": 30,
    "after ten seconds": 30,
    "busiest second": 12,
    "connections": 1,
    "megabytes": 30,
    "cpu a minute": 0.5,
    "adding cpu": 1.5,
    "adding block": 0.15,
    "lost": 0,
    "steady block": 0.025,
    "p50": 3,
    "p99": 6,
}


def measure(waits: int) -> dict[str, Any]:
    """
    Measure both styles one after the other, and the poller alone where it is to stay the same.

    :param waits: how many waits.
    """
    with local_server() as server, tempfile.TemporaryDirectory() as folder:

        def run(style: str = "poller", *, count: int = waits, **plan: Any) -> dict[str, Any]:
            what = {"style": style, "waits": count, "interval": INTERVAL, "server": server, "others": 0}
            usual = {"allowed": None, "steady": STEADY, "change": False, "old": False, "away": 0}
            return _run({**what, **usual, **plan}, server, folder)

        styles = {style: run(style, change=True) for style in ("poller", "provider style")}
        return {
            "waits": waits,
            "limits": LIMITS,
            "styles": styles,
            "taken over": {
                "taken over": run(old=True, change=True),
                "database away": run(old=True, change=True, away=AWAY),
            },
            "scale": {count: styles["poller"] if count == waits else run(count=count) for count in SCALE},
            "others": run(others=OTHERS),
            "throttled": {
                style: run(style, allowed=ALLOWED, steady=0, change=True) for style in ("poller", "provider style")
            },
        }


@contextmanager
def local_server(module: str = "polling_server") -> Iterator[str]:
    """Start a benchmark's SageMaker; its address."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def connection(server: str) -> str:
    """
    Answer the Airflow connection to a server.

    :param server: its address.
    """
    extra = {"endpoint_url": server, "region_name": "us-east-1"}
    return json.dumps({"conn_type": "aws", "login": "local", "password": "local", "extra": extra})


def ask_server(server: str, **asked: Any) -> dict[str, Any]:
    """
    Send a command to a server, or request what it recorded.

    :param server: its address.
    :param asked: see ``polling_server``.
    """
    request = urllib.request.Request(f"{server}/benchmark", json.dumps(asked).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def _run(plan: dict[str, Any], server: str, folder: str) -> dict[str, Any]:
    environment = {**os.environ, "AIRFLOW_HOME": folder, "AIRFLOW_CONN_AWS_DEFAULT": connection(server)}
    command = [sys.executable, "-m", "tests.benchmarks.polling_process", json.dumps(plan)]
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    shown = {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}
    old = ", taken over" if plan["old"] else ""
    print(f"  {plan['style']}, {plan['waits']} waits{old}: {shown}", flush=True)
    return figures
