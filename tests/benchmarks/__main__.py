"""Run the benchmarks: ``python -m tests.benchmarks``. They print, and keep their figures in ``.bench/``."""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import delivery, idling, launch_page, parsing, plugin, polling, slots, styles, triggerer
from tests.helpers.parse_costs import AMAZON, LAUNCH_PAGE


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="DAG runs per mode of the delivery benchmark (default: 9)")
    parser.add_argument("--waits", type=int, default=100, help="waits of the benchmarks of many waits (default: 100)")
    parser.add_argument("--only", action="append", help="run this benchmark, and no other that is not named likewise")
    asked = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # So that what was started is stopped.
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    benchmarks: dict[str, Callable[[], dict[str, Any]]] = {
        "parsing": _parsing,
        "plugin": _plugin,
        "delivery": lambda: _delivery(asked.runs),
        "slots": _slots,
        "launch_page": _launch_page,
        "polling": lambda: _polling(asked.waits),
        "triggerer": lambda: _triggerer(asked.waits),
        "idling": lambda: _idling(asked.waits),
    }
    figures = {name: benchmark() for name, benchmark in benchmarks.items() if not asked.only or name in asked.only}
    folder = Path(".bench")
    folder.mkdir(exist_ok=True)
    target = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    target.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\nKept in {target}")


def _parsing() -> dict[str, Any]:
    print("What a DAG file's parse costs in the DAG processor's child (CPU ms, median of 15):")
    parsed = parsing.measure()
    _print_costs(parsed)
    return parsed


def _plugin() -> dict[str, Any]:
    measured = plugin.measure()
    for process, costs in measured.items():
        print(f"\nWhat the launch page's plugin costs {process}, limit {plugin.LIMIT:g} (CPU ms, median of 15):")
        _print_costs(costs)
        on_top = costs[plugin.LOAD_ALL] - costs[plugin.LOAD_OTHERS]
        print(f"  the launch page's plugin adds {on_top:.1f} ms to the loading of plugins")
        share = costs[AMAZON] / costs[LAUNCH_PAGE]
        print(f"  its import costs 1/{share:.0f} of the amazon provider's, usually 1/15 or less")
    return measured


def _print_costs(costs: Mapping[str, float]) -> None:
    for name, ms in costs.items():
        print(f"  {name:45} {ms:7.1f}", flush=True)


def _delivery(runs: int) -> dict[str, Any]:
    print(f"\nFrom InService to accepted by mail server and Slack, poll interval 2 s, {runs} runs each:", flush=True)
    delivered = delivery.measure(runs)
    print(f"\n  {'mode':9} {'median':>7} {'min':>7} {'max':>7} {'limit':>7}")
    for mode, figures in delivered.items():
        low, high = figures["seconds"][0], figures["seconds"][-1]
        print(f"  {mode:9} {figures['median']:7.2f} {low:7.2f} {high:7.2f} {figures['limit']:7.2f}")
    ratio = delivered["deferred"]["median"] / delivered["worker"]["median"]
    print(f"  a deferred wait costs {ratio:.1f} times the worker's: it frees the slot, and pays with the resume")
    return delivered


def _slots() -> dict[str, Any]:
    print(f"\nA notebook's seconds of a worker's slot, of which a start takes {slots.START:g}:", flush=True)
    measured = slots.measure()
    ours = sum(measured["deferred"])
    print(f"\n  {'mode':9} {'seconds':>8} {'legs':>5} {'ratio':>7}")
    for mode, legs in measured.items():
        print(f"  {mode:9} {sum(legs):8.1f} {len(legs):5} {sum(legs) / ours:7.1f}")
    return measured


