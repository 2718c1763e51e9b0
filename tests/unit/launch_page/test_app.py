"""Requests to the launch page's app in the order of its checks: the user, the page, then the permission."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE

if not HAS_LAUNCH_PAGE:
    pytest.skip("there is no launch page before Airflow 3.1.1", allow_module_level=True)

import httpx
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi import HTTPException
from fastapi.responses import Response

from airflow_sagemaker_presign.launch_page import app as launch_page_app, form, templating
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.launch_page.service import LaunchService
from airflow_sagemaker_presign.launch_page.thread_limits import ThreadLimits

PATH = "/mornings/manual__1/notebook_link"
HTML = {"Accept": "text/html"}
OURS = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
FORM = {"Content-Type": form.TYPE}

ADA = SimpleNamespace(get_id=lambda: "7", get_name=lambda: "ada")
ANONYMOUS = SimpleNamespace(get_id=lambda: None, get_name=lambda: "Anonymous", is_anonymous=True)


class LaunchPageClient:
    """
    The app, for a person whom Airflow lets see everything, or nothing.

    :param user: as the auth manager has them.
    """

    def __init__(self) -> None:
        self.user: Any = ADA
        self.may_see = True
        self.noted: list[tuple[str, str]] = []
        self.chunks = 0
        self.app = launch_page_app.create_app()
        self.app.dependency_overrides[get_user] = lambda: self.user

    def ask(self, method: str, path: str = PATH, **arguments: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://airflow.example.com") as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(ask())

    async def endless(self) -> AsyncIterator[bytes]:
        """A body without Content-Length, of 500 MB unless the reader stops."""
        for _ in range(500 * 16):
            self.chunks += 1
            yield b"a" * 65536


@pytest.fixture
def launch_page(monkeypatch: pytest.MonkeyPatch) -> LaunchPageClient:
    launch_page = LaunchPageClient()

    def check(_request: object, user: Any) -> None:
        assert user is ADA, "Airflow is asked only about a known user"
        if not launch_page.may_see:
            raise HTTPException(403, "Forbidden")

    def note(_: LaunchService, _key: Any, _current_user: Any, action: str, why: str) -> None:
        launch_page.noted.append((action, why))

    monkeypatch.setattr(launch_page_app, "may_see_task_instance", check)
    monkeypatch.setattr(launch_page_app, "may_edit_task_instance", check)
    monkeypatch.setattr(LaunchService, "record_denial", note)
    return launch_page


@pytest.mark.parametrize("nobody", [None, ANONYMOUS])
def test_an_anonymous_user_is_redirected_to_the_login(launch_page: LaunchPageClient, nobody: Any) -> None:
    launch_page.user = nobody
    answer = launch_page.ask("GET", headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/api/v2/auth/login?next=%2Fsagemaker-notebooks%2Fmornings%2F")
    assert launch_page.ask("GET", headers={"Accept": "*/*"}).status_code == 401
    assert launch_page.ask("POST", headers={**HTML, **OURS, **FORM}, content=b"action=open&token=x").status_code == 401
    assert launch_page.noted == []


def test_users_are_anonymous_if_airflow_logs_all_of_them_in_as_one(launch_page: LaunchPageClient) -> None:
    launch_page.user = SimpleAuthManagerUser(username="Anonymous", role="ADMIN")
    for answer in (
        # The login would lead back here, and so on.
        launch_page.ask("GET", headers=HTML),
        launch_page.ask("POST", headers={**HTML, **OURS, **FORM}, content=b"action=open&token=x"),
        launch_page.ask("POST", headers=OURS, content=launch_page.endless()),
    ):
        assert answer.status_code == 403
        assert "simple_auth_manager_all_admins" in answer.text
    assert launch_page.chunks <= 1
    assert launch_page.noted == []


@pytest.mark.parametrize(
    "content_type", [form.TYPE, "multipart/form-data; boundary=x", "application/json", "text/plain"]
)
@pytest.mark.parametrize("nobody", [None, ANONYMOUS])
def test_an_anonymous_users_form_is_not_read(launch_page: LaunchPageClient, nobody: Any, content_type: str) -> None:
    launch_page.user = nobody
    headers = {**OURS, "Content-Type": content_type}
    assert launch_page.ask("POST", headers=headers, content=launch_page.endless()).status_code == 401
    # httpx hands out the first piece by itself.
    assert launch_page.chunks <= 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": f"x{form.TYPE}"}, 415),
        ({"Content-Type": ""}, 415),
        ({}, 415),
        (FORM, 413),
        ({"Content-Type": f"{form.TYPE.upper()}; charset=utf-8"}, 413),
        ({**FORM, "Content-Length": "500000000"}, 413),
        ({**FORM, "Content-Length": "-1"}, 413),
    ],
)
def test_the_form_of_a_signed_in_user_is_read_up_to_its_limit(
    launch_page: LaunchPageClient, headers: dict[str, str], status: int
) -> None:
    assert launch_page.ask("POST", headers={**OURS, **headers}, content=launch_page.endless()).status_code == status
    assert launch_page.chunks <= 2
    assert len(launch_page.noted) == 1


@pytest.mark.parametrize(
    "body",
    [b"\xff", "tökén=x".encode(), b"token=%ff", b"&".join(b"a%d=1" % number for number in range(11))],
)
def test_a_form_that_cannot_be_read_is_refused(launch_page: LaunchPageClient, body: bytes) -> None:
    assert launch_page.ask("POST", headers={**OURS, **FORM}, content=body).status_code == 400


def test_a_user_without_airflow_permission_is_denied_and_a_click_is_logged(launch_page: LaunchPageClient) -> None:
    launch_page.may_see = False
    assert launch_page.ask("GET", headers=HTML).status_code == 403
    assert launch_page.noted == []
    answer = launch_page.ask("POST", headers={**OURS, **FORM}, content=b"action=start&token=x")
    assert answer.status_code == 403
    assert launch_page.noted == [("start", "You have no access")]


def test_a_click_from_elsewhere_is_noted(launch_page: LaunchPageClient) -> None:
    headers = {**FORM, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert launch_page.ask("POST", headers=headers, content=b"action=open&token=x").status_code == 403
    assert launch_page.noted == [("open", "The request came from another page")]


@pytest.mark.parametrize(("action", "needs_aws"), [("keep", False), ("open", True), ("start", True)])
def test_a_keep_does_not_wait_for_threads_that_wait_for_aws(
    launch_page: LaunchPageClient, monkeypatch: pytest.MonkeyPatch, action: str, needs_aws: bool
) -> None:
    async def busy(*_: Any) -> Any:
        raise HttpError(503, "All threads of this connection wait", "Try again.")

    monkeypatch.setattr(ThreadLimits, "run_for_connection", busy)
    monkeypatch.setattr(LaunchService, "authorize", lambda *_: None)
    monkeypatch.setattr(LaunchService, "submit", lambda *_: Response(status_code=303, headers={"Location": PATH}))
    answer = launch_page.ask("POST", headers={**OURS, **FORM}, content=f"action={action}&token=x".encode())
    assert answer.status_code == (503 if needs_aws else 303)


def test_only_the_very_file_that_was_asked_for_is_kept_for_good(launch_page: LaunchPageClient) -> None:
    for name in templating.ASSETS:
        ours = templating.asset_path(name).partition("/assets")[2]
        answer = launch_page.ask("GET", f"/assets{ours}")
        assert "immutable" in answer.headers["cache-control"]
        for foreign in ("?v=0123456789ab", "?v=", "", f"{ours.partition('?')[2][-3:]}", f"?v={ours[-12:]}0"):
            answer = launch_page.ask("GET", f"/assets/{name}{foreign if foreign.startswith('?') else ''}")
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "no-cache"
        # The end of the right one is not the right one.
        assert launch_page.ask("GET", f"/assets/{name}?v={ours[-3:]}").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_another_method_gets_the_allowed_methods(launch_page: LaunchPageClient, method: str) -> None:
    for path, methods in (
        (PATH, "GET, HEAD, POST"),
        (f"{PATH}/3", "GET, HEAD, POST"),
        ("/assets/launch_page.js", "GET, HEAD"),
    ):
        answer = launch_page.ask(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    assert launch_page.ask("POST", "/assets/launch_page.js").headers["allow"] == "GET, HEAD"


def test_a_file_can_be_asked_about(launch_page: LaunchPageClient) -> None:
    answer = launch_page.ask("HEAD", "/assets/launch_page.js")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
