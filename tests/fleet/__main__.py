"""Run the fleet: ``python -m tests.fleet``. It prints its figures, keeps them in ``.bench/``, and fails if a link did."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow_sagemaker_presign.local.connections import airflow_connections
from tests.fleet import plan, programs, report, stores
from tests.fleet.account_client import AccountProcess
from tests.fleet.airflow_fleet import AirflowFleet, FleetFailed
from tests.fleet.airflow_settings import settings
from tests.fleet.run import Fleet, Run
from tests.fleet.slots import SlotWatch


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fleet", description=__doc__)
    parser.add_argument("--notebooks", type=int, default=200, help="notebooks, each with a person (default: 200)")
    parser.add_argument("--runs", type=int, default=10, help="runs in which machines are killed (default: 10)")
    parser.add_argument("--first", type=int, default=0, help="the first run; 0, the default, kills nobody")
    asked = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        with ExitStack() as stack:
            fleet = _bring_up(stack, asked.notebooks)
            runs = [_run(fleet, number, asked) for number in range(asked.first, asked.runs + 1)]
    except (programs.ProgramsMissing, stores.StoreFailed, FleetFailed) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    kept = _keep({"notebooks": asked.notebooks, "machine": _machine(), "runs": runs})
    print(f"\n{report.table(runs)}\n\nKept in {kept}")
    return 0 if all(run["good"] for run in runs) else 1


def _bring_up(stack: ExitStack, notebooks: int) -> Fleet:
    found = programs.find()
    began = time.monotonic()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
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
    _say(f"\n{plan.run_id(number)}: {killing or 'nobody dies'}")
    figures = Run(number, asked.notebooks, killing, _say).go(fleet)
    _say(report.verdict(figures))
    return figures


def _keep(figures: dict[str, Any]) -> Path:
    folder = Path(".bench")
    folder.mkdir(exist_ok=True)
    target = folder / f"fleet-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    target.write_text(json.dumps(figures, indent=1) + "\n")
    return target


def _machine() -> str:
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, Airflow {version('apache-airflow')}"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
