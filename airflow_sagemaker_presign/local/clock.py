"""The clock that everything in this room reads, so that a test turns it instead of sleeping."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class LocalClock:
    """
    A clock that can be turned forward.

    :param start: stand still at this moment (aware) until somebody advances the clock. None: run with the
        machine's time, plus what it was advanced by.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._ahead = timedelta()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """Tell the time, aware, in UTC."""
        return (self._start or datetime.now(UTC)) + self._ahead

    def advance(self, seconds: float | timedelta) -> datetime:
        """
        Turn the clock forward.

        :param seconds: by how much; not negative, because a status never goes back in time.
        :return: what the clock shows now.
        """
        step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if step < timedelta():
            raise ValueError(f"A clock is turned forward only, not by {seconds}.")
        self._ahead += step
        for listener in self._listeners:
            listener()
        return self.now()

    @property
    def seconds_ahead(self) -> float:
        """How far this clock is ahead of the machine's (another process has to be told)."""
        if self._start is None:
            return self._ahead.total_seconds()
        return (self.now() - datetime.now(UTC)).total_seconds()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` each time the clock is turned."""
        self._listeners.append(listener)
