"""The local SageMaker, mail server and Slack on loopback, and the Airflow connections that lead there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections


@pytest.fixture(scope="module")
def services() -> Iterator[LocalServices]:
    with LocalServices(jupyter=False, start_seconds=0.2, stop_seconds=0.2) as services:
        yield services


@pytest.fixture
def local(services: LocalServices, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServices]:
    """The services, with an empty inbox, nothing scripted, and Airflow's default connections leading to them."""
    for name, connection in airflow_connections(services.addresses(), timeout=3).items():
        monkeypatch.setenv(name, connection)
    _clear(services)
    yield services
    _clear(services)


def _clear(services: LocalServices) -> None:
    services.inbox.clear()
    services.inbox.smtp.clear()
    services.inbox.slack.clear()
    services.sagemaker.faults.clear()
