from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_sagemaker_presign.notifications.times import clock_time, default_zone, zone_of


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "08:35 UTC"),
        ("Europe/Berlin", "09:35 CET (Europe/Berlin)"),
        ("Asia/Kolkata", "14:05 IST (Asia/Kolkata)"),
        ("America/Sao_Paulo", "05:35 UTC-03:00 (America/Sao_Paulo)"),
        ("Asia/Kathmandu", "14:20 UTC+05:45 (Asia/Kathmandu)"),
    ],
)
def test_a_time_is_shown_with_its_zone_and_never_later_than_it_is(zone: str, text: str) -> None:
    moment = datetime(2026, 3, 4, 8, 35, 59, tzinfo=UTC)
    assert clock_time(moment, ZoneInfo(zone), moment) == text


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("UTC", "00:02 UTC on Wednesday, 4 March"),
        ("Europe/Berlin", "01:02 CET (Europe/Berlin)"),
    ],
)
def test_a_time_after_midnight_is_shown_with_its_date_in_zones_where_it_is_after_midnight(zone: str, text: str) -> None:
    minted = datetime(2026, 3, 3, 23, 57, tzinfo=UTC)
    assert clock_time(minted + timedelta(minutes=5), ZoneInfo(zone), minted) == text


@pytest.mark.parametrize("name", ["Europe/Atlantis", "Europe", "../etc/passwd", "", "CEST+1"])
def test_a_time_zone_that_does_not_exist_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(ValueError, match=r"timezone=.*: must be an IANA time zone") as raised:
        zone_of(name)
    assert repr(name) in str(raised.value)


def test_the_default_zone_is_airflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", "Asia/Tokyo")
    assert str(default_zone()) == "Asia/Tokyo"
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", "utc")
    assert str(default_zone()) == "UTC"
    monkeypatch.setenv("AIRFLOW__CORE__DEFAULT_TIMEZONE", "system")
    assert datetime.now(default_zone()).utcoffset() == datetime.now().astimezone().utcoffset()
