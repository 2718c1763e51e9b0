"""One notifier's attempts: mint, send, check the arrival; retry only if the message certainly did not arrive."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_sagemaker_presign.delivery import failures
from airflow_sagemaker_presign.delivery.failures import Failure
from airflow_sagemaker_presign.delivery.render_and_notify import render_and_notify
from airflow_sagemaker_presign.delivery.supervisor_channel import abandon
from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY, PresignedUrl
from airflow_sagemaker_presign.minting.redaction import redacted
from airflow_sagemaker_presign.runtime import Runtime

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 1.0
"""The wait before the second attempt, in seconds; it doubles for each further one."""


@dataclass(frozen=True)
class DeliveryPolicy:
    """The conditions under which a message counts as delivered."""

    min_validity: timedelta
    """How long a URL must still be valid when its send ends; if less is left, the link is late: not delivered."""
    attempts: int
    """The maximum number of attempts per notifier, each with a fresh URL."""
    require: str
    """``"all"`` notifiers must deliver, or ``"any"`` one."""


@dataclass(frozen=True)
class Delivery:
    """The outcome of one notifier: delivered if ``failure`` is empty."""

    notifier: str
    attempts: int
    failure: str = ""
    advice: str = ""
    delivered_at: datetime | None = None
    minted_at: datetime | None = None
    """Like the next two, ``None`` for a message without a presigned URL."""
    expires_at: datetime | None = None
    session_ends_by: datetime | None = None
    """The latest end of a session that the URL opens."""

    def receipt(self) -> dict[str, Any]:
        """Return what may be stored, as plain JSON values; the URL is not among them."""
        receipt: dict[str, Any] = {"notifier": self.notifier, "attempts": self.attempts}
        if self.failure or not self.delivered_at:
            return receipt | {"failure": self.failure}
        receipt["delivered_at"] = self.delivered_at.isoformat()
        if self.minted_at and self.expires_at and self.session_ends_by:
            receipt["minted_at"] = self.minted_at.isoformat()
            receipt["validity_left"] = round((self.expires_at - self.delivered_at).total_seconds(), 1)
            receipt["session_ends_by"] = self.session_ends_by.isoformat()
        return receipt


@dataclass(eq=False)
class DeliveryAttempts:
    """Makes one notifier's delivery attempts, each with a copy of it, in a thread of its own."""

    name: str
    notifier: Any
    context: Mapping[str, Any]
    """What the notifier's templates see, besides ``presigned_url``."""
    mint: Callable[[], PresignedUrl] | None
    """``None`` if the message has no presigned URL."""
    policy: DeliveryPolicy
    runtime: Runtime
    cancelled: threading.Event
    """Set when the task has ended and nothing more may be sent."""

    def __post_init__(self) -> None:
        self.thread = self.runtime.thread(self._run)
        self._sender: threading.Thread | None = None
        self._failed(0, failures.CANCELLED_BEFORE_ATTEMPT)

    def abandon(self) -> None:
        """Abandon the threads that still run: nobody waits for them any more."""
        for thread in (self.thread, self._sender):
            if thread is not None:
                abandon(thread)

    def _run(self) -> None:
        for attempt in range(1, self.policy.attempts + 1):
            failure = self._attempt(attempt)
            if failure is None:
                return
            self._failed(attempt, failure)
            if failure.pause is None or attempt == self.policy.attempts or self.cancelled.is_set():
                break
            wait = max(failure.pause, FIRST_BACKOFF_SECONDS * 2 ** (attempt - 1))
            log.warning("%s, attempt %d: %s; retrying in %g s.", self.name, attempt, failure.reason, wait)
            self.runtime.sleep(wait)
            if self.cancelled.is_set():
                break
        log.error(
            "%s did not deliver in time, after %d attempt(s): %s",
            self.name,
            self.delivery.attempts,
            self.delivery.failure,
        )

    def _failed(self, attempt: int, failure: Failure) -> None:
        self.delivery = Delivery(self.name, attempt, failure.reason, failure.advice)

    def _attempt(self, attempt: int) -> Failure | None:
        """Make one attempt, and return why it failed, or ``None``."""
        if self.mint is None:
            return self._send(None) or self._check_arrival(attempt, None)
        # The redaction starts before the mint, so that nothing that Airflow or AWS's client logs contains the URL.
        with redacted() as redact_also:
            try:
                presigned_url = self.mint()
            except BaseException as error:  # whatever ends a mint early means that there is no URL
                return failures.failed_mint(error)
            redact_also(presigned_url.url)
            return self._send(presigned_url) or self._check_arrival(attempt, presigned_url)

    def _check_arrival(self, attempt: int, presigned_url: PresignedUrl | None) -> Failure | None:
        """Return a failure if the link arrived late; otherwise record the delivery."""
        arrived = self.runtime.utc_now()
        if presigned_url is None:
            self.delivery = Delivery(self.name, attempt, delivered_at=arrived)
            log.info("%s delivered the message.", self.name)
            return None
        left = presigned_url.remaining(arrived)
        if left < self.policy.min_validity:
            return failures.late_arrival(left, self.policy.min_validity)
        self.delivery = Delivery(
            self.name,
            attempt,
            delivered_at=arrived,
            minted_at=presigned_url.minted_at,
            expires_at=presigned_url.expires_at,
            session_ends_by=presigned_url.expires_at + presigned_url.session_expiration_duration,
        )
        log.info("%s delivered the link with %.1f s of its validity left.", self.name, left.total_seconds())
        return None

    def _send(self, presigned_url: PresignedUrl | None) -> Failure | None:
        """Send once, and wait as long as the URL can still arrive in time; a send cannot be killed, only abandoned."""
        # Nothing expires without a URL. Such a send gets as long as one with a fresh URL, so that there is one rule.
        validity = URL_VALIDITY if presigned_url is None else presigned_url.remaining(self.runtime.utc_now())
        time_left = (validity - self.policy.min_validity).total_seconds()
        if time_left <= 0:
            return failures.TOO_OLD_TO_SEND
        errors: list[BaseException] = []
        self._sender = sender = self.runtime.thread(lambda: self._notify(presigned_url, errors))
        # Checked after the thread is recorded and before it starts: `abandon` is called after `cancelled` is set, and
        # abandons the threads recorded by then.
        if self.cancelled.is_set():
            return failures.CANCELLED_BEFORE_SEND
        sender.start()
        sender.join(time_left)
        if sender.is_alive():
            abandon(sender)
            return failures.HUNG_WITHOUT_URL if presigned_url is None else failures.HUNG
        return failures.failed_send(errors[0], has_url=presigned_url is not None) if errors else None

    def _notify(self, presigned_url: PresignedUrl | None, errors: list[BaseException]) -> None:
        notifier = copy.copy(self.notifier)
        try:
            if presigned_url is None:
                render_and_notify(notifier, {**self.context})
                return
            # A redaction of its own: an abandoned send holds the URL for longer than the attempt.
            with redacted(presigned_url.url):
                render_and_notify(notifier, {**self.context, "presigned_url": presigned_url})
        except BaseException as error:  # whatever ends a send early means that nothing was delivered
            errors.append(error)
