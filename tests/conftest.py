"""What every kind of test needs: an Airflow home of their own, made before Airflow is imported."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests import chromium

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-sagemaker-presign-tests-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser. A user's machine may lack it; in CI that is a failure."""
    if chromium.installed() is None and not os.environ.get("CI"):
        pytest.skip("no Chromium on this machine")
    with chromium.launched() as browser:
        yield browser
