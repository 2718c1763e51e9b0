"""Why a delivery attempt failed, whether another one may follow, and what the reader can do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from airflow_sagemaker_presign.delivery.link_mode import NO_PRESIGNED_URL
from airflow_sagemaker_presign.delivery.send_errors import error_text, may_have_arrived, retry_after
from airflow_sagemaker_presign.exceptions import SageMakerUnavailable, WorkspaceError
from airflow_sagemaker_presign.hooks.error_codes import STALE_CREDENTIALS_CODES
from airflow_sagemaker_presign.minting.redaction import redact

MAX_RETRY_AFTER_SECONDS = 600.0
"""The longest ``Retry-After`` to wait for, in seconds. Waiting costs no validity: each attempt mints its own URL."""

_FIX = "Fix the notifier's recipient or connection, then clear the task."
_ASK = "Ask the recipient whether the message came before you clear the task."
_LATE = (
    "Ask the recipient whether they opened the link in time. If so, there is nothing to do; if not, clear the task. If "
    "the notifier's sends always take that long, give the operator a shorter `min_validity`."
)
_SLOW_MINT = (
    "Clear the task; if this happens again, check the network between the worker and AWS, or give the operator a "
    "shorter `min_validity`."
)


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed, in one line without the URL, and what the reader of the task's error can do about it."""

    reason: str
    advice: str = ""
    pause: float | None = None
    """The minimum seconds before the next attempt; ``None`` if there must be none."""


CANCELLED_BEFORE_ATTEMPT = Failure("the task ended before the first attempt")
CANCELLED_BEFORE_SEND = Failure("the task ended before the message was sent")
TOO_OLD_TO_SEND = Failure("the URL was too old before it could be sent", _SLOW_MINT, pause=0.0)
HUNG_WITHOUT_URL = Failure("the send hung and was abandoned; it may still arrive, so it was not sent again", _ASK)
HUNG = Failure(
    "the send hung and was abandoned when the URL could no longer arrive in time; it may still arrive, with a link "
    "that works for minutes at most, so it was not sent again",
    _ASK,
)
NOTHING_TO_SEND = Failure(NO_PRESIGNED_URL, "Fix the notifier's templates, then clear the task.")


def failed_mint(error: BaseException) -> Failure:
    """Return why no URL could be minted. Only transient errors are worth another attempt."""
    reason = f"no URL could be minted: {describe(error)}"
    if not isinstance(error, WorkspaceError):
        return Failure(reason, "Check the task's AWS connection, then clear the task.", pause=0.0)
    # AWS may reject valid credentials for a moment, most of all new ones.
    is_transient = isinstance(error, SageMakerUnavailable) or error.code in STALE_CREDENTIALS_CODES
    return Failure(reason, error.advice, pause=0.0 if is_transient else None)


def failed_send(error: BaseException, *, has_url: bool) -> Failure:
    """Return why a send failed, with a presigned URL among the templates' variables or without one."""
    if not has_url and _is_about_the_missing_url(error):
        return NOTHING_TO_SEND
    if may_have_arrived(error):
        return Failure(f"it may have arrived, so it was not sent again: {describe(error)}", _ASK)
    if (pause := retry_after(error)) > MAX_RETRY_AFTER_SECONDS:
        return Failure(f"the service requires a {pause:g} s wait: {describe(error)}", "Clear the task after that time.")
    return Failure(describe(error), _FIX, pause)


def late_arrival(left: timedelta, min_validity: timedelta) -> Failure:
    """Return the failure of a link that arrived, but with less than ``min_validity`` left."""
    return Failure(
        f"it arrived late, with {max(0.0, left.total_seconds()):.0f} s of the URL's validity left, less than "
        f"min_validity ({min_validity.total_seconds():g} s), so it was not sent again",
        _LATE,
    )


def describe(error: BaseException) -> str:
    """Return an error in one line, without any URL."""
    # Without the advice, which the delivery's error gives once, after all reasons.
    problem = error.problem if isinstance(error, WorkspaceError) else error_text(error)
    # Redact first, then cut: the redaction does not recognise half a token.
    text = redact(" ".join(problem.split()))[:500]
    return f"{type(error).__name__}: {text}".rstrip(".") if text else type(error).__name__


def _is_about_the_missing_url(error: BaseException) -> bool:
    """Return whether a notifier used a presigned URL that there is not; a retry would fail the same way."""
    from jinja2 import UndefinedError

    return isinstance(error, (UndefinedError, KeyError)) and "'presigned_url'" in error_text(error)
