"""The figures of a run: pure, from what the account, the mailboxes and the workers saw."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.fleet.judgement import Link
from tests.fleet.slots import SlotUse

SHORT = {
    "ListNotebookInstances": "list",
    "DescribeNotebookInstance": "describe",
    "StartNotebookInstance": "start",
    "CreatePresignedNotebookInstanceUrl": "mint",
}


def percentile(values: Sequence[float], share: float) -> float | None:
    """Answer the smallest of the values that is not below ``share`` of them; None of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def figures(
    began_at: float,
    ended_at: float,
    start_seconds: Mapping[str, float],
    links: Sequence[Link],
    requests: Sequence[Mapping[str, Any]],
    slots: SlotUse,
) -> dict[str, Any]:
    """
    Sum up a run.

    :param began_at: when the DAG run was asked for.
    :param ended_at: when it was seen to have ended.
    :param start_seconds: by notebook, how long its start takes.
    :param links: all that arrived.
    :param requests: all that SageMaker was asked.
    :param slots: what was taken of the workers.
    """
    arrivals = sorted(link.arrived_at - began_at for link in links)
    started = {request["notebook"]: request["at"] for request in requests if _is_start(request)}
    waited = [
        link.arrived_at - started[link.notebook] - start_seconds[link.notebook]
        for link in links
        if link.notebook is not None and link.notebook in started
    ]
    kinds = Counter(SHORT.get(request["operation"], request["operation"]) for request in requests)
    return {
        "seconds": ended_at - began_at,
        "first link": arrivals[0] if arrivals else None,
        "last link": arrivals[-1] if arrivals else None,
        "links": len(links),
        "least validity left": min((link.validity_left for link in links), default=None),
        "InService to arrival p50": percentile(waited, 0.5),
        "InService to arrival p99": percentile(waited, 0.99),
        "requests": {**dict.fromkeys(SHORT.values(), 0), **kinds},
        "requests refused": dict(Counter(request["error"] for request in requests if request["error"])),
        "starts per notebook": kinds["start"] / len(start_seconds),
        "slot seconds per notebook": slots.seconds / len(start_seconds),
        "legs per notebook": slots.legs / len(start_seconds),
        "slots without an end": slots.unended,
    }


def _is_start(request: Mapping[str, Any]) -> bool:
    return request["operation"] == "StartNotebookInstance" and not request["error"]
