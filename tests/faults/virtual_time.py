"""
Time that passes only in arithmetic, for an event loop and for threads: an hour of waiting takes milliseconds.

Each thread has its own clock, which its sleeps advance. None really sleeps: a thread that another one starts begins
at that one's moment, and one that joins it continues at the moment at which it ended. So what happens is the same each
time, whichever thread the machine runs first.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any

from airflow_sagemaker_presign.runtime import Runtime
from tests.helpers.simulated_account import BEGINNING


class VirtualTime:
    """Seconds since the beginning, as each thread has them."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @property
    def seconds(self) -> float:
        """How much time has passed for this thread."""
        return float(getattr(self._of_thread, "seconds", 0.0))

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        self._of_thread.seconds = seconds

    def sleep(self, seconds: float) -> None:
        """In the place of ``time.sleep``."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.seconds += seconds

    def wall(self) -> float:
        """Return the seconds since the epoch."""
        return BEGINNING + self.seconds

    def now(self) -> datetime:
        """Return the time."""
        return datetime.fromtimestamp(self.wall(), UTC)

    def run(self, work: Any) -> Any:
        """Run a coroutine in a new event loop, which continues from this thread's time."""
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self)) as runner:
            return runner.run(work)


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    An event loop whose time jumps to the next timer when nothing else is to be done.

    A call in a worker thread is made at once, and its result is set when it is time for it.
    """

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._worker = ThreadPoolExecutor(1)
        super().__init__(_JumpingSelector(time))

    def time(self) -> float:
        return self._time.seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> Any:
        began, ended = self._time.seconds, 0.0

        def work() -> Any:
            nonlocal ended
            self._time.seconds = began
            try:
                return func(*args)
            finally:
                ended = self._time.seconds

        done = self._worker.submit(work)
        error = done.exception()
        result = self.create_future()
        if error is None:
            self.call_at(ended, _unless_cancelled, result, result.set_result, done.result())
        else:
            self.call_at(ended, _unless_cancelled, result, result.set_exception, error)
        return result

    def close(self) -> None:
        self._worker.shutdown()
        super().close()


def _unless_cancelled(future: asyncio.Future[Any], complete: Callable[[Any], None], outcome: Any) -> None:
    if not future.done():
        complete(outcome)


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("The event loop would wait forever: no timer is due, and no thread would wake it.")
        if not ready and timeout is not None and timeout > 0:
            self._time.seconds += timeout
        return ready


class VirtualRuntime(Runtime):
    """Its pauses are the real ones, on a loop of virtual time."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time

    def utc_now(self) -> datetime:
        return self._time.now()

    def monotonic(self) -> float:
        return self._time.seconds

    def sleep(self, seconds: float) -> None:
        self._time.sleep(seconds)

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        return VirtualThread(self._time, run)


class VirtualThread(threading.Thread):
    """
    A thread that was joined with a timeout counts as alive while it is not yet time for its end.

    :param time: the time.
    :param run: what it does.
    """

    def __init__(self, time: VirtualTime, run: Callable[[], None]) -> None:
        self._time = time
        self._began = self._ended = 0.0
        self._work = run
        super().__init__(target=copy_context().run, args=(self._timed,), daemon=True)

    def start(self) -> None:
        self._began = self._time.seconds
        super().start()

    def join(self, timeout: float | None = None) -> None:
        super().join()
        now = self._time.seconds
        until = self._ended if timeout is None else min(self._ended, now + timeout)
        self._time.seconds = max(now, until)

    def is_alive(self) -> bool:
        return super().is_alive() or self._ended > self._time.seconds

    def _timed(self) -> None:
        self._time.seconds = self._began
        try:
            self._work()
        finally:
            self._ended = self._time.seconds
