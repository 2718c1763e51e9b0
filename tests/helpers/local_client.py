"""A boto3 client of the local SageMaker."""

from __future__ import annotations

from typing import Any

import boto3


def sagemaker_client(endpoint_url: str, *, region: str = "us-east-1", **options: Any) -> Any:
    """Return a client with the credentials that the local SageMaker accepts, which are any."""
    return boto3.client(
        "sagemaker",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        **options,
    )
