from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_sagemaker_presign.door import forgery
from airflow_sagemaker_presign.door.forgery import FormTokens, is_same_origin
from airflow_sagemaker_presign.door.rendered_task import TaskKey

KEY = TaskKey("mornings", "manual__1", "notebook_link", 3)
BASE = "https://airflow.example.com/team"


def test_a_token_is_good_for_one_person_and_one_task() -> None:
    tokens = FormTokens("secret")
    token = tokens.issue("7", KEY)
    assert tokens.is_valid(token, "7", KEY)
    assert not tokens.is_valid(token, "8", KEY)
    for other in (
        replace(KEY, map_index=2),
        replace(KEY, task_id="other"),
        replace(KEY, run_id="manual__2"),
        replace(KEY, dag_id="evenings"),
    ):
        assert not tokens.is_valid(token, "7", other)
    assert not FormTokens("another secret").is_valid(token, "7", KEY)
    for nonsense in ("", "x", token[:-1], token + "x", "\x00", "é" * 100):
        assert not tokens.is_valid(nonsense, "7", KEY)


def test_a_token_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    tokens = FormTokens("secret")
    token = tokens.issue("7", KEY)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + forgery.TOKEN_LIFE - 5)
    assert tokens.is_valid(token, "7", KEY)
    monkeypatch.setattr(time, "time", lambda: now + forgery.TOKEN_LIFE + 5)
    assert not tokens.is_valid(token, "7", KEY)


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://airflow.example.com"}, True),
        ({"origin": "https://airflow.example.com"}, True),
        # TLS ends at a proxy, and nobody has set a base URL: the host is the same all the same.
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
def test_whose_page_it_was(headers: dict[str, str], ours: bool) -> None:
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
