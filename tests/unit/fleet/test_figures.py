from __future__ import annotations

from typing import Any

import pytest

from tests.fleet.figures import figures, percentile
from tests.fleet.judgement import Link
from tests.fleet.report import COLUMNS, table, verdict
from tests.fleet.slots import SlotEvent, SlotUse, slot_use


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)], ids=["p50", "p99", "most", "least"]
)
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 0.5) is None


def taken(at: float, task: str, worker: str = "worker-1") -> SlotEvent:
    return SlotEvent(at, True, task, worker)


def free(at: float, task: str, worker: str = "worker-1") -> SlotEvent:
    return SlotEvent(at, False, task, worker)


def test_slot_seconds_are_summed_in_any_order_of_events() -> None:
    events = [free(5.0, "a"), taken(1.0, "a"), taken(2.0, "b"), free(3.0, "b")]
    assert slot_use(events, {}) == SlotUse(seconds=5.0, legs=2, unended=0)


def test_a_killed_workers_slots_are_taken_until_then_and_only_its_own() -> None:
    events = [taken(1.0, "a"), taken(2.0, "b", "worker-2"), free(9.0, "b", "worker-2")]
    assert slot_use(events, {"worker-1": [4.0]}) == SlotUse(seconds=10.0, legs=2, unended=0)


def test_a_task_that_goes_to_another_worker_takes_both_ones_slots() -> None:
    events = [taken(1.0, "a"), taken(10.0, "a", "worker-2"), free(12.0, "a", "worker-2")]
    assert slot_use(events, {"worker-1": [4.0]}) == SlotUse(seconds=5.0, legs=2, unended=0)


def test_slots_without_an_end_event_are_reported_but_not_counted() -> None:
    assert slot_use([taken(1.0, "a")], {}) == SlotUse(seconds=0.0, legs=1, unended=1)


def request(operation: str, notebook: str | None = None, at: float = 0.0, error: str | None = None) -> dict[str, Any]:
    return {"operation": operation, "notebook": notebook, "at": at, "error": error}


def a_run() -> dict[str, Any]:
    links = [
        Link("ada@example.com", "fleet-01", 1, arrived_at=1045.0, notebook="ada", minted_at=1044.0),
        Link("grace@example.com", "fleet-01", 2, arrived_at=1080.0, notebook="grace", minted_at=1070.0),
    ]
    requests = [
        request("StartNotebookInstance", "ada", at=1010.0),
        request("StartNotebookInstance", "grace", at=1020.0),
        request("ListNotebookInstances"),
        request("ListNotebookInstances", error="ThrottlingException"),
    ]
    return figures(1000.0, 1100.0, {"ada": 30.0, "grace": 40.0}, links, requests, SlotUse(9.0, 5, 0))


def test_the_figures_of_a_run() -> None:
    found = a_run()
    assert (found["seconds"], found["first link"], found["last link"]) == (100.0, 45.0, 80.0)
    assert found["least validity left"] == 290.0
    assert (found["InService to arrival p50"], found["InService to arrival p99"]) == (5.0, 20.0)
    assert found["requests"] == {"list": 2, "describe": 0, "start": 2, "mint": 0}
    assert found["requests refused"] == {"ThrottlingException": 1}
    assert (found["starts per notebook"], found["slot seconds per notebook"]) == (1.0, 4.5)


def test_a_run_without_a_link_has_figures_too() -> None:
    found = figures(1000.0, 1100.0, {"ada": 30.0}, [], [], SlotUse(0.0, 0, 0))
    assert found["first link"] is found["last link"] is found["least validity left"] is None


def test_the_table_has_a_line_for_each_run_under_its_heads() -> None:
    good = {"lost": (), "twice": ()}
    death = {"at": 1050.0, "started": 2, "arrived": 1}
    runs = [
        {**a_run(), "run": "fleet-00", "killed": None, "verdict": good, "second tries": 0},
        {**a_run(), "run": "fleet-01", "killed": death, "verdict": good, "second tries": 1},
    ]
    heads, quiet, killed, *_ = table(runs).splitlines()
    assert heads.split()[0] == "run"
    assert all(head in heads for head in COLUMNS)
    assert quiet.split()[:4] == ["fleet-00", "-", "100", "45"]
    assert killed.split()[:2] == ["fleet-01", "2/1"]


def test_a_failed_run_is_reported_with_the_recipients() -> None:
    wrong = {
        "run": "fleet-01",
        "state": "success",
        "good": False,
        "verdict": {"lost": ("ada@example.com",), "late": ()},
    }
    said = verdict(wrong)
    assert "lost: ada@example.com" in said
    assert "late" not in said
