"""Waits for what another thread or process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    condition: Callable[[], object], what: str | Callable[[], str] = "", timeout: float = 30, interval: float = 0.02
) -> None:
    """Wait until a condition holds; ``what`` describes it in the error, as a text or as a function for the latest."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"Not after {timeout:g} s: {what() if callable(what) else what}"
        time.sleep(interval)
