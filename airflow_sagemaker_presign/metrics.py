"""
What operators of Airflow watch, through Airflow's own metrics; the README lists the names.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/metrics.html
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

PREFIX = "sagemaker_notebook"

log = logging.getLogger(__name__)


def incr(name: str, by: int = 1) -> None:
    """Count something that happened."""
    _send("incr", name, by)


def timing(name: str, duration: timedelta) -> None:
    """Say how long something took."""
    _send("timing", name, duration)


def gauge(name: str, value: float) -> None:
    """Say how much there is of something."""
    _send("gauge", name, value)


def _send(kind: str, name: str, value: Any) -> None:
    from airflow_sagemaker_presign.compat import Stats

    try:
        getattr(Stats, kind)(f"{PREFIX}.{name}", value)
    except Exception as error:
        # A link that arrived has arrived, whatever becomes of the figures.
        log.debug("The metric %s was not sent: %s", name, type(error).__name__)
