"""Times and durations as a person reads them."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from airflow_sagemaker_presign.validation import reject


def zone_of(name: str, parameter: str = "timezone") -> tzinfo:
    """
    Find a time zone by its IANA name.

    :param name: such as ``Europe/Berlin`` or ``UTC``.
    :param parameter: where the name was written, for the error.
    :raises ValueError: when there is no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, TypeError, OSError):
        # An OSError is what a directory of time zones gives, such as "Europe".
        reject(parameter, name, "an IANA time zone, such as 'Europe/Berlin' or 'UTC'")


def default_zone() -> tzinfo:
    """Return the time zone that Airflow itself takes for default (``core.default_timezone``)."""
    from airflow_sagemaker_presign.compat import conf

    name = conf.get("core", "default_timezone", fallback="utc")
    if name == "system":
        return datetime.now().astimezone().tzinfo or ZoneInfo("UTC")
    return zone_of("UTC" if name == "utc" else name, "[core] default_timezone")


def clock_time(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """
    Say a moment as a clock on the wall shows it: ``09:35 CET (Europe/Berlin)``, with the day unless it is today.

    Seconds are dropped: what works until 09:35:40 is said to work until 09:35, never longer than it does.

    :param moment: what to say.
    :param zone: in whose time.
    :param now: what "today" is.
    """
    local = moment.astimezone(zone)
    said = f"{local:%H:%M} {_zone_name(local, zone)}"
    if local.date() == now.astimezone(zone).date():
        return said
    return f"{said} on {local:%A}, {local.day} {local:%B}"


def _zone_name(local: datetime, zone: tzinfo) -> str:
    name = local.tzname() or ""
    if not name.isalpha():
        # Zones without letters of their own ("-03"): say what the number means.
        offset = f"{local:%z}"
        name = f"UTC{offset[:3]}:{offset[3:5]}"
    key = getattr(zone, "key", name)
    return name if key == name else f"{name} ({key})"


def format_duration(duration: timedelta) -> str:
    """Say a duration in words: ``7 days``, ``1 hour 30 minutes``."""
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    counts = ((days, "day"), (hours, "hour"), (minutes, "minute"), (seconds, "second"))
    words = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counts if count]
    return " ".join(words) or "0 seconds"
