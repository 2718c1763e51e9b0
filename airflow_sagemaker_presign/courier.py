"""One notifier's way: mint, send, judge, and again where certainly nothing arrived."""

from __future__ import annotations

import contextvars
import copy
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_sagemaker_presign.link_choice import NO_PRESIGNED_URL
from airflow_sagemaker_presign.presigned_url import URL_VALIDITY, PresignedNotebookUrl
from airflow_sagemaker_presign.redaction import redact, redacted
from airflow_sagemaker_presign.send_outcome import may_have_arrived, retry_after

log = logging.getLogger(__name__)

FIRST_BACKOFF = 1.0
"""Seconds before the second attempt; each further one waits twice as long."""

MAX_RETRY_AFTER = 600.0
"""The longest pause, in seconds, that a service may ask for. No URL ages meanwhile: each attempt mints its own."""


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
    """What became of one notifier: delivered when ``failure`` is empty; the later fields only where one was minted."""

    notifier: str
    attempts: int
    failure: str = ""
    delivered_at: datetime | None = None
    minted_at: datetime | None = None
    expires_at: datetime | None = None
    session_ends_by: datetime | None = None

    def receipt(self) -> dict[str, Any]:
        """Answer what may be kept of it, as plain JSON values; the URL is not among them."""
        receipt: dict[str, Any] = {"notifier": self.notifier, "attempts": self.attempts}
        if self.failure or not self.delivered_at:
            return receipt | {"failure": self.failure}
        receipt["delivered_at"] = self.delivered_at.isoformat()
        if self.minted_at and self.expires_at and self.session_ends_by:
            receipt["minted_at"] = self.minted_at.isoformat()
            receipt["validity_left"] = round((self.expires_at - self.delivered_at).total_seconds(), 1)
            receipt["session_ends_by"] = self.session_ends_by.isoformat()
        return receipt


class _GivenUp(Exception):
    """A send is still under way, and its time is over."""


class _NotSent(Exception):
    """Nothing went out."""

    may_have_arrived = False


class _NoPresignedUrl(Exception):
    """A notifier asks for a presigned URL where none is minted; the next try would ask again."""


