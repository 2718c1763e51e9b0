"""Any AWS client works with the served SageMaker: boto3 and the AWS CLI, over HTTP."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.__main__ import EPILOG
from tests.helpers.until import until


@pytest.fixture(scope="module")
def local() -> Iterator[LocalServices]:
    with LocalServices(jupyter=False, start_seconds=0.3, stop_seconds=0.3) as services:
        yield services


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session("local", "local", region_name="eu-central-1")


@pytest.fixture
def client(local: LocalServices, session: boto3.Session) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": 1})
    yield session.client("sagemaker", endpoint_url=local.endpoint_url, config=config)
    local.sagemaker.faults.clear()
    local.sagemaker.set_status("research", "Stopped", region="eu-central-1")


def wait_for(local: LocalServices, status: str) -> None:
    until(lambda: local.sagemaker.status("research") == status, f"research is {status}", timeout=10)


def test_a_notebook_starts_is_opened_and_stops_over_http(local: LocalServices, client: Any) -> None:
    name = {"NotebookInstanceName": "research"}
    client.start_notebook_instance(**name)
    assert client.describe_notebook_instance(**name)["NotebookInstanceStatus"] == "Pending"
    wait_for(local, "InService")
    url = client.create_presigned_notebook_instance_url(**name)["AuthorizedUrl"]
    assert url.startswith("https://research.notebook.eu-central-1.sagemaker.aws?authToken=")
    client.stop_notebook_instance(**name)
    wait_for(local, "Stopped")


def test_notebooks_exist_from_the_start_in_whatever_region_a_client_looks(
    local: LocalServices, session: boto3.Session
) -> None:
    client = session.client("sagemaker", endpoint_url=local.endpoint_url, region_name="ap-southeast-2")
    rows = client.list_notebook_instances()["NotebookInstances"]
    assert [(row["NotebookInstanceName"], row["NotebookInstanceStatus"]) for row in rows] == [("research", "Stopped")]


def test_failures_are_set_and_forgotten_over_http(local: LocalServices, client: Any) -> None:
    control = f"{local.endpoint_url}/local"
    requests.post(f"{control}/faults/start", json={"notebook": "research", "outcome": "no-capacity", "times": 1})
    requests.post(f"{control}/faults/calls", json={"error": "throttling", "operation": "ListNotebookInstances"})
    assert len(requests.get(f"{control}/faults").json()["starts"]) == 1
    with pytest.raises(client.exceptions.ClientError, match="Rate exceeded"):
        client.list_notebook_instances()
    client.start_notebook_instance(NotebookInstanceName="research")
    requests.post(f"{control}/clock/advance", json={"seconds": 1})
    assert local.sagemaker.status("research") == "Failed"
    answer = requests.put(f"{control}/notebooks/research/status", json={"status": "Updating"}).json()
    assert "Updating" in [notebook["NotebookInstanceStatus"] for notebook in answer]
    assert requests.delete(f"{control}/faults").json() == {"starts": [], "calls": []}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults/start", {"notebook": "research", "outcome": "explode"}),
        ("faults/calls", {"error": "throttling", "times": 0}),
        ("faults/calls", {"nonsense": 1}),
        ("notebooks", {"name": "research"}),
    ],
)
def test_an_invalid_control_call_returns_the_reason(path: str, body: dict[str, Any], local: LocalServices) -> None:
    requests.delete(f"{local.endpoint_url}/local/faults")
    local.sagemaker.status("research")
    answer = requests.post(f"{local.endpoint_url}/local/{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert requests.get(f"{local.endpoint_url}/local/faults").json() == {"starts": [], "calls": []}


def test_each_http_call_in_the_help_works(local: LocalServices, client: Any) -> None:
    calls = [shlex.split(line) for line in EPILOG.splitlines() if line.strip().startswith("curl ")]
    assert len(calls) == 12
    for call in calls:
        method = call[call.index("-X") + 1] if "-X" in call else "GET"
        body = call[call.index("--json") + 1] if "--json" in call else None
        (url,) = (word for word in call if word.startswith("http://"))
        url = url.replace("http://127.0.0.1:5100", local.endpoint_url)
        answer = requests.request(method, url, data=body, headers={"Content-Type": "application/json"} if body else {})
        assert answer.status_code == 200, (call, answer.text)
    assert requests.get(f"{local.endpoint_url}/local/faults").json() == {"starts": [], "calls": []}
    assert requests.get(f"{local.endpoint_url}/inbox/faults").json() == {"slack": [], "smtp": []}


def test_the_record_of_requests_is_readable_over_http_without_the_token(local: LocalServices, client: Any) -> None:
    local.sagemaker.set_status("research", "InService", region="eu-central-1")
    requests.delete(f"{local.endpoint_url}/local/requests")
    url = client.create_presigned_notebook_instance_url(NotebookInstanceName="research")["AuthorizedUrl"]
    answer = requests.get(f"{local.endpoint_url}/local/requests")
    assert [request["operation"] for request in answer.json()] == ["CreatePresignedNotebookInstanceUrl"]
    assert url.partition("authToken=")[2] not in answer.text


def test_a_foreign_page_cannot_reach_the_inbox_under_its_own_host_name(local: LocalServices) -> None:
    answer = requests.get(f"{local.inbox_url}/messages.json", headers={"Host": f"evil.example:{local.port}"})
    assert answer.status_code == 403


def test_a_signed_request_is_for_aws_whatever_its_path(local: LocalServices, session: boto3.Session) -> None:
    s3 = session.client("s3", endpoint_url=local.endpoint_url, config=Config(s3={"addressing_style": "path"}))
    s3.create_bucket(Bucket="inbox", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket="inbox", Key="messages.json", Body=b"mine")
    assert s3.get_object(Bucket="inbox", Key="messages.json")["Body"].read() == b"mine"


def test_only_loopback_is_listened_on(local: LocalServices) -> None:
    for port in (local.port, local.smtp_port):
        with socket.socket() as probe:
            # Were it bound to every address, this one of the same machine could not be bound any more.
            probe.bind(("127.0.0.2", port))
            assert probe.getsockname() == ("127.0.0.2", port)


def test_the_aws_cli_starts_waits_and_presigns(local: LocalServices, client: Any) -> None:
    aws = shutil.which("aws", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    assert aws is not None, "the AWS CLI is among the test requirements"
    environment = os.environ | {
        "AWS_ENDPOINT_URL": local.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }

    def run(*arguments: str) -> str:
        command = [aws, "sagemaker", *arguments, "--notebook-instance-name", "research", "--output", "text"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("start-notebook-instance")
    wait_for(local, "InService")  # The waiter's first request is immediate, its second comes after 30 s.
    run("wait", "notebook-instance-in-service")
    assert "?authToken=" in run("create-presigned-notebook-instance-url")


def test_the_token_reaches_no_log_of_the_service(
    local: LocalServices, session: boto3.Session, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    import logging

    local.sagemaker.set_status("research", "InService", region="eu-central-1")
    config = Config(retries={"total_max_attempts": 1})
    client = session.client("sagemaker", endpoint_url=local.endpoint_url, config=config)
    for name in ("botocore", "urllib3"):  # The client's own log is not ours.
        caplog.set_level(logging.INFO, name)
    for name in ("werkzeug", "moto", "flask", "airflow_sagemaker_presign"):
        caplog.set_level(logging.DEBUG, name)
    with caplog.at_level(logging.DEBUG):
        url = client.create_presigned_notebook_instance_url(NotebookInstanceName="research")["AuthorizedUrl"]
        requests.get(f"{local.endpoint_url}/inbox/?{url.partition('?')[2]}")
        requests.get(f"{local.endpoint_url}/nowhere?{url.partition('?')[2]}")
        logging.getLogger("werkzeug").debug("the log is captured")
    token = url.partition("authToken=")[2]
    printed = capfd.readouterr()
    assert "the log is captured" in caplog.text
    assert token not in caplog.text + printed.out + printed.err


def test_one_of_eight_concurrent_starts_is_accepted(local: LocalServices, session: boto3.Session) -> None:
    from concurrent.futures import ThreadPoolExecutor

    local.sagemaker.set_status("research", "Stopped", region="eu-central-1")
    config = Config(retries={"total_max_attempts": 1})
    client = session.client("sagemaker", endpoint_url=local.endpoint_url, config=config)

    def start(_: int) -> str:
        try:
            client.start_notebook_instance(NotebookInstanceName="research")
        except client.exceptions.ClientError as error:
            return str(error.response["Error"]["Message"])
        return "started"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(8)))
    assert answers.count("started") == 1
    # Pending, or already InService.
    assert sum(") not in ([Stopped, Failed])" in answer for answer in answers) == 7
