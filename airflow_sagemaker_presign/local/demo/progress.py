"""The demo's progress output: a line for each step, with its duration."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

_WIDTH = 44


class Progress:
    """
    Print steps. On a terminal the step that runs now is a line whose seconds count up.

    :param on_terminal: whether lines can be rewritten.
    """

    def __init__(self, on_terminal: bool) -> None:
        self._on_terminal = on_terminal
        self._name: str | None = None
        self._started = 0.0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """
        Show a step for the duration of the block.

        :param name: what is being done.
        """
        self.begin(name)
        try:
            yield
        except BaseException:
            self.give_up()
            raise
        self.end()

    def begin(self, name: str) -> None:
        """End the step before, if one runs, and begin the next."""
        self.end()
        self._started = time.monotonic()
        with self._lock:
            self._name = name
        if self._on_terminal:
            threading.Thread(target=self._count, args=(name,), daemon=True).start()

    def end(self) -> None:
        """End the current step; its time is final."""
        with self._lock:
            if self._name is not None:
                self._write(self._name, end="\n")
            self._name = None

    def give_up(self) -> None:
        """End the current step as not finished."""
        with self._lock:
            if self._name is not None:
                self._write(self._name, end="   not finished\n")
            self._name = None

    def write(self, text: str = "") -> None:
        """
        Print something else, between steps.

        :param text: one or more lines.
        """
        self.end()
        print(text, flush=True)

    def _count(self, name: str) -> None:
        while True:
            with self._lock:
                if self._name != name:
                    return
                self._write(name, end="")
            time.sleep(0.5)

    def _write(self, name: str, end: str) -> None:
        start = "\r" if self._on_terminal else ""
        line = f"{start}  {name:{_WIDTH}}{time.monotonic() - self._started:6.1f} s{end}"
        # Writing to a closed terminal fails; the demo must continue to clean up.
        with contextlib.suppress(OSError):
            sys.stdout.write(line)
            sys.stdout.flush()
