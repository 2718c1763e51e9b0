"""The time zones and clock times of a message."""

from __future__ import annotations

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from airflow_sagemaker_presign.validation import reject


def zone_of(name: str, parameter: str = "timezone") -> tzinfo:
    """Return the time zone with an IANA name; raise a ``ValueError`` that names the parameter if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, TypeError, OSError):
        # ZoneInfo raises an OSError for a directory of time zones, such as "Europe".
        reject(parameter, name, "an IANA time zone, such as 'Europe/Berlin' or 'UTC'")


def default_zone() -> tzinfo:
    """Return Airflow's default time zone (``core.default_timezone``)."""
    from airflow_sagemaker_presign.compat import conf

    name = conf.get("core", "default_timezone", fallback="utc")
    if name == "system":
        return datetime.now().astimezone().tzinfo or ZoneInfo("UTC")
    return zone_of("UTC" if name == "utc" else name, "[core] default_timezone")


def clock_time(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """
    Format a moment as a wall clock shows it: ``09:35 CET (Europe/Berlin)``, with the date unless it is today.

    Seconds are dropped: for a link that works until 09:35:40 the message promises 09:35, never too long.

    :param now: the moment that defines "today".
    """
    local = moment.astimezone(zone)
    text = f"{local:%H:%M} {_zone_name(local, zone)}"
    if local.date() == now.astimezone(zone).date():
        return text
    return f"{text} on {local:%A}, {local.day} {local:%B}"


def _zone_name(local: datetime, zone: tzinfo) -> str:
    name = local.tzname() or ""
    if not name.isalpha():
        # Some zones have no abbreviation, only an offset such as "-03": write it as UTC-03:00.
        offset = f"{local:%z}"
        name = f"UTC{offset[:3]}:{offset[3:5]}"
    key = getattr(zone, "key", name)
    return name if key == name else f"{name} ({key})"
