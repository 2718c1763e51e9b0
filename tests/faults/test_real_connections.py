"""Certificates and proxies that are real, on loopback: permanent failures are distinguished from transient ones."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.runtime import RUNTIME
from tests.faults.sockets import serving, take_request
from tests.helpers.certificates import DAY, certificate
from tests.helpers.scripted_sagemaker import RESEARCH, wait_state, worker_wait

ANSWER = json.dumps({"NotebookInstanceName": "research", "NotebookInstanceStatus": "InService"}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
NO_RETRIES = {"retries": {"total_max_attempts": 1}, "connect_timeout": 2, "read_timeout": 2}


def over_tls(pem: Path) -> Callable[[socket.socket], None]:
    """Answer over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            take_request(tls)
            tls.sendall(HEAD % len(ANSWER) + ANSWER)

    return serve


def says(line: bytes) -> Callable[[socket.socket], None]:
    """Answer whatever is asked with this status."""

    def serve(connection: socket.socket) -> None:
        take_request(connection)
        connection.sendall(b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    return serve


def in_the_worker(**given: Any) -> str:
    worker = worker_wait(SageMakerNotebookInstanceHook(config=NO_RETRIES, **given), RUNTIME)
    wait, _ = worker.step(wait_state(began_at=RUNTIME.time()))
    return wait.status


def in_the_triggerer(verify: Any = None) -> str:
    return ClientKey.of("aws_default", None, verify, NO_RETRIES).connect().observe(RESEARCH).status


BOTH = pytest.mark.parametrize("ask", [in_the_worker, in_the_triggerer])


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)

    def connect(endpoint_url: str, **extra: Any) -> None:
        extra = {"region_name": "eu-central-1", "endpoint_url": endpoint_url, **extra}
        connection = {"conn_type": "aws", "login": "KEY1", "password": "testing", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))

    return connect


@BOTH
def test_an_untrusted_certificate_ends_a_wait_unless_verify_trusts_it(
    connect: Callable[..., None], tmp_path: Path, ask: Callable[..., str]
) -> None:
    pem = certificate(tmp_path)
    with serving(over_tls(pem)) as port:
        connect(f"https://127.0.0.1:{port}")
        with pytest.raises(exceptions.AwsConnectionUnusable, match=r"not trusted.*self.signed.*CA bundle as `verify`"):
            ask()
        assert ask(verify=str(pem)) == "InService"
        assert ask(verify="False") == "InService"


@BOTH
def test_a_certificate_that_has_expired_speaks_of_the_clock(
    connect: Callable[..., None], tmp_path: Path, ask: Callable[..., str]
) -> None:
    pem = certificate(tmp_path, until=-DAY)
    with serving(over_tls(pem)) as port:
        connect(f"https://127.0.0.1:{port}")
        with pytest.raises(exceptions.AwsConnectionUnusable, match=r"expired.*Check the clock"):
            ask(verify=str(pem))


@BOTH
def test_a_certificate_for_another_host_ends_a_wait(
    connect: Callable[..., None], tmp_path: Path, ask: Callable[..., str]
) -> None:
    pem = certificate(tmp_path, host="127.0.0.2")
    with serving(over_tls(pem)) as port:
        connect(f"https://127.0.0.1:{port}")
        with pytest.raises(exceptions.AwsConnectionUnusable, match="certificate is not trusted"):
            ask(verify=str(pem))


@BOTH
@pytest.mark.parametrize("content", [None, "no certificate", ""])
def test_a_ca_bundle_of_the_environment_that_is_none_ends_a_wait(
    connect: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[..., str],
    content: str | None,
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    (tmp_path / "server").mkdir()
    with serving(over_tls(certificate(tmp_path / "server"))) as port:
        connect(f"https://127.0.0.1:{port}")
        with pytest.raises(exceptions.AwsConnectionUnusable, match="certificate file cannot be read"):
            ask()


@pytest.mark.parametrize("line", [b"407 Proxy Authentication Required", b"403 Forbidden", b"405 Method Not Allowed"])
def test_a_proxy_that_rejects_requests_ends_a_wait_and_its_password_is_hidden(
    connect: Callable[..., None], line: bytes
) -> None:
    with serving(says(line)) as port:
        proxies = {"https": f"http://ada:secret@127.0.0.1:{port}"}
        connect("https://sagemaker.example.com")
        with pytest.raises(exceptions.AwsConnectionUnusable, match=f"proxy refused.*{line.decode()}") as raised:
            SageMakerNotebookInstanceHook(config={**NO_RETRIES, "proxies": proxies}).observe(RESEARCH)
    assert "secret" not in str(raised.value)
    assert f"//***@127.0.0.1:{port}" in str(raised.value)


@pytest.mark.parametrize("line", [b"503 Service Unavailable", b"504 Gateway Timeout", b"429 Too Many Requests"])
def test_a_proxy_that_cannot_just_now_may_later(connect: Callable[..., None], line: bytes) -> None:
    with serving(says(line)) as port:
        connect("https://sagemaker.example.com")
        hook = SageMakerNotebookInstanceHook(config={**NO_RETRIES, "proxies": {"https": f"http://127.0.0.1:{port}"}})
        with pytest.raises(exceptions.SageMakerOutOfReach, match=f"proxy http://127.0.0.1:{port}"):
            hook.observe(RESEARCH)


def test_a_proxy_that_cannot_find_a_region_that_does_not_exist_ends_a_wait(connect: Callable[..., None]) -> None:
    connect("https://api.sagemaker.us-esat-1.amazonaws.com")
    with serving(says(b"502 Bad Gateway")) as port:
        config = {**NO_RETRIES, "proxies": {"https": f"http://127.0.0.1:{port}"}}
        hook = SageMakerNotebookInstanceHook(region_name="us-esat-1", config=config)
        with pytest.raises(exceptions.AwsConnectionUnusable, match="AWS has no region 'us-esat-1'"):
            hook.observe(RESEARCH)


@BOTH
def test_a_proxy_without_tls_that_refuses_ends_a_wait(connect: Callable[..., None], ask: Callable[..., str]) -> None:
    with serving(says(b"407 Proxy Authentication Required")) as port:
        connect(f"http://127.0.0.1:{port}")
        with pytest.raises(exceptions.AwsConnectionUnusable, match="A proxy responded"):
            ask()
