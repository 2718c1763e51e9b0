"""
Mint, send, judge: for each notifier on its own, before the URL dies.

Each notifier has a thread and mints of its own, so a slow mail server does not eat Slack's five minutes. A send that
may have arrived is never repeated within a try of the task, whatever became of it; one that certainly did not arrive
is, with a fresh URL.
"""

from __future__ import annotations

import contextvars
import copy
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_sagemaker_presign.exceptions import NotebookUrlDeliveryError
from airflow_sagemaker_presign.presigned_url import PresignedNotebookUrl
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
    """What became of one notifier: delivered when ``failure`` is empty."""

    notifier: str
    attempts: int
    failure: str = ""
    minted_at: datetime | None = None
    delivered_at: datetime | None = None
    expires_at: datetime | None = None
    session_ends_by: datetime | None = None

    def receipt(self) -> dict[str, Any]:
        """Answer what may be kept of it, as plain JSON values; the URL is not among them."""
        if self.failure or not (self.minted_at and self.delivered_at and self.expires_at and self.session_ends_by):
            return {"notifier": self.notifier, "attempts": self.attempts, "failure": self.failure}
        return {
            "notifier": self.notifier,
            "attempts": self.attempts,
            "minted_at": self.minted_at.isoformat(),
            "delivered_at": self.delivered_at.isoformat(),
            "validity_left": round((self.expires_at - self.delivered_at).total_seconds(), 1),
            "session_ends_by": self.session_ends_by.isoformat(),
        }


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def deliver(
    notifiers: Sequence[Any],
    context: Mapping[str, Any],
    mint: Callable[[], PresignedNotebookUrl],
    policy: DeliveryPolicy,
    *,
    notebook_instance_name: str,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], object] = time.sleep,
) -> list[Delivery]:
    """
    Send a fresh URL through every notifier, side by side.

    :param notifiers: Airflow notifiers. They are copied, never changed.
    :param context: what their templates see, besides ``presigned_url``.
    :param mint: makes a URL; called once per notifier and attempt, from that notifier's thread.
    :param policy: when a delivery counts.
    :param notebook_instance_name: for the error's text.
    :param clock: tells the time; for tests.
    :param sleep: waits between attempts; for tests.
    :return: what became of each notifier, in their order.
    :raises NotebookUrlDeliveryError: when a notifier (with ``require="any"``: every one) failed, after all were tried.
    """
    cancelled = threading.Event()
    couriers = [
        _Courier(_name_of(notifiers, index, context), notifier, context, mint, policy, clock, sleep, cancelled)
        for index, notifier in enumerate(notifiers)
    ]
    try:
        for courier in couriers:
            courier.thread.start()
        for courier in couriers:
            courier.thread.join()
    finally:
        # Whatever ends the task early (a kill, its execution timeout) must not leave a courier that sends on.
        cancelled.set()
    deliveries = [courier.delivery for courier in couriers]
    failures = {delivery.notifier: delivery.failure for delivery in deliveries if delivery.failure}
    delivered = tuple(delivery.notifier for delivery in deliveries if not delivery.failure)
    if failures and (policy.require == "all" or not delivered):
        raise NotebookUrlDeliveryError(notebook_instance_name, failures, delivered)
    return deliveries


def prepare(notifiers: Sequence[Any], context: Mapping[str, Any], require: str) -> None:
    """
    Let the notifiers that can say so say now what would keep them from sending.

    :param notifiers: Airflow notifiers; the ready-made ones have a ``prepare``, others need none.
    :param context: what their templates see.
    :param require: ``"all"`` of them have to be ready, or ``"any"`` one.
    :raises Exception: what the first one says that is not ready.
    """
    errors: list[Exception] = []
    for notifier in notifiers:
        try:
            if hasattr(notifier, "prepare"):
                notifier.prepare(context)
        except Exception as error:
            log.warning("%s will not be able to send: %s", type(notifier).__name__, describe(error))
            errors.append(error)
    if errors and (require == "all" or len(errors) == len(notifiers)):
        raise errors[0]


