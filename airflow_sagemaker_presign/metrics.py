"""
What operators of Airflow watch, through Airflow's own metrics; the README lists the names.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_sagemaker_presign.courier import Delivery

PREFIX = "sagemaker_notebook"

log = logging.getLogger(__name__)


def report_deliveries(deliveries: Iterable[Delivery], context: Mapping[str, Any]) -> None:
    """
    Count links that arrived and that did not, with the life that was left, and how long after InService it was.

    :param deliveries: what became of each notifier.
    :param context: what the notifiers saw.
    """
    in_service_since = _in_service_since(context)
    for delivery in deliveries:
        if delivery.failure or delivery.delivered_at is None:
            count("links_failed")
            continue
        count("links_delivered")
        if delivery.expires_at is not None:
            lasted("validity_left", delivery.expires_at - delivery.delivered_at)
        if in_service_since is not None:
            lasted("in_service_to_arrival", delivery.delivered_at - in_service_since)


def count(name: str, by: int = 1) -> None:
    """Count something that happened."""
    _send("incr", name, by)


def lasted(name: str, duration: timedelta) -> None:
    """Say how long something took."""
    _send("timing", name, duration)


def level(name: str, value: float) -> None:
    """Say how much there is of something."""
    _send("gauge", name, value)


def _send(kind: str, name: str, value: Any) -> None:
    from airflow.providers.common.compat.sdk import Stats

    try:
        getattr(Stats, kind)(f"{PREFIX}.{name}", value)
    except Exception as error:
        # A link that arrived has arrived, whatever becomes of the figures.
        log.debug("The metric %s was not sent: %s", name, type(error).__name__)


def _in_service_since(context: Mapping[str, Any]) -> datetime | None:
    """Say since when the notebook has been InService; nothing for one that was it before the task began."""
    since = (context.get("notebook_instance") or {}).get("LastModifiedTime")
    began = getattr(context.get("ti"), "start_date", None)
    if not isinstance(since, datetime) or not isinstance(began, datetime) or since < began:
        return None
    return since
