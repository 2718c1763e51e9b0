from __future__ import annotations

from typing import Any

import pytest

from tests.fleet.judgement import Link, Verdict, judge

WANTED = {"ada@example.com": "ada", "grace@example.com": "grace"}


def link(person: str, **values: Any) -> Link:
    usual: dict[str, Any] = {
        "recipient": f"{person}@example.com",
        "run_id": "fleet-01",
        "try_number": 1,
        "arrived_at": 100.0,
        "notebook": person,
        "minted_at": 99.0,
    }
    return Link(**{**usual, **values})


def start(notebook: str, error: str | None = None) -> dict[str, Any]:
    return {"operation": "StartNotebookInstance", "notebook": notebook, "at": 50.0, "error": error}


GOOD = [link("ada"), link("grace")]
STARTS = [start("ada"), start("grace")]


def test_a_link_for_each_and_a_start_for_each_is_good() -> None:
    verdict = judge(WANTED, GOOD, STARTS)
    assert verdict == Verdict()
    assert verdict.is_good


@pytest.mark.parametrize(
    ("links", "found"),
    [
        (GOOD[:1], {"lost": ("grace@example.com",)}),
        (
            [GOOD[0], link("grace", minted_at=39.9)],
            {"lost": ("grace@example.com",), "late": ("grace@example.com",)},
        ),
        (
            [GOOD[0], link("grace", notebook="ada")],
            {"lost": ("grace@example.com",), "astray": ("grace@example.com",)},
        ),
        (
            [GOOD[0], link("grace", notebook=None, minted_at=None)],
            {"lost": ("grace@example.com",), "astray": ("grace@example.com",)},
        ),
        ([*GOOD, link("ada", arrived_at=130.0, minted_at=130.0)], {"twice": ("ada@example.com",)}),
    ],
    ids=["no link", "too old on arrival", "somebody else's", "opens nothing", "two within a try"],
)
def test_the_judgement_names_each_fault_of_a_link(links: list[Link], found: dict[str, Any]) -> None:
    verdict = judge(WANTED, links, STARTS)
    assert verdict == Verdict(**found)
    assert not verdict.is_good


def test_exactly_the_validity_that_is_asked_for_is_enough() -> None:
    assert judge(WANTED, [GOOD[0], link("grace", minted_at=40.0)], STARTS).is_good


def test_another_try_may_send_another_link() -> None:
    assert judge(WANTED, [*GOOD, link("ada", try_number=2)], STARTS).is_good


def test_a_late_link_and_one_in_time_of_another_try_is_late_but_not_lost() -> None:
    late = link("ada", minted_at=10.0)
    assert judge(WANTED, [late, link("ada", try_number=2), GOOD[1]], STARTS) == Verdict(late=("ada@example.com",))


@pytest.mark.parametrize("error", [None, "ValidationException"])
def test_a_second_start_is_wrong_even_when_it_is_refused(error: str | None) -> None:
    verdict = judge(WANTED, GOOD, [*STARTS, start("grace", error)])
    assert verdict == Verdict(started_twice=("grace",))


def test_a_task_that_failed_is_wrong_though_its_link_arrived() -> None:
    assert judge(WANTED, GOOD, STARTS, ["1 is failed"]) == Verdict(failed=("1 is failed",))
