"""That a real socket does to botocore what the transport of these tests does: a few of its faults, on loopback."""

from __future__ import annotations

import socket
import struct
from typing import Any

import boto3
import pytest
from botocore.config import Config

from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.hooks import aws_errors
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.faults import faults, transport
from tests.faults.simulation import Simulation
from tests.faults.sockets import Serve, serving, take_request
from tests.helpers.simulated_account import PENDING, as_json

READ_TIMEOUT = 0.3
BODY = as_json({"NotebookInstanceName": "research", "NotebookInstanceStatus": PENDING})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"


def send(data: bytes) -> Serve:
    """Answer this, and close."""

    def serve(connection: socket.socket) -> None:
        take_request(connection)
        connection.sendall(data)

    return serve


def reset(connection: socket.socket) -> None:
    """Close without a goodbye."""
    take_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say_nothing(connection: socket.socket) -> None:
    """Wait until the other side gives up."""
    take_request(connection)
    connection.settimeout(10)
    connection.recv(1)


PAGE = b"<html>Please sign in to the network.</html>"

FAULTS: dict[str, tuple[Serve, transport.What]] = {
    "reset": (reset, faults.resets),
    "closed": (send(b""), faults.resets),
    "never answered": (say_nothing, faults.never_answers),
    "cut in the middle of a chunk": (
        send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(BODY) + BODY[:20]),
        faults.cut,
    ),
    "cut before the announced length": (
        send(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[: len(BODY) // 2]),
        faults.ends_early,
    ),
    "a page instead of JSON": (
        send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE),
        faults.html(200),
    ),
    "a page that says bad gateway": (
        send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE),
        faults.html(502),
    ),
}


@pytest.mark.parametrize(("serve", "what"), FAULTS.values(), ids=FAULTS)
def test_simulated_transport_faults_match_real_sockets(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, what: transport.What
) -> None:
    with serving(serve, connections=1) as port:
        real = outcome_at(port)
    simulation = Simulation(monkeypatch)
    simulation.account.plan("research", PENDING)
    simulation.fault(what)
    assert outcome_at(port) == real
    assert len(simulation.transport.requests) == 1


def test_a_refused_connection_matches_a_closed_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    real = outcome_at(port)
    simulation = Simulation(monkeypatch)
    simulation.fault(faults.no_connection)
    assert real == outcome_at(port)
    assert real[0] == "EndpointConnectionError"


def outcome_at(port: int) -> tuple[str, str]:
    """Describe: what botocore makes of the answer, and what this package makes of that."""
    client: Any = boto3.client(
        "sagemaker",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        aws_access_key_id="KEY1",
        aws_secret_access_key="testing",
        config=Config(read_timeout=READ_TIMEOUT, retries={"total_max_attempts": 1}, proxies={}),
    )
    try:
        answer = client.describe_notebook_instance(NotebookInstanceName="research")
    except Exception as error:
        translated = aws_errors.translate(error, NotebookInstance("research"), "describe")
        assert isinstance(translated, WorkspaceError)
        return type(error).__name__, type(translated).__name__
    return "an answer", ", ".join(sorted(answer))
