"""
Pytest fixtures to import into a ``conftest.py``::

    from airflow_sagemaker_presign.local.fixtures import local_sagemaker  # noqa: F401
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from moto import mock_aws

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import DEFAULT_REGION, LocalSageMaker

__all__ = ["local_sagemaker"]

CLOCK_STARTS_AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
def local_sagemaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalSageMaker]:
    """
    SageMaker in this process: every boto3 client of the test talks to it, and nothing leaves the machine.

    The clock stands still until the test advances it, so a start of two minutes is tested in a millisecond::

        def test_a_start_takes_its_time(local_sagemaker):
            local_sagemaker.create_notebook("research", status="Stopped", start_seconds=120)
            client = boto3.client("sagemaker")
            client.start_notebook_instance(NotebookInstanceName="research")
            assert local_sagemaker.status("research") == "Pending"
            local_sagemaker.clock.advance(120)
            assert local_sagemaker.status("research") == "InService"

    Failures: ``local_sagemaker.faults.on_start("research", "no-capacity")`` and
    ``local_sagemaker.faults.fail_calls("throttling", times=3)``; recorded requests:
    ``local_sagemaker.requests``. Region ``us-east-1`` and made-up credentials are set in the environment; the
    presigned URLs have AWS's form.
    """
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", DEFAULT_REGION)
    with mock_aws(), LocalSageMaker(clock=LocalClock(CLOCK_STARTS_AT)) as sagemaker:
        yield sagemaker
