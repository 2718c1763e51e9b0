"""Run the fleet: ``python -m tests.fleet``. It prints its figures, keeps them in ``.bench/``, fails when a run did."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from tests.fleet import plan, programs, report, stores
from tests.fleet.account_client import AccountProcess
from tests.fleet.airflow_fleet import AirflowFleet, FleetFailed
from tests.fleet.airflow_settings import settings
from tests.fleet.run import Fleet, Run
from tests.fleet.slot_watch import SlotWatch


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--notebooks", type=int, default=200, help="notebooks, each with a person (default: 200)")
    parser.add_argument("--runs", type=int, default=10, help="runs in which machines are killed (default: 10)")
    parser.add_argument("--first", type=int, default=0, help="the first run; 0, the default, kills no process")
    asked = parser.parse_args()
    kept = Path(".bench") / f"fleet-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        found = programs.find()
    except programs.ProgramsMissing as error:
        print(error, file=sys.stderr)
        return 2
    logs = Path(tempfile.mkdtemp(prefix="fleet-"))
    runs: list[dict[str, Any]] = []
    code = 0
    try:
        with ExitStack() as stack:
            fleet = _bring_up(stack, found, logs, asked.notebooks)
            for run in range(asked.first, asked.runs + 1):
                runs.append(_run(fleet, run, asked))
                _keep(kept, {"notebooks": asked.notebooks, "machine": _machine(), "runs": runs})
    except (stores.StoreFailed, FleetFailed) as error:
        print(error, file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        code = 130
    if runs:
        print(f"\n{report.table(runs)}\n\nKept in {kept}")
    good = all(figures["good"] for figures in runs)
    if code == 2 or not good:
        print(f"The logs are kept in {logs}")
    else:
        shutil.rmtree(logs)
    return code or int(not good)


def _bring_up(stack: ExitStack, found: Mapping[str, Path], folder: Path, notebooks: int) -> Fleet:
    began = time.monotonic()
    database = stack.enter_context(stores.postgresql(found["initdb"], found["postgres"]))
    broker = stack.enter_context(stores.redis_server(found["redis-server"], folder))
    account = stack.enter_context(AccountProcess())
    env = {
        **settings(database, broker),
        **airflow_connections(account.addresses),
        "FLEET_NOTEBOOKS": str(notebooks),
    }
    airflow = stack.enter_context(AirflowFleet(folder / "airflow", env))
    slots = stack.enter_context(SlotWatch(broker))
    _say(f"PostgreSQL, Redis and Airflow are up after {time.monotonic() - began:.0f} s. Logs: {folder / 'airflow'}")
    return Fleet(account, airflow, slots, database)


def _run(fleet: Fleet, number: int, asked: argparse.Namespace) -> dict[str, Any]:
    killing = plan.killing(number, asked.runs) if number else None
    _say(f"\n{plan.run_id(number)}: {killing or 'no process is killed'}")
    figures = Run(number, asked.notebooks, killing, _say).go(fleet)
    _say(report.verdict(figures))
    return figures


def _keep(target: Path, figures: dict[str, Any]) -> None:
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")


def _machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, Airflow {version('apache-airflow')}"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
