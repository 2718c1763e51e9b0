from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import Stats
from airflow_sagemaker_presign.delivery.attempts import Delivery
from airflow_sagemaker_presign.delivery.deliver import record_metrics

BEGAN = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)
IN_SERVICE = BEGAN + timedelta(minutes=4)
ARRIVED = IN_SERVICE + timedelta(seconds=3)
DELIVERED = Delivery(
    "mail", 1, delivered_at=ARRIVED, minted_at=IN_SERVICE, expires_at=IN_SERVICE + timedelta(minutes=5)
)
FAILED = Delivery("slack", 3, "no")
LAUNCH_URL = Delivery("mail", 1, delivered_at=ARRIVED)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What Airflow's metrics were sent."""
    sent: list[tuple[str, Any]] = []
    fake = SimpleNamespace(**{kind: lambda *what: sent.append(what) for kind in ("incr", "timing", "gauge")})
    monkeypatch.setattr("airflow_sagemaker_presign.compat.Stats", fake)
    return sent


def context(since: datetime | None = IN_SERVICE) -> dict[str, Any]:
    return {"ti": SimpleNamespace(start_date=BEGAN), "workspace_description": {"LastModifiedTime": since}}


def test_metrics_of_deliveries(sent: list[tuple[str, Any]]) -> None:
    record_metrics([DELIVERED, FAILED, LAUNCH_URL], context())
    assert sent == [
        ("sagemaker_notebook.links_delivered", 1),
        ("sagemaker_notebook.validity_left", timedelta(seconds=297)),
        ("sagemaker_notebook.in_service_to_arrival", timedelta(seconds=3)),
        ("sagemaker_notebook.links_failed", 1),
        ("sagemaker_notebook.links_delivered", 1),
        ("sagemaker_notebook.in_service_to_arrival", timedelta(seconds=3)),
    ]


@pytest.mark.parametrize("odd", [context(BEGAN - timedelta(hours=1)), context(None), {}, {"ti": None}])
def test_a_notebook_that_ran_already_says_nothing_of_the_wait(sent: list[tuple[str, Any]], odd: dict[str, Any]) -> None:
    record_metrics([DELIVERED], odd)
    assert [name for name, _ in sent] == ["sagemaker_notebook.links_delivered", "sagemaker_notebook.validity_left"]


def test_figures_that_cannot_be_sent_keep_no_link_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def broken(name: str, *_: Any) -> None:
        tried.append(name)
        raise OSError("no such host")

    fake = SimpleNamespace(incr=broken, timing=broken, gauge=broken)
    monkeypatch.setattr("airflow_sagemaker_presign.compat.Stats", fake)
    record_metrics([DELIVERED, FAILED], context())
    assert tried


def test_airflow_has_the_metrics_that_the_package_uses() -> None:
    for kind in ("incr", "timing", "gauge"):
        assert callable(getattr(Stats, kind))
    record_metrics([DELIVERED, FAILED], context())
