from __future__ import annotations

import pytest

from airflow_sagemaker_presign.links import console_open_url, console_page_url


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("aws-eusc", "eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_each_partition_has_its_own_console(partition: str, region: str, host: str) -> None:
    arn = f"arn:{partition}:sagemaker:{region}:123456789012:notebook-instance/research"
    page = f"https://{host}/sagemaker/home?region={region}#/notebook-instances"
    assert console_page_url(arn) == f"{page}/research"
    assert console_open_url(arn) == f"{page}/openNotebook/research?view=lab"


@pytest.mark.parametrize("arn", ["arn:aws-iso:sagemaker:us-iso-east-1:1:notebook-instance/x", "research", ""])
def test_an_unknown_partition_has_no_link(arn: str) -> None:
    assert console_page_url(arn) is None
    assert console_open_url(arn) is None
