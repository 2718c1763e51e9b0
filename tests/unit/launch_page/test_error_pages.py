"""No error page is a dead end: it says who is signed in, and what to do next."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE

if not HAS_LAUNCH_PAGE:
    pytest.skip("there is no launch page before Airflow 3.1.1", allow_module_level=True)

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException

from airflow_sagemaker_presign.launch_page.error_pages import add_error_handlers, login_returns
from airflow_sagemaker_presign.launch_page.http_errors import HttpError

PATH = "/sagemaker-notebooks/mornings/manual__1%2B00:00/notebook_link"
LOGIN = (
    "/team/api/v2/auth/login?next=%2Fteam%2Fsagemaker-notebooks%2Fmornings%2Fmanual__1%252B00%253A00%2Fnotebook_link"
)


def answer_to(
    method: str, error: Exception, user: str = "", accept: str = "text/html", login_returns: bool = True
) -> httpx.Response:
    """Have an app meet an error at the page of a task."""
    app = FastAPI()

    async def meet(request: Request, dag_id: str, run_id: str, task_id: str) -> None:
        request.state.signed_in_as = user
        raise error

    app.add_api_route("/sagemaker-notebooks/{dag_id}/{run_id}/{task_id}", meet, methods=["GET", "POST"])
    add_error_handlers(app, "/team", login_returns=login_returns)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow.example") as client:
            return await client.request(method, PATH, headers={"Accept": accept})

    return asyncio.run(ask())


ADA = "ada & co"


@pytest.mark.parametrize("error", [HTTPException(403), HttpError(403, "You have no access", "Ask somebody.")])
def test_a_user_without_access_sees_their_name_and_may_switch_the_account(error: Exception) -> None:
    answer = answer_to("GET", error, ADA)
    assert answer.status_code == 403
    assert "Signed in as <b>ada &amp; co</b>" in answer.text
    assert '<a class="button" href="/team/api/v2/auth/logout">Sign out</a>' in answer.text
    assert "Ask " in answer.text


@pytest.mark.parametrize("error", [HTTPException(401), HTTPException(403, "Invalid JWT token")])
def test_a_signed_out_users_click_shows_the_login_and_a_view_redirects_to_it(error: Exception) -> None:
    answer = answer_to("POST", error)
    assert answer.status_code == 401
    assert f'<a class="button" href="{LOGIN}">Sign in</a>' in answer.text
    assert "in your browser" not in answer.text
    assert "Signed in as" not in answer.text
    response = answer_to("GET", error)
    assert (response.status_code, response.headers["Location"]) == (303, LOGIN)


def test_a_login_that_does_not_return_is_announced_before_signing_in() -> None:
    response = answer_to("GET", HTTPException(401), login_returns=False)
    assert response.status_code == 401
    assert "Sign in, then open your link again." in response.text
    assert f'<a class="button" href="{LOGIN}">Sign in</a>' in response.text
    clicked = answer_to("POST", HTTPException(401), login_returns=False)
    assert (clicked.status_code, "Nothing was opened or started." in clicked.text) == (401, True)


@pytest.mark.parametrize(
    ("auth_manager", "expected"),
    [
        ("airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager", True),
        ("airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager", True),
        ("airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager", False),
        ("airflow.providers.amazon.aws.auth_manager.aws_auth_manager.AwsAuthManager", False),
        ("my_company.airflow.AuthManager", True),
    ],
)
def test_the_logins_of_keycloak_and_aws_do_not_lead_back(auth_manager: str, expected: bool) -> None:
    assert login_returns(auth_manager) is expected


def test_a_click_too_many_counts_down() -> None:
    answer = answer_to("POST", HttpError(429, "Too many requests", "Six times.", retry_after=37), ADA)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "37")
    assert '<b id="countdown" role="timer">37</b> s' in answer.text
    assert f'href="/team{PATH.replace(":", "%3A")}"' in answer.text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_fault_is_a_page_too(method: str) -> None:
    answer = answer_to(method, RuntimeError("https://research.notebook.aws?authToken=secret"), ADA)
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text
    assert "Signed in as <b>ada &amp; co</b>" in answer.text
