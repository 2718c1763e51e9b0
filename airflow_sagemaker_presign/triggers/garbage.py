"""Python's garbage collector, kept from costing an event loop its turn."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def others_left_alone() -> Iterator[None]:
    """
    Make many objects without a full collection of the whole process.

    A client of AWS and what it imports are more than 60,000 objects: enough for Python to look through all that a
    triggerer has, for 0.2 s in which no trigger moves. Here it only looks through the new ones.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    if gc.get_freeze_count():
        # By somebody else, or for another client just now: to unfreeze is theirs.
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
