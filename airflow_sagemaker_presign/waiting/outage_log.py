"""Outages of AWS, logged when they begin and when they end, and not for each request."""

from __future__ import annotations

from airflow_sagemaker_presign import exceptions

OUTAGE_OVER_AFTER_SECONDS = 60.0
"""Seconds without a failed request, after which an outage counts as over."""

LOG_INTERVAL_SECONDS = 600.0
"""Seconds between two log lines about an outage that comes and goes."""


FIRST_RESPONSE_TIMEOUT_SECONDS = 240.0
"""Seconds without any answer of AWS, the first one included, after which a wait that never had one gives up."""


EXPIRED_CREDENTIALS_CODES = frozenset({"ExpiredToken", "ExpiredTokenException"})
"""What AWS says to credentials of yesterday: others may take their place, and as long as none do, no request counts."""


class FirstResponse:
    """
    Knows whether AWS ever answered: a name that is not found may be found later, but not for ever.

    That credentials have expired is no answer to what was asked.
    """

    def __init__(self) -> None:
        self.problem: exceptions.NotebookInstanceError | None = None
        """What was in the way last; ``None``: nothing was, or AWS answered before."""
        self.has_arrived = False
        self._failing_since: float | None = None

    def arrived(self) -> None:
        """Note an answer of AWS, be it a refusal."""
        self.has_arrived, self.problem = True, None

    def failed(self, error: exceptions.NotebookInstanceError, now: float) -> None:
        """
        Note a request that came to nothing.

        :param error: why; one with a code is an answer of AWS.
        :param now: seconds.
        """
        if error.code and error.code not in EXPIRED_CREDENTIALS_CODES:
            self.arrived()
        elif not self.has_arrived:
            self.problem = error
            self._failing_since = now if self._failing_since is None else self._failing_since

    def given_up(self, now: float, since: float = 0.0) -> exceptions.NotebookInstanceError | None:
        """
        Return whether it is time to give up on a wait that AWS never answered.

        :param now: seconds.
        :param since: when the wait came.
        :return: the error to end it with; ``None``: go on.
        """
        if self.problem is None or self._failing_since is None:
            return None
        if now - max(self._failing_since, since) < FIRST_RESPONSE_TIMEOUT_SECONDS:
            return None
        error = self.problem
        what = "accepted no request" if error.code else "not answered once"
        never = f"AWS has {what} in {FIRST_RESPONSE_TIMEOUT_SECONDS / 60:g} min."
        return type(error)(error.notebook_instance_name, f"{never} {error.problem}", error.advice)


class OutageLog:
    """Tracks the outage of one poller, or of one wait in the worker, and returns what is worth a line in the log."""

    def __init__(self) -> None:
        self.problem = ""
        """What is wrong now, for those whose deadline passes meanwhile; empty: nothing is."""
        self.advice: str | None = None
        """What to do about it."""
        self._last_at = 0.0
        self._logged_at: float | None = None
        self._is_logged = False

    def request_failed(self, error: exceptions.NotebookInstanceError, now: float) -> str | None:
        """
        Note a request that came to nothing.

        :param error: why.
        :param now: seconds.
        :return: the line to log; ``None``: it was logged already.
        """
        self.problem, self.advice, self._last_at = error.problem, error.advice, now
        if self._is_logged or (self._logged_at is not None and now - self._logged_at < LOG_INTERVAL_SECONDS):
            return None
        self._logged_at, self._is_logged = now, True
        return f"{error.problem} The wait goes on, with fewer requests."

    def request_succeeded(self, now: float) -> str | None:
        """
        Note a request that was answered.

        :return: the line to log; ``None``: nothing.
        """
        self.problem, self.advice = "", None
        if not self._is_logged or now - self._last_at < OUTAGE_OVER_AFTER_SECONDS:
            return None
        self._is_logged = False
        return "AWS answers again."
