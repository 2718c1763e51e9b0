"""Limits a poller's requests per second: a token bucket that shrinks when AWS throttles."""

from __future__ import annotations

import random

MAX_BACKOFF_SECONDS = 60.0
MIN_RATE_SHARE = 1 / 32
RECOVERY_PER_RESPONSE = 1 / 100
"""What each answered request gives back of the limit, after AWS throttled."""


class RateLimiter:
    """
    A token bucket for all requests of one client key.

    It holds as many tokens as come in one second, so that no second sees more than twice the limit. All times are
    seconds of a clock that never goes back.

    :param per_second: the limit, in requests a second.
    :param jitter: random numbers, so that many triggerers do not come back at the same moment.
    """

    def __init__(self, per_second: float, jitter: random.Random) -> None:
        if not per_second > 0:
            raise ValueError(f"requests_per_second must be above 0, not {per_second}.")
        self.limit = per_second
        self.rate = per_second
        self._jitter = jitter
        self._tokens = self._most
        self._filled_at = 0.0
        self._blocked_until = 0.0
        self._failures = 0

    def ready_at(self, now: float) -> float:
        """Return from when on the next request may go out."""
        self._fill(now)
        missing = max(0.0, 1.0 - self._tokens)
        return max(now + missing / self.rate, self._blocked_until)

    def take(self, now: float) -> None:
        """Note that a request goes out."""
        self._fill(now)
        self._tokens -= 1.0

    def answered(self) -> None:
        """Note that a request was answered: a slowed bucket may get a little quicker."""
        self._failures = 0
        self.rate = min(self.limit, self.rate + self.limit * RECOVERY_PER_RESPONSE)

    def failed(self, now: float, *, throttled: bool) -> None:
        """
        Note that a request failed: pause, twice as long each time in a row, up to a minute.

        :param now: the time.
        :param throttled: whether AWS said that it was one too many; then the bucket gets slower, too.
        """
        self._failures += 1
        if throttled:
            self.rate = max(self.limit * MIN_RATE_SHARE, self.rate / 2)
            self._tokens = min(self._tokens, 0.0)
        pause = min(MAX_BACKOFF_SECONDS, 0.5 * 2.0 ** min(self._failures, 10))
        self._blocked_until = now + pause * self._jitter.uniform(0.5, 1.0)

    @property
    def _most(self) -> float:
        return max(1.0, self.rate)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._most, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = now
