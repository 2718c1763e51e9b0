"""When a workspace is stopped at the latest."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo

LATE = timedelta(hours=1)
"""How late a task may begin, or be tried again, so that a time of day still means the one that has just passed."""


def stop_at_of(at_latest: time | timedelta | None, now: datetime, zone: tzinfo, run_began: datetime) -> datetime | None:
    """
    Return when a workspace is stopped at the latest.

    :param at_latest: a time of day, or a duration from now.
    :param now: the time (aware).
    :param zone: the time zone of a time that has none.
    :param run_began: when the DAG run began; a time of day before that is not meant.
    """
    if at_latest is None:
        return None
    if isinstance(at_latest, timedelta):
        return now + at_latest
    zone = at_latest.tzinfo or zone
    after = max(run_began, now - LATE)
    first_day = after.astimezone(zone).date()
    days = (
        datetime.combine(first_day + timedelta(days=day), at_latest.replace(tzinfo=None), zone) for day in (0, 1, 2)
    )
    return next(moment for moment in days if moment > after)
