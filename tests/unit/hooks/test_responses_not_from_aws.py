"""Answers that AWS did not write, and credentials of yesterday: a wait that begins with them soon ends."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.waiting.request_history import FIRST_RESPONSE_TIMEOUT_SECONDS
from tests.helpers.scripted_sagemaker import RESEARCH, Clock, wait_state, worker_wait

PAGE = b"<html>Your administrator has blocked this page.</html>"
IN_SERVICE = b'{"NotebookInstanceStatus": "InService"}'
EXPIRED = b'{"__type": "ExpiredTokenException", "message": "The security token included in the request is expired"}'

Answer = Callable[..., None]


class Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def connection(**extra: Any) -> None:
        keys = {} if "profile_name" in extra else {"login": "KEY1", "password": "testing"}
        config = {"retries": {"total_max_attempts": 1}}
        extra = {"region_name": "eu-central-1", "config_kwargs": config, **extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", **keys, "extra": extra}))

    connection()
    return connection


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Have each request answered so, from now on."""
    now: list[tuple[int, bytes]] = [(200, IN_SERVICE)]

    def send(_session: object, request: Any) -> AWSResponse:
        status, body = now[-1]
        return AWSResponse(request.url, status, HTTPHeaders(), Body(body))

    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", send)
    return lambda status, body=PAGE: now.append((status, body))


def ends_after(clock: Clock, status: str = "", minutes: int = 1) -> tuple[float, exceptions.WorkspaceError]:
    """Wait for an hour at the most, and observe every so many minutes."""
    worker = worker_wait(SageMakerNotebookInstanceHook(clock=clock), clock)
    began = clock.time()
    wait = wait_state(began_at=began, status=status)
    try:
        for _ in range(0, 61, minutes):
            wait, _ = worker.step(wait)
            clock.advance(60 * minutes)
    except exceptions.WorkspaceError as error:
        return clock.time() - began, error
    raise AssertionError("The wait did not end.")


@pytest.mark.parametrize("status", [200, 301, 302, 400, 401, 403, 404, 405, 451])
def test_a_page_by_another_server_is_waited_out_for_minutes_and_then_the_way_is_named(
    connection: object, answer: Answer, clock: Clock, status: int
) -> None:
    answer(status)
    seconds, error = ends_after(clock)
    assert isinstance(error, exceptions.SageMakerOutOfReach)
    assert seconds == FIRST_RESPONSE_TIMEOUT_SECONDS
    assert "endpoint https://api.sagemaker.eu-central-1.amazonaws.com, region eu-central-1, proxy none" in str(error)
    assert "<html>" not in str(error)


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_page_by_another_server_amid_a_wait_passes(
    connection: object, answer: Answer, clock: Clock, status: int
) -> None:
    answer(status)
    worker = worker_wait(SageMakerNotebookInstanceHook(clock=clock), clock)
    wait, done = worker.step(wait_state(began_at=clock.time(), status="Pending"))
    assert not done
    answer(200, IN_SERVICE)
    assert worker.step(wait) == (replace(wait, status="InService", failed_requests=0), True)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_transient_status_of_another_server_is_waited_out(
    connection: object, answer: Answer, clock: Clock, status: int
) -> None:
    answer(status)
    seconds, error = ends_after(clock)
    assert isinstance(error, exceptions.NotebookInstanceWaitTimeout)
    assert seconds == 3600


def test_credentials_that_had_expired_before_the_wait_end_it_soon_and_are_said_to_be_the_reason(
    connection: object, answer: Answer, clock: Clock
) -> None:
    answer(400, EXPIRED)
    seconds, error = ends_after(clock)
    assert seconds == FIRST_RESPONSE_TIMEOUT_SECONDS
    assert "accepted no request in 4 min" in str(error)
    assert "Give the connection new credentials" in str(error)


def test_credentials_that_expire_amid_a_wait_are_waited_for(connection: object, answer: Answer, clock: Clock) -> None:
    answer(400, EXPIRED)
    # Each observation with expired credentials makes a new client, which takes long.
    seconds, error = ends_after(clock, "Pending", minutes=10)
    assert isinstance(error, exceptions.NotebookInstanceWaitTimeout)
    assert seconds == 3600
    assert "Give the connection new credentials" in str(error)


def test_a_process_that_goes_on_giving_out_old_credentials_is_an_error_of_this_package(
    connection: Callable[..., None], answer: Answer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"Version": 1, "AccessKeyId": "K", "SecretAccessKey": "s", "SessionToken": "t"}
    given = tmp_path / "given.json"
    given.write_text(json.dumps({**old, "Expiration": "2020-01-01T00:00:00Z"}))
    config = tmp_path / "config"
    config.write_text(
        f"[profile old]\ncredential_process = {sys.executable} -c \"print(open('{given}').read())\"\n", encoding="utf-8"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    connection(profile_name="old")
    hook = SageMakerNotebookInstanceHook(clock=clock)
    with pytest.raises(exceptions.SageMakerUnavailable, match="still expired") as raised:
        hook.observe(RESEARCH)
    assert "Give the connection new credentials" in str(raised.value)


@pytest.mark.parametrize("code", ["EC2ThrottledException", "RequestThrottled", "RequestThrottledException"])
def test_throttling_by_any_of_its_names_is_waited_out(
    connection: object, answer: Answer, clock: Clock, code: str
) -> None:
    answer(400, json.dumps({"__type": code, "message": "Rate exceeded"}).encode())
    assert isinstance(ends_after(clock)[1], exceptions.NotebookInstanceWaitTimeout)


@pytest.mark.parametrize("code", ["IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken"])
def test_a_request_that_is_not_signed_as_it_should_be_is_refused_access(
    connection: object, answer: Answer, clock: Clock, code: str
) -> None:
    answer(400, json.dumps({"__type": code, "message": "no"}).encode())
    seconds, error = ends_after(clock)
    assert isinstance(error, exceptions.SageMakerAccessDenied)
    assert seconds == 0