class _GivenUp(Exception):
    """A send is still under way, and its URL can no longer arrive in time."""


class _NotSent(Exception):
    """Nothing went out."""

    may_have_arrived = False


@dataclass(eq=False)
class _Courier:
    """Brings one notifier's message on its way, in a thread of its own."""

    name: str
    notifier: Any
    context: Mapping[str, Any]
    mint: Callable[[], PresignedNotebookUrl]
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
        try:
            presigned_url = self.mint()
        except Exception as error:
            return f"no URL could be minted: {describe(error)}", 0.0
        with redacted(presigned_url.url):
            try:
                self._send(presigned_url)
            except _GivenUp:
                return (
                    "the send hung and was given up when its URL could no longer arrive in time; it may still arrive, "
                    "with a link that works for minutes at most, so it was not sent again"
                ), None
            except BaseException as error:
                if may_have_arrived(error):
                    return f"it may have arrived, so it was not sent again: {describe(error)}", None
                if (pause := retry_after(error)) > MAX_RETRY_AFTER:
                    return f"the service asks to wait {pause:g} s: {describe(error)}", None
                return describe(error), pause
            return self._judge(presigned_url, attempt)

    def _judge(self, presigned_url: PresignedNotebookUrl, attempt: int) -> tuple[str, float | None]:
        arrived = self.clock()
        left = presigned_url.remaining(arrived)
        if left < self.policy.min_validity:
            return (
                f"it arrived with {max(0.0, left.total_seconds()):.0f} s of its URL's life left, "
                f"less than min_validity ({self.policy.min_validity.total_seconds():g} s)"
            ), 0.0
        self.delivery = Delivery(
            self.name,
            attempt,
            minted_at=presigned_url.minted_at,
            delivered_at=arrived,
            expires_at=presigned_url.expires_at,
            session_ends_by=presigned_url.expires_at + presigned_url.session_expiration_duration,
        )
        log.info("%s delivered the link with %.1f s of its validity left.", self.name, left.total_seconds())
        return "", None

    def _send(self, presigned_url: PresignedNotebookUrl) -> None:
        """Send once, for as long as the URL can still arrive in time; a send cannot be killed, only left behind."""
        notifier = copy.copy(self.notifier)
        errors: list[BaseException] = []

        def send() -> None:
            with redacted(presigned_url.url):
                try:
                    _notify(notifier, {**self.context, "presigned_url": presigned_url})
                except BaseException as error:  # whatever ends a send early is no delivery
                    errors.append(error)

        time_left = (presigned_url.remaining(self.clock()) - self.policy.min_validity).total_seconds()
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


def describe(error: BaseException) -> str:
    """Say an error in a line; a URL in it is lost."""
    # Redacted in whole before it is cut: half a token would not be known as one.
    text = redact(" ".join(str(error).split()))[:500]
    return f"{type(error).__name__}: {text}".rstrip(".") if text else type(error).__name__


def _thread(run: Callable[[], None]) -> threading.Thread:
    # A daemon, so that a send that hangs for ever does not keep the task's process; with the caller's context, so
    # that logs and traces belong to the task.
    return threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)


def _name_of(notifiers: Sequence[Any], index: int, context: Mapping[str, Any]) -> str:
    """Name a notifier, its number among those of its kind, and whom it is to reach where it has a field for that."""
    notifier = notifiers[index]
    name = type(notifier).__name__
    twins = [i for i, other in enumerate(notifiers) if type(other).__name__ == name]
    numbered = name if len(twins) == 1 else f"{name} #{twins.index(index) + 1}"
    for field in ("to", "user", "channel", "target_arn", "recipients"):
        if value := getattr(notifier, field, None):
            try:
                value = notifier.render_template(value, {**context})
            except Exception:  # It speaks of the link, or is wrong; the send will say so.
                return numbered
            shown = value if isinstance(value, str) else ", ".join(map(str, value))
            return f"{numbered} to {redact(shown)[:200]}"
    return numbered
