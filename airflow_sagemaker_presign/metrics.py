"""
Metrics, sent through Airflow's own metrics system; the documentation lists the names.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

PREFIX = "sagemaker_notebook"

log = logging.getLogger(__name__)


def incr(name: str) -> None:
    """Increment a counter."""
    _send("incr", name, 1)


def timing(name: str, duration: timedelta) -> None:
    """Record a duration."""
    _send("timing", name, duration)


def gauge(name: str, value: float) -> None:
    """Set the current value of a gauge."""
    _send("gauge", name, value)


def _send(kind: str, name: str, value: Any) -> None:
    from airflow_sagemaker_presign.compat import Stats

    try:
        getattr(Stats, kind)(f"{PREFIX}.{name}", value)
    except Exception as error:
        # A failure to send a metric must not fail a task that has delivered its link.
        log.debug("The metric %s was not sent: %s", name, type(error).__name__)
