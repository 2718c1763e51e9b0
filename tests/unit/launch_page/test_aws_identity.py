"""As whom the launch page acts: what the connection says, and never the machine of the api-server by chance."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.connection import Connection
from cryptography.fernet import Fernet

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION
from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.launch_page import aws_identity
from airflow_sagemaker_presign.launch_page.aws_identity import UnusableConnection
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from airflow_sagemaker_presign.launch_page.sagemaker_client import LaunchPageHook, SageMakerClient

Make = Callable[..., RenderedTask]
Connect = Callable[..., None]
ALLOWED = "AIRFLOW__SAGEMAKER_PRESIGN__ALLOW_DEFAULT_CREDENTIALS"
HAS_TEAMS = AIRFLOW_VERSION >= (3, 2)
KEYS = {"login": "THEIRS", "password": "s"}
PROFILES = """
[keys]
aws_access_key_id = THEIRS
aws_secret_access_key = s
[region-only]
region = eu-west-1
"""


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The api-server's machine has its own identity, and no other credentials exist."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", ALLOWED):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "credentials").write_text(PROFILES)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "MACHINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(conn_id: str = "aws_default", **connection: Any) -> None:
        extra = {"region_name": "eu-west-1", **connection.pop("extra", {})}
        value = json.dumps({"conn_type": "aws", **connection, "extra": extra})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)

    return connect


def acts_as(task: RenderedTask) -> str:
    credentials: Any = SageMakerClient().hook(task).get_session().get_credentials()
    return str(credentials.access_key)


@pytest.mark.parametrize(
    "connection",
    [
        KEYS,
        {"extra": {"aws_access_key_id": "THEIRS", "aws_secret_access_key": "s"}},
        {"extra": {"profile_name": "keys"}},
    ],
)
def test_the_identity_is_the_connections(task: Make, connect: Connect, connection: dict[str, Any]) -> None:
    connect(**connection)
    assert acts_as(task()) == "THEIRS"


@pytest.mark.parametrize("conn_id", ["aws_default", "missing", "aws.default", "AWS DEFAULT", ""])
def test_a_connection_that_is_missing_is_an_error(task: Make, conn_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED, "True")
    with pytest.raises(UnusableConnection) as error:
        SageMakerClient().hook(task(aws_conn_id=conn_id))
    assert repr(conn_id) in error.value.problem
    assert "administrator" in error.value.advice


@pytest.mark.parametrize(
    "connection",
    [
        {},
        {"login": "THEIRS"},
        {"password": "s"},
        {"extra": {"aws_access_key_id": "THEIRS"}},
        {"extra": {"aws_session_token": "t"}},
        {"extra": {"endpoint_url": "https://sagemaker.example.com"}},
        {"extra": {"role_arn": ""}},
        # botocore goes on to the machine's where a profile has none; this one makes it ask the container.
        {"extra": {"profile_name": "region-only"}},
    ],
)
def test_a_connection_without_credentials_is_not_the_api_servers_own(
    task: Make, connect: Connect, connection: dict[str, Any]
) -> None:
    connect(**connection)
    with pytest.raises(UnusableConnection) as error:
        SageMakerClient().hook(task())
    assert "allow_default_credentials" in error.value.advice


def test_no_connection_is_the_api_servers_own_only_where_that_is_allowed(
    task: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = task(aws_conn_id=None, region_name="eu-west-1")
    for no in (None, "False", "0"):
        if no is not None:
            monkeypatch.setenv(ALLOWED, no)
        with pytest.raises(UnusableConnection):
            SageMakerClient().hook(nameless)
    monkeypatch.setenv(ALLOWED, "True")
    assert acts_as(nameless) == "MACHINE"


def test_a_connection_without_credentials_uses_the_api_servers_own_if_allowed(
    task: Make, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, "True")
    connect()
    assert acts_as(task()) == "MACHINE"


def test_an_allowance_that_is_taken_back_takes_effect(
    task: Make, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    notebooks = SageMakerClient(lambda: now)
    monkeypatch.setenv(ALLOWED, "True")
    connect()
    notebooks.hook(task())
    monkeypatch.delenv(ALLOWED)
    now = 61.0
    with pytest.raises(UnusableConnection):
        notebooks.hook(task())


def test_a_setting_that_is_no_truth_value_allows_nothing(
    task: Make, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED, "perhaps")
    with pytest.raises(UnusableConnection):
        SageMakerClient().hook(task(aws_conn_id=None, region_name="eu-west-1"))
    connect(**KEYS)
    assert acts_as(task()) == "THEIRS"


@pytest.mark.parametrize(
    "extra",
    [
        {"region_name": "eu west 1"},
        {"region_name": "-eu-west-1"},
        {"endpoint_url": "sagemaker.example.com"},
        {"config_kwargs": {"no_such_option": 1}},
        {"config_kwargs": "retries=5"},
        {"config_kwargs": {"retries": 5}},
        {"service_config": {"sagemaker": "https://sagemaker.example.com"}},
        {"session_kwargs": "region_name=eu-west-1"},
        {"role_arn": "arn:aws:iam::123456789012:role/r", "assume_role_method": "by_magic"},
        {"profile_name": "no-such-profile"},
    ],
)
def test_an_unusable_connection_is_reported_in_plain_words(task: Make, connect: Connect, extra: dict[str, Any]) -> None:
    keys = {} if "profile_name" in extra else KEYS
    connect(**keys, extra=extra)
    notebooks = SageMakerClient()
    for ask in (notebooks.hook, notebooks.describe, notebooks.mint, notebooks.start):
        with pytest.raises(WorkspaceError) as error:
            ask(task())
        assert "not usable" in error.value.problem


def test_a_connection_that_cannot_be_decrypted_is_reported(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = (Fernet(Fernet.generate_key()) for _ in range(2))
    connection = Connection("aws_default", "aws", login="THEIRS")
    connection._password, connection.is_encrypted = theirs.encrypt(b"s").decode(), True
    monkeypatch.setattr(aws_identity, "find_connection", lambda *_: connection)
    # Which of them asks differs from one Airflow to the next.
    for module in ("airflow.models.connection", "airflow.models.crypto"):
        fernet = SimpleNamespace(is_encrypted=True, decrypt=ours.decrypt)
        monkeypatch.setattr(f"{module}.get_fernet", lambda fernet=fernet: fernet)
    with pytest.raises(UnusableConnection, match="'aws_default' is not usable: InvalidToken"):
        SageMakerClient().describe(task())


def test_a_package_missing_on_the_api_server_is_reported_in_plain_words(
    task: Make, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    how = {"assume_role_method": "assume_role_with_web_identity", "assume_role_with_web_identity_federation": "google"}
    connect(extra={"role_arn": "arn:aws:iam::123456789012:role/r", **how})
    notebooks = SageMakerClient()
    for ask in (notebooks.describe, notebooks.mint, notebooks.start):
        with pytest.raises(WorkspaceError, match=r"is not usable: .*google"):
            ask(task())


def test_the_description_of_a_connection_contains_no_password(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_connection(*_: object) -> None:
        raise RuntimeError("no answer from https://airflow:hunter2@vault.example.com")

    monkeypatch.setattr(aws_identity, "find_connection", find_connection)
    with pytest.raises(UnusableConnection, match="no answer from https://") as error:
        SageMakerClient().hook(task())
    assert "hunter2" not in error.value.problem


def test_the_provider_does_not_repeat_the_lookup_of_the_launch_page(task: Make, connect: Connect) -> None:
    connect(**KEYS)
    hook = SageMakerClient().hook(task())
    assert isinstance(hook, LaunchPageHook)
    connect(login="OTHER", password="s")
    hook.renew()
    credentials: Any = hook.get_session().get_credentials()
    assert credentials.access_key == "THEIRS"


@pytest.fixture
def teams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", "True")


@pytest.mark.skipif(not HAS_TEAMS, reason="teams have connections since Airflow 3.2")
def test_a_team_has_its_own_connection(task: Make, connect: Connect, teams: None) -> None:
    connect(**KEYS)
    connect("_red___aws_default", login="RED", password="s")
    connect("_red___of_red", login="RED", password="s")
    assert acts_as(task(team_name="red")) == "RED"
    assert acts_as(task(team_name="blue")) == "THEIRS"
    assert acts_as(task()) == "THEIRS"
    assert acts_as(task(team_name="red", aws_conn_id="of_red")) == "RED"
    for team in ("blue", None):
        with pytest.raises(UnusableConnection):
            SageMakerClient().hook(task(team_name=team, aws_conn_id="of_red"))
    with pytest.raises(UnusableConnection):
        SageMakerClient().hook(task(team_name="blue", aws_conn_id="_red___of_red"))


@pytest.mark.skipif(not HAS_TEAMS, reason="teams have connections since Airflow 3.2")
def test_teams_share_no_client(task: Make, connect: Connect, teams: None) -> None:
    connect(**KEYS)
    connect("_red___aws_default", login="RED", password="s")
    notebooks = SageMakerClient()
    assert notebooks.hook(task(team_name="red")) is not notebooks.hook(task(team_name="blue"))


@pytest.mark.skipif(HAS_TEAMS, reason="this Airflow can look up a team's connection")
def test_an_airflow_that_cannot_look_up_a_teams_connection_is_refused(
    task: Make, connect: Connect, teams: None
) -> None:
    connect(**KEYS)
    with pytest.raises(UnusableConnection, match="team"):
        SageMakerClient().hook(task())


def test_the_tasks_own_hook_is_as_it_was(connect: Connect) -> None:
    connect(**KEYS)
    credentials: Any = SageMakerNotebookInstanceHook().get_session().get_credentials()
    assert credentials.access_key == "THEIRS"
