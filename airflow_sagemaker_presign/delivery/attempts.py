"""One notifier's attempts: mint, send, check the arrival; retry only where the message certainly did not arrive."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_sagemaker_presign.delivery import failures
from airflow_sagemaker_presign.delivery.failures import Failure
from airflow_sagemaker_presign.delivery.supervisor_channel import abandon
from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY, PresignedUrl
from airflow_sagemaker_presign.minting.redaction import redacted
from airflow_sagemaker_presign.runtime import Runtime

log = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 1.0
"""Seconds before the second attempt; each further one waits twice as long."""


@dataclass(frozen=True)
class DeliveryPolicy:
    """
    When a delivery counts.

    :param min_validity: how long a URL has to live on when its send ends; a later arrival is no delivery.
    :param attempts: how many times each notifier is tried, with a fresh URL each.
    :param require: ``"all"`` notifiers have to deliver, or ``"any"`` one.
    """

    min_validity: timedelta
    attempts: int
    require: str


@dataclass(frozen=True)
class Delivery:
    """
    What became of one notifier: delivered when ``failure`` is empty; the later fields only where one was minted.

    :param advice: what to do about the failure.
    """

    notifier: str
    attempts: int
    failure: str = ""
    advice: str = ""
    delivered_at: datetime | None = None
    minted_at: datetime | None = None
    expires_at: datetime | None = None
    session_ends_by: datetime | None = None

    def receipt(self) -> dict[str, Any]:
        """Return what may be kept of it, as plain JSON values; the URL is not among them."""
        receipt: dict[str, Any] = {"notifier": self.notifier, "attempts": self.attempts}
        if self.failure or not self.delivered_at:
            return receipt | {"failure": self.failure}
        receipt["delivered_at"] = self.delivered_at.isoformat()
        if self.minted_at and self.expires_at and self.session_ends_by:
            receipt["minted_at"] = self.minted_at.isoformat()
            receipt["validity_left"] = round((self.expires_at - self.delivered_at).total_seconds(), 1)
            receipt["session_ends_by"] = self.session_ends_by.isoformat()
        return receipt


class _NoPresignedUrl(Exception):
    """A notifier asks for a presigned URL where none is minted; the next try would ask again."""


@dataclass(eq=False)
class DeliveryAttempts:
    """
    Makes one notifier's delivery attempts, in a thread of its own.

    :param name: the notifier's, for people.
    :param mint: makes a URL for each attempt; ``None``: the message carries none, and there is none to judge.
    :param runtime: time, sleep and threads.
    :param cancelled: set when the task has ended, and nothing more may go out.
    """

    name: str
    notifier: Any
    context: Mapping[str, Any]
    mint: Callable[[], PresignedUrl] | None
    policy: DeliveryPolicy
    runtime: Runtime
    cancelled: threading.Event

    def __post_init__(self) -> None:
        self.thread = self.runtime.thread(self._run)
        self._sender: threading.Thread | None = None
        self._failed(0, failures.CANCELLED_BEFORE_ATTEMPT)

    def abandon(self) -> None:
        """Let go of whatever still runs, now that nobody waits for it any more."""
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
            log.warning("%s, attempt %d: %s; trying again in %g s.", self.name, attempt, failure.reason, wait)
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
        """Try once: why it failed, or nothing."""
        if self.mint is None:
            return self._send(None) or self._check_arrival(attempt, None)
        # From before the mint on: whatever Airflow and AWS's client log of the URL meanwhile loses it.
        with redacted() as redact_also:
            try:
                presigned_url = self.mint()
            except BaseException as error:  # whatever ends a mint early is no URL
                return failures.failed_mint(error)
            redact_also(presigned_url.url)
            return self._send(presigned_url) or self._check_arrival(attempt, presigned_url)

    def _check_arrival(self, attempt: int, presigned_url: PresignedUrl | None) -> Failure | None:
        """Tell a link that arrived in time from one that arrived late."""
        arrived = self.runtime.utc_now()
        if presigned_url is None:
            self.delivery = Delivery(self.name, attempt, delivered_at=arrived)
            log.info("%s delivered the launch URL.", self.name)
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
        """Send once, for as long as the URL can still arrive in time; a send cannot be killed, only left behind."""
        # Without a URL nothing grows old; a send gets as long as one with a fresh URL, so that there is one rule.
        validity = URL_VALIDITY if presigned_url is None else presigned_url.remaining(self.runtime.utc_now())
        time_left = (validity - self.policy.min_validity).total_seconds()
        if time_left <= 0:
            return failures.TOO_OLD_TO_SEND
        errors: list[BaseException] = []
        self._sender = sender = self.runtime.thread(lambda: self._notify(presigned_url, errors))
        # After it was made known, and before it starts: whoever sets this leaves behind what is known by then.
        if self.cancelled.is_set():
            return failures.CANCELLED_BEFORE_SEND
        sender.start()
        sender.join(time_left)
        if sender.is_alive():
            abandon(sender)
            return failures.HUNG_WITHOUT_URL if presigned_url is None else failures.HUNG
        if errors and isinstance(errors[0], _NoPresignedUrl):
            return failures.NOTHING_TO_SEND
        return failures.failed_send(errors[0]) if errors else None

    def _notify(self, presigned_url: PresignedUrl | None, errors: list[BaseException]) -> None:
        notifier = copy.copy(self.notifier)
        try:
            if presigned_url is None:
                _notify_without_presigned_url(notifier, {**self.context})
                return
            # For itself: a send that is left behind has the URL for longer than the attempt.
            with redacted(presigned_url.url):
                _notify(notifier, {**self.context, "presigned_url": presigned_url})
        except BaseException as error:  # whatever ends a send early is no delivery
            errors.append(error)


def _notify(notifier: Any, context: dict[str, Any]) -> None:
    """
    Do what calling a notifier does, and let its error out: on Airflow 2 the call itself logs it and goes on.

    https://airflow.apache.org/docs/apache-airflow/stable/howto/notifications.html
    """
    context.update({field: getattr(notifier, field) for field in notifier.template_fields})
    notifier.render_template_fields(context)
    sent = (notifier.async_notify if _is_only_awaitable(notifier) else notifier.notify)(context)
    if inspect.iscoroutine(sent):
        asyncio.run(sent)


def _is_only_awaitable(notifier: Any) -> bool:
    """Return whether a notifier has but the asynchronous one of the two ways that Airflow 3.1 and newer know."""
    from airflow_sagemaker_presign.compat import BaseNotifier

    base: Any = BaseNotifier
    kind = type(notifier)
    only = getattr(kind, "notify", None) is base.notify
    return only and getattr(kind, "async_notify", None) is not getattr(base, "async_notify", None)


def _notify_without_presigned_url(notifier: Any, context: dict[str, Any]) -> None:
    from jinja2 import UndefinedError

    try:
        _notify(notifier, context)
    except (UndefinedError, KeyError) as error:
        if "'presigned_url'" in str(error):
            raise _NoPresignedUrl from error
        raise
