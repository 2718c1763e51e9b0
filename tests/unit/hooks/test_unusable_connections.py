"""A connection, or a parameter, with which no request can be sent: one error, in worker and triggerer alike."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerStopNotebookInstanceOperator as Stop
from airflow_sagemaker_presign.runtime import RUNTIME
from tests.helpers.scripted_sagemaker import RESEARCH, wait_state, worker_wait

ROLE = "arn:aws:iam::123456789012:role/links"
SSO = """
[profile old]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-central-1
sso_account_id = 123456789012
sso_role_name = links
[profile new]
sso_session = example
sso_account_id = 123456789012
sso_role_name = links
[sso-session example]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-central-1
"""
IDENTITY = {
    "role_arn": ROLE,
    "assume_role_method": "assume_role_with_web_identity",
    "assume_role_with_web_identity_federation": "file",
    "assume_role_with_web_identity_token_file": "/no/such/token",
}

Given = dict[str, Any]
CASES: dict[str, tuple[Given, Given, str]] = {
    "an endpoint without https": ({"endpoint_url": "sagemaker.example.com"}, {}, "Invalid endpoint"),
    "an endpoint that is half a URL": ({"endpoint_url": "https://"}, {}, "not usable"),
    "a region with a blank": ({"region_name": "eu central 1"}, {}, "eu central 1"),
    "a region that a template lost": ({}, {"region_name": "None"}, "region_name='None': must be"),
    "a region that a template left empty": ({}, {"region_name": " "}, "region_name=' ': must be"),
    "a connection that a template lost": ({}, {"aws_conn_id": "None"}, "aws_conn_id='None': must be"),
    "an SSO profile without a token": ({"profile_name": "old"}, {}, "aws sso login"),
    "a session of SSO without a token": ({"profile_name": "new"}, {}, "aws sso login"),
    "a profile that nobody has": ({"profile_name": "nobody"}, {}, "nobody"),
    "a role that is none": ({"role_arn": "links"}, {}, "RoleArn"),
    "a way to assume a role that is none": ({"role_arn": ROLE, "assume_role_method": "ask"}, {}, "'ask'"),
    "a federation that is none": ({**IDENTITY, "assume_role_with_web_identity_federation": "me"}, {}, "federation"),
    "an identity token that is not there": (IDENTITY, {}, "/no/such/token"),
    "an option that botocore does not know": ({}, {"botocore_config": {"colour": 1}}, "colour"),
    "a retry mode that botocore does not know": ({}, {"botocore_config": {"retries": {"mode": "often"}}}, "often"),
    "a timeout that is none": ({}, {"botocore_config": {"connect_timeout": "soon"}}, "soon"),
    "an option of the connection": ({"config_kwargs": {"colour": 1}}, {}, "colour"),
    "a number of retries below nothing": ({"config_kwargs": {"retries": {"max_attempts": -1}}}, {}, "-1"),
    "a CA bundle that is not there": (
        {},
        {"verify": "/no/such.pem"},
        "with CA certificates that exists on this machine",
    ),
    "a CA bundle of the connection": (
        {"verify": "/no/such.pem"},
        {},
        "with CA certificates that exists on this machine",
    ),
    "a word instead of a CA bundle": ({}, {"verify": "no"}, "verify='no': must be True, False"),
    "a word of the connection": ({"verify": "off"}, {}, "verify='off': must be True, False"),
    "a CA bundle that a template lost": ({}, {"verify": "None"}, "it looks like a missing value"),
}


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[object], None]:
    """Write the connection, with this extra."""
    config = tmp_path / "config"
    config.write_text(SSO)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    def connect(extra: object) -> None:
        keys = {} if isinstance(extra, dict) and "profile_name" in extra else {"login": "KEY1", "password": "testing"}
        if isinstance(extra, dict):
            extra = {"region_name": "eu-central-1", **extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", **keys, "extra": extra}))

    return connect


@pytest.fixture(autouse=True)
def nobody_is_found(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have no name server; list the names that were asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def in_the_worker(aws_conn_id: str | None = "aws_default", **given: Any) -> None:
    given["config"] = given.pop("botocore_config", None)
    worker_wait(SageMakerNotebookInstanceHook(aws_conn_id, **given), RUNTIME).step(wait_state(began_at=RUNTIME.time()))


def in_the_triggerer(aws_conn_id: str | None = "aws_default", **given: Any) -> None:
    names = ("region_name", "verify", "botocore_config")
    ClientKey.of(aws_conn_id, *(given.get(name) for name in names)).connect().observe(RESEARCH)


@pytest.mark.parametrize("ask", [in_the_worker, in_the_triggerer])
@pytest.mark.parametrize(("extra", "given", "words"), CASES.values(), ids=CASES)
def test_invalid_connection_fields_raise_one_error_before_any_request(
    connect: Any, nobody_is_found: list[str], extra: Given, given: Given, words: str, ask: Any
) -> None:
    connect(extra)
    with pytest.raises(exceptions.AwsConnectionUnusable) as raised:
        ask(**given)
    assert words in str(raised.value)
    assert nobody_is_found == []


@pytest.mark.skipif(
    AIRFLOW_VERSION >= (3, 0) and AIRFLOW_VERSION < (3, 2),
    reason="this Airflow refuses such a connection itself, and calls it not found",
)
@pytest.mark.parametrize("ask", [in_the_worker, in_the_triggerer])
@pytest.mark.parametrize("extra", ["{not JSON", "[1]", '"text"'])
def test_an_extra_that_is_not_an_object_is_reported_without_its_value(connect: Any, extra: str, ask: Any) -> None:
    connect(extra)
    with pytest.raises(exceptions.AwsConnectionUnusable, match="its extra is") as raised:
        ask()
    assert extra not in str(raised.value)


@pytest.mark.parametrize("ask", [in_the_worker, in_the_triggerer])
@pytest.mark.parametrize("region", ["us-esat-1", "eu-central1", "eu-north-11", "Frankfurt"])
def test_a_region_that_does_not_exist_ends_a_wait_at_once(connect: Any, region: str, ask: Any) -> None:
    connect({})
    with pytest.raises(exceptions.AwsConnectionUnusable, match=f"AWS has no region '{region}'"):
        ask(region_name=region, botocore_config={"retries": {"total_max_attempts": 1}})


@pytest.mark.parametrize("ask", [in_the_worker, in_the_triggerer])
def test_a_proxy_that_is_not_an_http_proxy_ends_a_wait_and_its_password_is_hidden(connect: Any, ask: Any) -> None:
    connect({"config_kwargs": {"proxies": {"https": "socks5://ada:secret@127.0.0.1:9"}}})
    with pytest.raises(exceptions.AwsConnectionUnusable, match=r"proxy socks5://\*\*\*@127.0.0.1:9") as raised:
        ask()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("extra", [{}, {"endpoint_url": "https://sagemaker.example.com", "region_name": "here"}])
def test_a_name_that_is_not_found_may_be_found_later(connect: Any, nobody_is_found: list[str], extra: Given) -> None:
    connect(extra)
    in_the_worker(botocore_config={"retries": {"total_max_attempts": 1}})
    assert nobody_is_found, "it was asked for, and the wait goes on"


@pytest.mark.parametrize("text", ["False", "false", " FALSE "])
def test_false_as_text_checks_no_certificates_and_true_does(connect: Any, text: str) -> None:
    connect({})
    assert SageMakerNotebookInstanceHook(verify=text).verify is False
    assert SageMakerNotebookInstanceHook(verify="True").verify is True
    connect({"verify": text})
    assert SageMakerNotebookInstanceHook().verify is False


def test_a_task_names_its_notebook_instance_when_there_is_no_hook(connect: Any) -> None:
    connect({})
    stop = Stop(task_id="stop", notebook_instance_name="research", botocore_config={"colour": 1})
    with pytest.raises(exceptions.AwsConnectionUnusable, match=r"'research'.*colour"):
        stop.execute({"ti": None})  # type: ignore[typeddict-item]


def test_a_configuration_that_does_not_fit_into_a_trigger_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match=r"botocore_config=.*: must be a dict of botocore's Config options"):
        Stop(task_id="stop", notebook_instance_name="research", botocore_config={"user_agent": {1, 2}})
