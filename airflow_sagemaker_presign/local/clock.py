"""The clock of all local services, which tests advance instead of sleeping."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class LocalClock:
    """
    A clock that can be advanced.

    :param start: the time (aware) at which the clock stands still until it is advanced. None: the machine's time,
        plus the time by which the clock was advanced.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._ahead = timedelta()
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return (self._start or datetime.now(UTC)) + self._ahead

    def advance(self, seconds: float | timedelta) -> datetime:
        """
        Advance the clock.

        :param seconds: the time to add; not negative.
        :return: the new time.
        :raises ValueError: for a negative time.
        """
        step = seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
        if step < timedelta():
            raise ValueError(f"The clock can only be advanced, not changed by {seconds}.")
        self._ahead += step
        for listener in self._listeners:
            listener()
        return self.now()

    @property
    def seconds_ahead(self) -> float:
        """Seconds by which this clock is ahead of the machine's, for other processes."""
        if self._start is None:
            return self._ahead.total_seconds()
        return (self.now() - datetime.now(UTC)).total_seconds()

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` each time the clock is advanced."""
        self._listeners.append(listener)
