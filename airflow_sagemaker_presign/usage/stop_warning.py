"""The announcement of a stop, for messages; and the key under which a launch page stores that somebody objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

KEEP_KEY = "sagemaker_presign_keep"
"""The XCom of the stop task's instance, written by the launch page: when somebody last pressed "Keep it running"."""


@dataclass(frozen=True)
class StopWarning:
    """
    A stop that Airflow is about to make: the variable ``stop_warning`` of the notifiers' templates.

    :param stops_at: when (aware).
    :param idle_for: how long the notebook must be idle until it is stopped; a "Keep it running" lasts as long.
    :param idle_since: since when it is idle (aware); ``None`` if it is not idle, or nobody knows.
    :param at_latest: whether it stops in any case, whatever runs, at ``at_latest``. Nobody can keep it running then.
    :param latest_at: when it stops in any case (aware); ``None``: never.
    :param running: what is in use right now, in words, such as ``a busy kernel (python3)``; empty: nothing.
    :param unknown: why nobody knows whether it is in use, as a sentence; empty: it is known.
    """

    stops_at: datetime
    idle_for: timedelta
    idle_since: datetime | None = None
    at_latest: bool = False
    latest_at: datetime | None = None
    running: str = ""
    unknown: str = ""
