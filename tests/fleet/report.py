"""What is printed: a line for each run, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]

COLUMNS: dict[str, Callable[[Figures], Any]] = {
    "run": lambda run: run["run"],
    "killed at": lambda run: _killed(run["killed"]),
    "seconds": lambda run: run["seconds"],
    "first link": lambda run: run["first link"],
    "last link": lambda run: run["last link"],
    "links": lambda run: run["links"],
    "lost": lambda run: len(run["verdict"]["lost"]),
    "twice": lambda run: len(run["verdict"]["twice"]),
    "2nd tries": lambda run: run["second tries"],
    "starts": lambda run: run["requests"]["start"],
    "list": lambda run: run["requests"]["list"],
    "describe": lambda run: run["requests"]["describe"],
    "mint": lambda run: run["requests"]["mint"],
    "refused": lambda run: sum(run["requests refused"].values()),
    "slot s": lambda run: f"{run['slot seconds per notebook']:.1f}",
    "valid s": lambda run: run["least validity left"],
    "p50 s": lambda run: run["InService to arrival p50"],
    "p99 s": lambda run: run["InService to arrival p99"],
}
LEGEND = """\
killed at: how many notebooks were started and how many links had arrived when a worker and a triggerer were killed.
first, last link: seconds from asking for the DAG run. twice: recipients with two links within a try.
starts to mint: requests to SageMaker. slot s: seconds for which a notebook takes slots of workers.
valid s: the least that a link had left of its 300 s. p50, p99: from InService to the link's arrival."""


def table(runs: Sequence[Figures]) -> str:
    """Set all runs in columns."""
    rows = [list(COLUMNS), *([_text(value(run)) for value in COLUMNS.values()] for run in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*lines, "", LEGEND])


def verdict(run: Figures) -> str:
    """Say whether a run was good, and if not, what was not."""
    if run["good"]:
        return f"{run['run']}: {run['links']} links, all of them in time, after {run['seconds']:.0f} s"
    wrong = [f"  {what}: {', '.join(map(str, names))}" for what, names in run["verdict"].items() if names]
    return "\n".join([f"{run['run']} is not as it has to be (its state: {run['state']}):", *wrong])


def _killed(death: Figures | None) -> str:
    if death is None:
        return "-"
    return "too late" if death["at"] is None else f"{death['started']}/{death['arrived']}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if isinstance(value, float) else str(value)
