from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_sagemaker_presign.triggers.garbage import others_left_alone


class Circle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collected() -> Iterator[list[int]]:
    """Make a full collection tell how many objects it looked through."""
    looked_through: list[int] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "start" and info["generation"] == 2:
            looked_through.append(len(gc.get_objects()))

    gc.callbacks.append(note)
    yield looked_through
    gc.callbacks.remove(note)


def test_a_full_collection_in_it_leaves_the_objects_of_others_alone(collected: list[int]) -> None:
    others = [[number] for number in range(50_000)]
    collected.clear()
    with others_left_alone():
        made = [[number] for number in range(100)]
        gc.collect()
    assert len(others) + len(made) == 50_100
    assert max(collected) < 25_000
    assert gc.get_freeze_count() == 0


def test_its_own_garbage_is_gone_at_the_end() -> None:
    with others_left_alone():
        Circle()
    assert not [each for each in gc.get_objects() if type(each) is Circle]


def test_it_ends_with_an_error_too() -> None:
    with pytest.raises(ValueError, match="of the block"), others_left_alone():
        raise ValueError("of the block")
    assert gc.get_freeze_count() == 0


def test_what_somebody_else_froze_stays_so() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with others_left_alone():
            pass
        # What is freed meanwhile is no longer counted.
        assert gc.get_freeze_count() > frozen / 2
    finally:
        gc.unfreeze()
