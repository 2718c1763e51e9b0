"""Clock, sleep and threads as one argument of each component, so that tests can replace them."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time, as an aware datetime in UTC."""
    return datetime.now(UTC)


class Runtime:
    """The system's clock, sleep and threads."""

    def utc_now(self) -> datetime:
        """Return the current time, as an aware datetime in UTC."""
        return utc_now()

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self.utc_now().timestamp()

    def monotonic(self) -> float:
        """Return the seconds of a monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block for some seconds."""
        time.sleep(seconds)

    async def pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Suspend the coroutine for some seconds, or until ``wake`` is set."""
        if wake is None:
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait_for(wake.wait(), seconds)
        except TimeoutError:
            return

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        """
        Return a new thread, which the caller starts.

        It is a daemon, so that a send that hangs does not keep the task's process alive; it has the caller's context,
        so that logs and traces belong to the task.
        """
        return threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)


RUNTIME = Runtime()
"""The default of all components."""
