"""Trouble with AWS, told when it begins and when it ends, and not each time."""

from __future__ import annotations

QUIET = 60.0
"""Seconds without trouble, after which it counts as over."""

SELDOM = 600.0
"""Seconds between two tellings of trouble that comes and goes."""


class Trouble:
    """Remembers the trouble of one poller, or of one wait in the worker, and says what is worth a line in the log."""

    def __init__(self) -> None:
        self.problem = ""
        """What is wrong now, for those whose deadline passes meanwhile; empty: nothing is."""
        self._last_at = 0.0
        self._told_at: float | None = None
        self._telling = False

    def began(self, problem: str, now: float) -> str | None:
        """
        Note a request that came to nothing.

        :param problem: why.
        :param now: seconds.
        :return: what to tell; ``None``: it was told already.
        """
        self.problem, self._last_at = problem, now
        if self._telling or (self._told_at is not None and now - self._told_at < SELDOM):
            return None
        self._told_at, self._telling = now, True
        return f"{problem} The wait goes on, with fewer requests."

    def answered(self, now: float) -> str | None:
        """
        Note a request that was answered.

        :return: what to tell; ``None``: nothing.
        """
        self.problem = ""
        if not self._telling or now - self._last_at < QUIET:
            return None
        self._telling = False
        return "AWS answers again."
