"""What every kind of test needs: an Airflow home of their own, made before Airflow is imported."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tests.helpers import chromium

if "AIRFLOW_HOME" not in os.environ:
    # Gone with this process.
    _home = tempfile.TemporaryDirectory(prefix="airflow-sagemaker-presign-tests-", ignore_cleanup_errors=True)
    os.environ["AIRFLOW_HOME"] = _home.name
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

DEPRECATIONS = (
    "airflow.exceptions.AirflowProviderDeprecationWarning",
    "airflow.exceptions.RemovedInAirflow4Warning",
    "airflow.sdk.exceptions.RemovedInAirflow4Warning",
    "airflow.utils.deprecation_tools.DeprecatedImportWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    """
    Set what holds for all tests.

    With the newest Airflow what it deprecates is an error, unless it blames a provider: that is the provider's. Random
    examples take as long as they take; in CI they are the same each time, so that a red run can be repeated.
    """
    hypothesis.settings.register_profile("ours", deadline=None, derandomize="CI" in os.environ)
    hypothesis.settings.load_profile("ours")
    # Not in pyproject.toml, which would import Airflow before its home is set above.
    from airflow_sagemaker_presign.compat import AIRFLOW_VERSION

    if AIRFLOW_VERSION >= (3, 3):
        for warning in DEPRECATIONS:
            config.addinivalue_line("filterwarnings", f"error::{warning}")
            config.addinivalue_line("filterwarnings", rf"default::{warning}:airflow\.providers\.")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser."""
    if not chromium.is_wanted():
        pytest.skip("no Chromium on this machine")
    with chromium.launched() as browser:
        yield browser
