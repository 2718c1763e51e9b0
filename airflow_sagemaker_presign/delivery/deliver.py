"""
Delivery by all notifiers: mint, send and check the arrival for each of them, before the URL expires.

Each notifier has its own thread and its own URLs, so a slow mail server does not use up Slack's five minutes. A send
that may have arrived, or arrived late, is never repeated within a try of the task; one that certainly did not arrive
is repeated, with a fresh URL.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from airflow_sagemaker_presign import metrics
from airflow_sagemaker_presign.delivery.attempts import Delivery, DeliveryAttempts, DeliveryPolicy
from airflow_sagemaker_presign.delivery.failures import describe
from airflow_sagemaker_presign.delivery.supervisor_channel import serialize_requests
from airflow_sagemaker_presign.exceptions import LinkDeliveryError, Named
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl
from airflow_sagemaker_presign.minting.redaction import redact
from airflow_sagemaker_presign.runtime import RUNTIME, Runtime

log = logging.getLogger(__name__)


def deliver(
    notifiers: Sequence[Any],
    context: Mapping[str, Any],
    mint: Callable[[], PresignedUrl] | None,
    policy: DeliveryPolicy,
    *,
    workspace: Named,
    runtime: Runtime = RUNTIME,
    of: Literal["links", "stop_warnings"] = "links",
) -> list[Delivery]:
    """
    Send the link through every notifier, each with a fresh URL unless the message has none.

    The notifiers send in parallel, except where only one thread can talk to Airflow (``airflow dags test``).

    :param notifiers: Airflow notifiers. They are copied, never changed.
    :param mint: called once per notifier and attempt, from that notifier's thread. With ``None`` nothing is minted, and
        the notifiers see no ``presigned_url``.
    :param of: what is delivered, for the metrics.
    :return: the outcome of each notifier, in their order.
    :raises LinkDeliveryError: if a notifier (with ``require="any"``: every one) failed, after all were tried.
    """
    cancelled = threading.Event()
    all_attempts = [
        DeliveryAttempts(_name_of(notifiers, index, context), notifier, context, mint, policy, runtime, cancelled)
        for index, notifier in enumerate(notifiers)
    ]
    try:
        in_parallel = serialize_requests()
        for attempts in all_attempts:
            attempts.thread.start()
            if not in_parallel:
                attempts.thread.join()
        for attempts in all_attempts:
            attempts.thread.join()
    finally:
        # Whatever ends the task early (a kill, its execution timeout) must not leave a thread that keeps sending.
        cancelled.set()
        for attempts in all_attempts:
            attempts.abandon()
    deliveries = [attempts.delivery for attempts in all_attempts]
    record_metrics(deliveries, context, of)
    _raise_if_not_delivered(deliveries, policy, workspace)
    return deliveries


def _raise_if_not_delivered(deliveries: Sequence[Delivery], policy: DeliveryPolicy, workspace: Named) -> None:
    failed = [delivery for delivery in deliveries if delivery.failure]
    delivered = tuple(delivery.notifier for delivery in deliveries if not delivery.failure)
    if failed and (policy.require == "all" or not delivered):
        failures = {delivery.notifier: delivery.failure for delivery in failed}
        advice = {delivery.notifier: delivery.advice for delivery in failed}
        raise LinkDeliveryError(workspace.name, failures, delivered, advice, workspace.noun)


def prepare(notifiers: Sequence[Any], context: Mapping[str, Any], require: str) -> None:
    """
    Check, as far as the notifiers can, that all of them, or with ``require="any"`` one, will be able to send.

    The ready-made ones have a ``prepare``, others need none. The error of the first one that is not ready is raised.
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


def record_metrics(deliveries: Iterable[Delivery], context: Mapping[str, Any], of: str = "links") -> None:
    """Count what was delivered and failed; of links, record the remaining validity and the time since InService."""
    if of == "stop_warnings":
        for delivery in deliveries:
            if delivery.failure:
                metrics.incr("stop_warnings_failed")
            else:
                metrics.incr("stop_warnings_delivered")
        return
    in_service_since = _in_service_since(context)
    for delivery in deliveries:
        if delivery.failure or delivery.delivered_at is None:
            metrics.incr("links_failed")
            continue
        metrics.incr("links_delivered")
        if delivery.expires_at is not None:
            metrics.timing("validity_left", delivery.expires_at - delivery.delivered_at)
        if in_service_since is not None:
            metrics.timing("in_service_to_arrival", delivery.delivered_at - in_service_since)


def _in_service_since(context: Mapping[str, Any]) -> datetime | None:
    """Return since when the workspace has been InService; ``None`` if it was before the task started."""
    since = (context.get("workspace_description") or {}).get("LastModifiedTime")
    began = getattr(context.get("ti"), "start_date", None)
    if not isinstance(since, datetime) or not isinstance(began, datetime) or since < began:
        return None
    return since


def _name_of(notifiers: Sequence[Any], index: int, context: Mapping[str, Any]) -> str:
    """Return a notifier's class, its number among those of the class, and its recipient if it has a field for one."""
    notifier = notifiers[index]
    name = type(notifier).__name__
    twins = [i for i, other in enumerate(notifiers) if type(other).__name__ == name]
    numbered = name if len(twins) == 1 else f"{name} #{twins.index(index) + 1}"
    for field in ("to", "user", "channel", "target_arn", "recipients"):
        if value := getattr(notifier, field, None):
            try:
                value = notifier.render_template(value, {**context})
                shown = ", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)
            except Exception:  # It refers to the link, or is wrong; in that case the send raises.
                return numbered
            return f"{numbered} to {redact(shown)[:200]}"
    return numbered