def _launch_page() -> dict[str, Any]:
    print(
        f"\nThrough the launch page: {len(launch_page.PEOPLE)} people, {len(launch_page.NOTEBOOKS)} notebooks, "
        "one api-server:",
        flush=True,
    )
    measured = launch_page.measure()
    print(f"\n  first page views, all at once: the last page arrives after {measured['first pages']:.2f} s")
    medians = {}
    print(f"  {'a click, in s':26} {'median':>7} {'p95':>7}")
    for name, seconds in measured["click"].items():
        medians[name] = statistics.median(seconds)
        print(f"  {name:26} {medians[name]:7.3f} {statistics.quantiles(seconds, n=20)[-1]:7.3f}")
    on_top = medians["launch_page"] - medians["SageMaker"]
    print(f"  the launch page adds {on_top:.3f} s to SageMaker's own time, limit {launch_page.LIMIT:g}")
    at_once = measured["at once"]
    ratio = at_once["launch_page"] / at_once["SageMaker"]
    print(
        f"  all at once: the last is through after {at_once['launch_page']:.2f} s, "
        f"{ratio:.1f} times what SageMaker takes for them ({at_once['SageMaker']:.2f} s)"
    )
    megabytes = list(measured["memory"]["megabytes"].items())
    (few, before), (many, after) = megabytes[0], megabytes[-1]
    print(f"  the api-server's memory after {many} openings is {after / before:.3f} times that after {few}, limit 1.1")
    print(f"  {measured['memory']['openings a second']:.0f} openings a second, each with its page")
    return measured


def _polling(waits: int) -> dict[str, Any]:
    print(f"\n{waits} waits at {polling.INTERVAL} s, SageMaker answers after 50 ms:", flush=True)
    measured = polling.measure(waits)
    ours, theirs = measured["styles"].values()
    print(f"\n  {'':42} {'poller':>9} {'limit':>7} {'provider style':>15} {'ratio':>7}")
    for key, text in polling.ROWS.items():
        limit, ratio = polling.LIMITS.get(key), _ratio(theirs[key], ours[key])
        print(f"  {text:42} {_number(ours[key]):>9} {_number(limit):>7} {_number(theirs[key]):>15} {ratio:>7}")
    print(f"\n  Beside new waits, as many that are {styles.AGE / 60:g} min old and come to another triggerer:")
    old = measured["taken over"]
    print(f"  {'':42} {'new':>9} {'limit':>7}" + "".join(f" {name:>15}" for name in old))
    for key, text in polling.ROWS.items():
        figures = [
            _number(each) for each in (ours[key], polling.LIMITS.get(key), *(each[key] for each in old.values()))
        ]
        print(f"  {text:42} {figures[0]:>9} {figures[1]:>7}" + "".join(f" {each:>15}" for each in figures[2:]))
    print("\n  Requests a minute while nothing changes, of the poller:")
    for count, figures in measured["scale"].items():
        print(f"  {count:7} waits {figures['requests a minute']:9.0f}")
    others = measured["others"]["requests a minute"]
    print(f"  {waits:7} waits {others:9.0f} among {polling.OTHERS} other notebooks")
    print(f"\n  Where AWS allows {polling.ALLOWED:g} requests a second:")
    for style, figures in measured["throttled"].items():
        print(
            f"  {style:15} {figures['lost']} lost, {figures['refused'] / figures['requests']:.0%} of "
            f"{figures['requests']} requests refused, p99 {_number(figures['p99'])} s"
        )
    return measured


def _triggerer(waits: int) -> dict[str, Any]:
    print(f"\n{waits} waits at {polling.INTERVAL} s in a real triggerer, runner and supervisor together:", flush=True)
    measured = triggerer.measure(waits)
    ours, theirs, nothing = (measured["styles"][style] for style in ("poller", "provider style", "no-op"))
    print(f"\n  {'':42} {'poller':>9} {'limit':>7} {'provider style':>15} {'ratio':>7} {'no-op':>7}")
    for key, text in triggerer.ROWS.items():
        figures = (_number(each) for each in (ours[key], measured["limits"].get(key), theirs[key]))
        ours_is, limit, theirs_is = figures
        ratio = _ratio(theirs[key], ours[key])
        print(f"  {text:42} {ours_is:>9} {limit:>7} {theirs_is:>15} {ratio:>7} {_number(nothing[key]):>7}")
    return measured


def _idling(watches: int) -> dict[str, Any]:
    print(
        f"\n{watches} watches of notebooks in use, for {idling.SECONDS} s; each answer comes after 50 ms:", flush=True
    )
    measured = idling.measure(watches)
    print(f"\n  {'':42}" + "".join(f" {name:>26}" for name in measured))
    for key, text in idling.ROWS.items():
        print(f"  {text:42}" + "".join(f" {_number(figures[key]):>26}" for figures in measured.values()))
    return measured


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _ratio(theirs: float | None, ours: float | None) -> str:
    return f"{theirs / ours:.3g}" if theirs and ours else "-"


if __name__ == "__main__":
    main()
