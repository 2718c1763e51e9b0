"""What became of a wait's requests so far: whether AWS ever answered, and outages, logged when they begin and end."""

from __future__ import annotations

from collections.abc import Callable

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.error_codes import (
    CLOCK_SKEW_CODES,
    EXPIRED_CREDENTIALS_CODES,
    STALE_CREDENTIALS_CODES,
)

OUTAGE_OVER_AFTER_SECONDS = 60.0
"""Seconds without a failed request, after which an outage counts as over."""

LOG_INTERVAL_SECONDS = 600.0
"""Seconds between two log lines about an outage that comes and goes."""


FIRST_RESPONSE_TIMEOUT_SECONDS = 240.0
"""Seconds without any answer of AWS, the first one included, after which a wait that never had one gives up."""


class FirstResponse:
    """
    Knows whether AWS ever answered: a name that is not found may be found later, but not for ever.

    That credentials have expired is no answer to what was asked.
    """

    def __init__(self) -> None:
        self.problem: exceptions.WorkspaceError | None = None
        """What was in the way last; ``None``: nothing was, or AWS answered before."""
        self.has_arrived = False
        self._failing_since: float | None = None

    def arrived(self) -> None:
        """Note an answer of AWS, be it a refusal."""
        self.has_arrived, self.problem = True, None

    def failed(self, error: exceptions.WorkspaceError, now: float) -> None:
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

    def given_up(self, now: float, since: float = 0.0) -> exceptions.WorkspaceError | None:
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
        return error.about(error, f"{never} {error.problem}")


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

    def request_failed(self, error: exceptions.WorkspaceError, now: float) -> str | None:
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


class RequestHistory:
    """
    What became of the requests of one poller, or of one task in the worker.

    :param log: takes a line about an outage that begins or ends, and whether it begins.
    """

    def __init__(self, log: Callable[[str, bool], object]) -> None:
        self.accepted = False
        """Whether AWS accepted a request of one of the waits, be it in another process."""
        self.first_response = FirstResponse()
        self.outage_log = OutageLog()
        self._log = log

    def succeeded(self, now: float) -> None:
        """Note a request that AWS accepted."""
        self.accepted = True
        self._responded(now)

    def failed(self, error: exceptions.WorkspaceError, now: float) -> exceptions.WorkspaceError:
        """
        Note a request that failed.

        :param error: why.
        :param now: seconds.
        :return: the error that the waits get: a :class:`SageMakerUnavailable`, through which they go on, or the same.
        """
        error = self._transient_if_accepted_before(error)
        if not isinstance(error, exceptions.SageMakerUnavailable):
            self._responded(now)
            return error
        self.first_response.failed(error, now)
        if line := self.outage_log.request_failed(error, now):
            self._log(line, True)
        return error

    def _responded(self, now: float) -> None:
        self.first_response.arrived()
        if line := self.outage_log.request_succeeded(now):
            self._log(line, False)

    def _transient_if_accepted_before(self, error: exceptions.WorkspaceError) -> exceptions.WorkspaceError:
        """Credentials and a clock that were good once are about to be good again: their refusal is an outage."""
        passes = error.code in CLOCK_SKEW_CODES or error.code in STALE_CREDENTIALS_CODES
        if not (self.accepted and passes) or isinstance(error, exceptions.SageMakerUnavailable):
            return error
        return exceptions.SageMakerUnavailable(
            error.name, error.problem, error.advice, noun=error.noun, code=error.code, request_id=error.request_id
        )
