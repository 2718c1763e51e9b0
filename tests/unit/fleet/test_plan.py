from __future__ import annotations

import re

import pytest

from tests.fleet import plan


def test_a_run_is_the_same_each_time_and_runs_differ() -> None:
    assert plan.start_seconds(3, 50) == plan.start_seconds(3, 50)
    assert list(plan.start_seconds(3, 50).values()) != list(plan.start_seconds(4, 50).values())


def test_starts_take_twenty_to_sixty_seconds() -> None:
    seconds = plan.start_seconds(1, 200).values()
    assert 20 <= min(seconds) < 25
    assert 55 < max(seconds) <= 60


def test_no_two_runs_share_a_notebook_and_their_names_are_allowed() -> None:
    names = [*plan.start_seconds(1, 200), *plan.start_seconds(2, 200)]
    assert len(set(names)) == 400
    assert all(re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name) for name in names)


@pytest.mark.parametrize("runs", [1, 2, 10])
def test_the_killings_are_spread_from_the_first_start_to_the_last_link(runs: int) -> None:
    moments = sorted(plan.killing(number, runs).progress for number in range(1, runs + 1))
    assert all(0 < moment < 1 for moment in moments)
    tenths = [int((moment - 0.01) / 0.98 * runs) for moment in moments]
    assert tenths == list(range(runs))


def test_each_machine_is_killed_in_one_of_ten_runs_at_least() -> None:
    killings = [plan.killing(number, 10) for number in range(1, 11)]
    assert {killing.worker for killing in killings} == set(plan.WORKERS)
    assert {killing.triggerer for killing in killings} == set(plan.TRIGGERERS)
    assert all(plan.DOWN_SECONDS[0] <= killing.down <= plan.DOWN_SECONDS[1] for killing in killings)