@dataclass(eq=False)
class Courier:
    """
    Brings one notifier's message on its way, in a thread of its own.

    :param name: the notifier's, for people.
    :param mint: makes a URL for each attempt; ``None``: the message carries none, and there is none to judge.
    :param cancelled: set when the task has ended, and nothing more may go out.
    """

    name: str
    notifier: Any
    context: Mapping[str, Any]
    mint: Callable[[], PresignedNotebookUrl] | None
    policy: DeliveryPolicy
    clock: Callable[[], datetime]
    sleep: Callable[[float], object]
    cancelled: threading.Event

    def __post_init__(self) -> None:
        self.delivery = Delivery(self.name, 0, "the task ended before it was tried")
        self.thread = _thread(self._run)

    def _run(self) -> None:
        for attempt in range(1, self.policy.attempts + 1):
            last = attempt == self.policy.attempts
            failure, pause = self._attempt(attempt)
            if not failure:
                return
            self.delivery = Delivery(self.name, attempt, failure)
            if pause is None or last or self.cancelled.is_set():
                break
            wait = max(pause, FIRST_BACKOFF * 2 ** (attempt - 1))
            log.warning("%s, attempt %d: %s; trying again in %g s.", self.name, attempt, failure, wait)
            self.sleep(wait)
            if self.cancelled.is_set():
                break
        log.error(
            "%s did not deliver after %d attempt(s): %s",
            self.name,
            self.delivery.attempts,
            self.delivery.failure,
        )

    def _attempt(self, attempt: int) -> tuple[str, float | None]:
        """Try once: why it failed, or nothing; and the pause before the next try, or ``None`` for no more."""
        if self.mint is None:
            return self._send_and_judge(attempt, None)
        try:
            presigned_url = self.mint()
        except Exception as error:
            return f"no URL could be minted: {describe(error)}", 0.0
        with redacted(presigned_url.url):
            return self._send_and_judge(attempt, presigned_url)

    def _send_and_judge(self, attempt: int, presigned_url: PresignedNotebookUrl | None) -> tuple[str, float | None]:
        try:
            self._send(presigned_url)
        except _GivenUp:
            if presigned_url is None:
                return "the send hung and was given up; it may still arrive, so it was not sent again", None
            return (
                "the send hung and was given up when its URL could no longer arrive in time; it may still arrive, "
                "with a link that works for minutes at most, so it was not sent again"
            ), None
        except _NoPresignedUrl:
            return NO_PRESIGNED_URL, None
        except BaseException as error:
            if may_have_arrived(error):
                return f"it may have arrived, so it was not sent again: {describe(error)}", None
            if (pause := retry_after(error)) > MAX_RETRY_AFTER:
                return f"the service asks to wait {pause:g} s: {describe(error)}", None
            return describe(error), pause
        return self._judge(attempt, presigned_url)

    def _judge(self, attempt: int, presigned_url: PresignedNotebookUrl | None) -> tuple[str, float | None]:
        arrived = self.clock()
        if presigned_url is None:
            self.delivery = Delivery(self.name, attempt, delivered_at=arrived)
            log.info("%s delivered the link to the door.", self.name)
            return "", None
        left = presigned_url.remaining(arrived)
        if left < self.policy.min_validity:
            return (
                f"it arrived with {max(0.0, left.total_seconds()):.0f} s of its URL's life left, "
                f"less than min_validity ({self.policy.min_validity.total_seconds():g} s)"
            ), 0.0
        self.delivery = Delivery(
            self.name,
            attempt,
            delivered_at=arrived,
            minted_at=presigned_url.minted_at,
            expires_at=presigned_url.expires_at,
            session_ends_by=presigned_url.expires_at + presigned_url.session_expiration_duration,
        )
        log.info("%s delivered the link with %.1f s of its validity left.", self.name, left.total_seconds())
        return "", None

    def _send(self, presigned_url: PresignedNotebookUrl | None) -> None:
        """Send once, for as long as the URL can still arrive in time; a send cannot be killed, only left behind."""
        notifier = copy.copy(self.notifier)
        errors: list[BaseException] = []

        def send() -> None:
            try:
                if presigned_url is None:
                    _notify_without_presigned_url(notifier, {**self.context})
                    return
                with redacted(presigned_url.url):
                    _notify(notifier, {**self.context, "presigned_url": presigned_url})
            except BaseException as error:  # whatever ends a send early is no delivery
                errors.append(error)

        # Without a URL nothing grows old; a send gets as long as one with a fresh URL, so that there is one rule.
        validity = URL_VALIDITY if presigned_url is None else presigned_url.remaining(self.clock())
        time_left = (validity - self.policy.min_validity).total_seconds()
        if time_left <= 0:
            raise _NotSent("its URL was too old before it could be sent")
        if self.cancelled.is_set():
            raise _NotSent("the task ended before it was sent")
        sender = _thread(send)
        sender.start()
        sender.join(time_left)
        if sender.is_alive():
            raise _GivenUp
        if errors:
            raise errors[0]


def _notify(notifier: Any, context: dict[str, Any]) -> None:
    """
    Do what calling a notifier does, and let its error out: on Airflow 2 the call itself logs it and goes on.

    https://airflow.apache.org/docs/apache-airflow/stable/howto/notifications.html
    """
    context.update({field: getattr(notifier, field) for field in notifier.template_fields})
    notifier.render_template_fields(context)
    notifier.notify(context)


def _notify_without_presigned_url(notifier: Any, context: dict[str, Any]) -> None:
    from jinja2 import UndefinedError

    try:
        _notify(notifier, context)
    except (UndefinedError, KeyError) as error:
        if "'presigned_url'" in str(error):
            raise _NoPresignedUrl from error
        raise


def describe(error: BaseException) -> str:
    """Say an error in a line; a URL in it is lost."""
    # Redacted in whole before it is cut: half a token would not be known as one.
    text = redact(" ".join(str(error).split()))[:500]
    return f"{type(error).__name__}: {text}".rstrip(".") if text else type(error).__name__


def _thread(run: Callable[[], None]) -> threading.Thread:
    # A daemon, so that a send that hangs for ever does not keep the task's process; with the caller's context, so
    # that logs and traces belong to the task.
    return threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
