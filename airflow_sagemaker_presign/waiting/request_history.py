"""The outcome of a wait's requests so far: whether AWS ever responded, and outages, logged when they begin and end."""

from __future__ import annotations

from collections.abc import Callable

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.error_codes import (
    CLOCK_SKEW_CODES,
    STALE_CREDENTIALS_CODES,
    is_response,
)

OUTAGE_OVER_AFTER_SECONDS = 60.0
"""Seconds without a failed request after which an outage is over."""

LOG_INTERVAL_SECONDS = 600.0
"""The minimum number of seconds between two log lines about a recurring outage."""

FIRST_RESPONSE_TIMEOUT_SECONDS = 240.0
"""Seconds after which a wait gives up if AWS has never responded to any of its requests."""


class FirstResponse:
    """
    Tracks whether AWS has ever responded. A host name that does not resolve yet may do so later, but not after minutes.

    An error about expired credentials does not count as a response.
    """

    def __init__(self) -> None:
        self.problem: exceptions.WorkspaceError | None = None
        """The last failure; ``None``: there was none, or AWS has responded."""
        self.has_arrived = False
        self._failing_since: float | None = None

    def arrived(self) -> None:
        """Record a response of AWS, including an error response."""
        self.has_arrived, self.problem = True, None

    def failed(self, error: exceptions.WorkspaceError, now: float) -> None:
        """Record a failed request."""
        if is_response(error.code):
            self.arrived()
        elif not self.has_arrived:
            self.problem = error
            self._failing_since = now if self._failing_since is None else self._failing_since

    def given_up(self, now: float, since: float = 0.0) -> exceptions.WorkspaceError | None:
        """Return the error that ends a wait that began at ``since``; ``None``: keep waiting."""
        if self.problem is None or self._failing_since is None:
            return None
        if now - max(self._failing_since, since) < FIRST_RESPONSE_TIMEOUT_SECONDS:
            return None
        error = self.problem
        what = "accepted no request" if error.code else "not responded to any request"
        never = f"AWS has {what} in {FIRST_RESPONSE_TIMEOUT_SECONDS / 60:g} min."
        return error.about(error, f"{never} {error.problem}")


class OutageLog:
    """Tracks the outages of one poller, or of one wait in the worker, and returns the lines to log about them."""

    def __init__(self) -> None:
        self.problem = ""
        """The current failure, for the error of a wait whose deadline passes meanwhile; empty: there is none."""
        self.advice: str | None = None
        """What the reader can do about it."""
        self._last_at = 0.0
        self._logged_at: float | None = None
        self._is_logged = False

    def request_failed(self, error: exceptions.WorkspaceError, now: float) -> str | None:
        """Record a failed request; return the line to log, or ``None`` if the outage has been logged."""
        self.problem, self.advice, self._last_at = error.problem, error.advice, now
        if self._is_logged or (self._logged_at is not None and now - self._logged_at < LOG_INTERVAL_SECONDS):
            return None
        self._logged_at, self._is_logged = now, True
        return f"{error.problem} The wait continues, with fewer requests."

    def request_succeeded(self, now: float) -> str | None:
        """Record a request that AWS answered; return the line to log, or ``None``."""
        self.problem, self.advice = "", None
        if not self._is_logged or now - self._last_at < OUTAGE_OVER_AFTER_SECONDS:
            return None
        self._is_logged = False
        return "AWS responds again."


class RequestHistory:
    """
    The outcome of the requests of one poller, or of one task in the worker.

    :param log: called with a line about an outage, and whether the outage begins.
    """

    def __init__(self, log: Callable[[str, bool], object]) -> None:
        self.accepted = False
        """Whether AWS has accepted a request of one of the waits, in this or another process."""
        self.first_response = FirstResponse()
        self.outage_log = OutageLog()
        self._log = log

    def succeeded(self, now: float) -> None:
        """Record a request that AWS accepted."""
        self.accepted = True
        self._responded(now)

    def failed(self, error: exceptions.WorkspaceError, now: float) -> exceptions.WorkspaceError:
        """Record a failed request; return the error for the waits, which one that is transient does not end."""
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
        """Return a transient error for refused credentials, or a wrong clock, that AWS has accepted before."""
        may_pass = error.code in CLOCK_SKEW_CODES or error.code in STALE_CREDENTIALS_CODES
        if not (self.accepted and may_pass) or isinstance(error, exceptions.SageMakerUnavailable):
            return error
        return exceptions.SageMakerUnavailable(
            error.name, error.problem, error.advice, noun=error.noun, code=error.code, request_id=error.request_id
        )
