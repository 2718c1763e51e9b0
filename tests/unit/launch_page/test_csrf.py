from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from airflow_sagemaker_presign.launch_page import csrf
from airflow_sagemaker_presign.launch_page.csrf import CsrfTokens, TokenMatch, is_same_origin
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

BASE = "https://airflow.example.com/team"
Make = Callable[..., RenderedTask]


class TrackingServer(NotebookInstance):
    """Another kind of workspace, with the same identifiers."""

    noun = "tracking server"


@dataclass(frozen=True)
class Space(NotebookInstance):
    """A kind of workspace whose name is unique within a domain only."""

    domain_id: str


def test_a_token_is_good_for_one_person_and_one_task(task: Make) -> None:
    tokens = CsrfTokens("secret")
    token = tokens.issue("7", task())
    assert tokens.match_token(token, "7", task()) is TokenMatch.OF_THIS_PAGE
    assert tokens.match_token(token, "8", task()) is TokenMatch.NONE
    key = task().key
    for other in (
        replace(key, map_index=2),
        replace(key, task_id="other"),
        replace(key, run_id="manual__2"),
        replace(key, dag_id="evenings"),
    ):
        assert tokens.match_token(token, "7", task(key=other)) is TokenMatch.NONE
        # Not even a word of what the other one has become.
        assert tokens.match_token(token, "7", task(key=other, name="other")) is TokenMatch.NONE
    assert CsrfTokens("another secret").match_token(token, "7", task()) is TokenMatch.NONE
    for nonsense in ("", "x", token[:-1], token + "x", "\x00", "é" * 100):
        assert tokens.match_token(nonsense, "7", task()) is TokenMatch.NONE


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "other"},
        {"name": "Research"},
        {"region_name": "eu-west-1"},
        {"aws_conn_id": "aws_other"},
        {"aws_conn_id": None},
        {"team_name": "red"},
        {"workspace": TrackingServer("research")},
        {"workspace": Space("research", "d-1")},
    ],
)
def test_a_token_is_good_for_the_notebook_that_its_page_names(task: Make, changed: dict[str, Any]) -> None:
    tokens = CsrfTokens("secret")
    token = tokens.issue("7", task())
    assert tokens.match_token(token, "7", task(**changed)) is TokenMatch.OF_ANOTHER_NOTEBOOK
    # A new try with the same notebook changes nothing.
    assert tokens.match_token(token, "7", task(try_number=2, landing="classic")) is TokenMatch.OF_THIS_PAGE


def test_a_token_is_good_for_all_that_identifies_the_workspace(task: Make) -> None:
    tokens = CsrfTokens("secret")
    token = tokens.issue("7", task(workspace=Space("research", "d-1")))
    assert tokens.match_token(token, "7", task(workspace=Space("research", "d-1"))) is TokenMatch.OF_THIS_PAGE
    assert tokens.match_token(token, "7", task(workspace=Space("research", "d-2"))) is TokenMatch.OF_ANOTHER_NOTEBOOK


@pytest.mark.parametrize("said", [["7"], "7", {"7": 1}, [], None, 7])
def test_a_token_of_an_older_version_is_none(task: Make, said: Any) -> None:
    tokens = CsrfTokens("secret")
    assert tokens.match_token(str(tokens._serializer.dumps(said)), "7", task()) is TokenMatch.NONE


def test_a_token_ends(task: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    tokens = CsrfTokens("secret")
    token = tokens.issue("7", task())
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + csrf.TOKEN_MAX_AGE_SECONDS - 5)
    assert tokens.match_token(token, "7", task()) is TokenMatch.OF_THIS_PAGE
    monkeypatch.setattr(time, "time", lambda: now + csrf.TOKEN_MAX_AGE_SECONDS + 5)
    assert tokens.match_token(token, "7", task()) is TokenMatch.NONE


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://airflow.example.com"}, True),
        ({"origin": "https://airflow.example.com"}, True),
        # TLS ends at a proxy, and no base URL is set: the host is still the same.
        ({"origin": "https://inside:8080", "host": "inside:8080"}, True),
        ({"origin": "https://airflow.example.com:443"}, True),
        ({"origin": "https://AIRFLOW.example.com"}, True),
        ({"origin": "https://airflow.example.com", "host": "inside:8080"}, True),
        # Another name than that of the base URL: over HTTPS, which a proxy ended, and over plain HTTP.
        ({"origin": "https://other.example.com", "host": "other.example.com"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://other.example.com", "host": "other.example.com"}, True),
        ({"origin": "http://10.0.0.5:8080", "host": "10.0.0.5:8080"}, True),
        ({"origin": "http://[::1]:8080", "host": "[::1]:8080"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
        # Who can write into plain HTTP is not who has the certificate.
        ({"origin": "http://airflow.example.com"}, False),
        ({"origin": "http://airflow.example.com", "host": "airflow.example.com"}, False),
        ({"origin": "http://airflow.example.com:443", "host": "airflow.example.com:443"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "http://airflow.example.com"}, False),
        ({"origin": "http://other.example.com", "host": "other.example.com:8080"}, False),
        ({"origin": "https://evil.example", "host": "other.example.com"}, False),
        ({"origin": "ftp://airflow.example.com"}, False),
        ({"origin": "https://airflow.example.com/"}, False),
        ({"origin": "https://airflow.example.com?"}, False),
        ({"origin": "https://airflow.example.com:port"}, False),
        ({"origin": "https://airflow.example.com:99999"}, False),
        ({"origin": "https://airflow.example.com, https://evil.example"}, False),
        ({"sec-fetch-site": "same-site", "origin": "https://airflow.example.com"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": ""}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "https://airflow.example.com.evil.example"}, False),
        ({"origin": "https://airflow.example.com:444"}, False),
        ({"origin": "https://user@airflow.example.com"}, False),
        ({"referer": BASE}, False),
        ({}, False),
    ],
)
def test_the_headers_decide_whether_a_request_has_the_same_origin(headers: dict[str, str], ours: bool) -> None:
    assert is_same_origin(headers, BASE) is ours


def test_without_host_and_base_url_nobody_is_ours() -> None:
    assert not is_same_origin({"origin": "https://airflow.example.com"}, "")
    assert not is_same_origin({"origin": ""}, "")
    assert not is_same_origin({"origin": "file://"}, "")


@pytest.mark.parametrize(
    ("base_url", "origin", "ours"),
    [
        ("http://airflow.example:8080", "http://airflow.example:8080", True),
        ("http://airflow.example:8080", "http://airflow.example", False),
        ("http://airflow.example", "http://airflow.example:80", True),
        ("HTTPS://Airflow.Example/team/", "https://airflow.example", True),
        ("https://bücher.example", "https://xn--bcher-kva.example", True),
        ("http://[::1]:8080/", "http://[::1]:8080", True),
        ("airflow.example", "https://airflow.example", False),
        ("https://airflow.example:port", "https://airflow.example", False),
    ],
)
def test_the_base_url_is_compared_as_a_whole_origin(base_url: str, origin: str, ours: bool) -> None:
    assert is_same_origin({"origin": origin, "host": "inside:9090"}, base_url) is ours


def test_a_base_url_of_plain_http_behind_a_proxy_with_tls() -> None:
    headers = {"origin": "https://airflow.example", "host": "airflow.example"}
    assert is_same_origin(headers, "http://airflow.example", "http")
