"""Time, sleep and threads, handed to each component as one argument, so that tests can hand in their own."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Runtime:
    """The system's own."""

    def utc_now(self) -> datetime:
        """Return the time."""
        return utc_now()

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self.utc_now().timestamp()

    def monotonic(self) -> float:
        """Return the seconds of a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)

    async def pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Let time pass on the event loop, at the longest until ``wake`` is set."""
        if wake is None:
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait_for(wake.wait(), seconds)
        except TimeoutError:
            return

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        """
        Return a thread, not started yet.

        A daemon, so that a send that hangs for ever does not keep the task's process; with the caller's context, so
        that logs and traces belong to the task.
        """
        return threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)


RUNTIME = Runtime()
"""What components take by default."""
