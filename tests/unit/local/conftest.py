from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.fixtures import local_sagemaker as local_sagemaker
from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import LocalSageMaker
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import PresignedTokens


@pytest.fixture(scope="session")
def boto3_session() -> boto3.Session:
    # One for all tests: each session reads SageMaker's service model anew, which is what takes time.
    return boto3.Session("local", "local", region_name="us-east-1")


@pytest.fixture
def client(local_sagemaker: LocalSageMaker, boto3_session: boto3.Session) -> Any:
    return boto3_session.client("sagemaker", config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def local_clock() -> LocalClock:
    """At noon, and standing still."""
    return LocalClock(datetime(2026, 1, 5, 12, tzinfo=UTC))


@pytest.fixture
def tokens(local_clock: LocalClock) -> PresignedTokens:
    return PresignedTokens(b"k" * 32, local_clock)
