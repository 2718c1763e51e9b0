"""Run the benchmarks: ``python -m tests.benchmarks [N]``. They print, and keep their figures in ``.bench/``."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import delivery, parsing


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "runs", type=int, nargs="?", default=9, help="DAG runs per mode of the delivery benchmark (default: 9)"
    )
    runs = parser.parse_args().runs
    print("What a DAG file's parse costs in the DAG processor's child (CPU ms, median of 15):")
    parsed = parsing.measure()
    for name, ms in parsed.items():
        print(f"  {name:45} {ms:7.1f}")
    print(f"\nFrom InService to accepted by mail server and Slack, poll interval 2 s, {runs} runs each:", flush=True)
    delivered = delivery.measure(runs)
    print(f"\n  {'mode':9} {'median':>7} {'min':>7} {'max':>7} {'limit':>7}")
    for mode, figures in delivered.items():
        low, high = figures["seconds"][0], figures["seconds"][-1]
        print(f"  {mode:9} {figures['median']:7.2f} {low:7.2f} {high:7.2f} {figures['limit']:7.2f}")
    ratio = delivered["deferred"]["median"] / delivered["worker"]["median"]
    print(f"  a deferred wait costs {ratio:.1f} times the worker's: it frees the slot, and pays with the resume")
    folder = Path(".bench")
    folder.mkdir(exist_ok=True)
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    target.write_text(json.dumps({"delivery": delivered, "parsing": parsed}, indent=1) + "\n")
    print(f"\nKept in {target}")


if __name__ == "__main__":
    main()
