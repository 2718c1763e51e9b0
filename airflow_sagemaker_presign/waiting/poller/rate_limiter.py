"""Limits a poller's requests per second: a token bucket that shrinks when AWS throttles."""

from __future__ import annotations

import random

MAX_BACKOFF_SECONDS = 60.0
MIN_RATE_SHARE = 1 / 32
RECOVERY_PER_RESPONSE = 1 / 100
"""The share of the limit by which each response raises a rate that throttling lowered."""


class RateLimiter:
    """
    A token bucket for all requests of one client key.

    It holds the tokens of one second, so that no second has more than twice the limit. All times are seconds on a
    monotonic clock.

    :param per_second: the limit, in requests per second.
    :param jitter: random numbers for delays, so that many triggerers do not retry at the same moment.
    """

    def __init__(self, per_second: float, jitter: random.Random) -> None:
        if not per_second > 0:
            raise ValueError(f"requests_per_second must be above 0, not {per_second}.")
        self.limit = per_second
        self.rate = per_second
        self._jitter = jitter
        self._tokens = self._capacity
        self._filled_at = 0.0
        self._blocked_until = 0.0
        self._failures = 0

    def ready_at(self, now: float) -> float:
        """Return the earliest time for the next request."""
        self._fill(now)
        missing = max(0.0, 1.0 - self._tokens)
        return max(now + missing / self.rate, self._blocked_until)

    def take(self, now: float) -> None:
        """Take the token for a request that is about to be sent."""
        self._fill(now)
        self._tokens -= 1.0

    def record_response(self) -> None:
        """Record a response: a lowered rate rises a little."""
        self._failures = 0
        self.rate = min(self.limit, self.rate + self.limit * RECOVERY_PER_RESPONSE)

    def failed(self, now: float, *, throttled: bool) -> None:
        """
        Record a failed request: pause, twice as long for each failure in a row, up to a minute.

        :param now: the time, in seconds.
        :param throttled: whether AWS throttled the request; if so, the rate is halved.
        """
        self._failures += 1
        if throttled:
            self.rate = max(self.limit * MIN_RATE_SHARE, self.rate / 2)
            self._tokens = min(self._tokens, 0.0)
        pause = min(MAX_BACKOFF_SECONDS, 0.5 * 2.0 ** min(self._failures, 10))
        self._blocked_until = now + pause * self._jitter.uniform(0.5, 1.0)

    @property
    def _capacity(self) -> float:
        return max(1.0, self.rate)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._capacity, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = now
