"""The launch page's error responses: the redirect to Airflow's login, and error pages."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from airflow_sagemaker_presign.launch_page import templating
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.links import launch_path


def login_returns(auth_manager: str) -> bool:
    """Return whether a login returns to the page that required it. Keycloak's and AWS's return to Airflow's home."""
    return not auth_manager.startswith(("airflow.providers.keycloak.", "airflow.providers.amazon."))


def add_error_handlers(app: FastAPI, prefix: str, *, login_returns: bool = True) -> None:
    """
    Add handlers for this package's and Airflow's errors to an app.

    :param prefix: the path of Airflow's base URL, without a trailing slash.
    :param login_returns: whether Airflow's login returns to the page; if not, an error page shows what to do first.
    """

    @app.exception_handler(HttpError)
    def on_http_error(request: Request, http_error: HttpError) -> Response:
        return _error_page(request, http_error, prefix)

    @app.exception_handler(HTTPException)
    def on_airflow_error(request: Request, error: HTTPException) -> Response:
        # Airflow reports an expired or foreign cookie as "Invalid JWT token": the user is not signed in.
        is_unknown = error.status_code == 401 or (error.status_code == 403 and "JWT" in str(error.detail))
        if is_unknown:
            wants_page = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
            login = _login_path(request, prefix)
            if wants_page and login_returns:
                return _html_response("", 303, {"Location": login})
            words = _SIGN_IN_FIRST if wants_page else _SIGN_IN
            return _error_page(request, words, prefix, again=login, again_text="Sign in")
        response = _error_page(request, _error_for_status(error.status_code), prefix)
        if error.status_code == 405:
            # The framework names the methods of one route only; a page has two.
            response.headers["Allow"] = "GET, HEAD" if _path_of(request) == "/" else "GET, HEAD, POST"
        return response

    @app.exception_handler(RequestValidationError)
    def on_validation_error(request: Request, _: RequestValidationError) -> Response:
        return _error_page(request, _error_for_status(400), prefix)

    @app.exception_handler(Exception)
    def on_server_error(request: Request, _: Exception) -> Response:
        # The server logs the error; the user gets a page.
        return _error_page(request, _error_for_status(500), prefix)


def _path_of(request: Request) -> str:
    values = request.path_params
    if not {"dag_id", "run_id", "task_id"} <= values.keys():
        return "/"
    return launch_path(values["dag_id"], values["run_id"], values["task_id"], values.get("map_index", -1))


def _login_path(request: Request, prefix: str) -> str:
    """Return the path of the login, which returns to the page."""
    return f"{prefix}/api/v2/auth/login?next={quote(prefix + _path_of(request), safe='')}"


_SIGN_IN = HttpError(
    401,
    "You are not signed in",
    "Nothing was opened or started. Sign in to Airflow, then use the button again; if you do not get back to the "
    "notebook’s page, open your link again.",
)
_SIGN_IN_FIRST = HttpError(
    401,
    "Sign in to Airflow first",
    "Airflow’s login does not return to this page. Sign in, then open your link again.",
)


def _error_for_status(status: int) -> HttpError:
    if status == 403:
        return HttpError(
            403,
            "You have no access",
            "Your account may not see the task that the notebook belongs to. Ask the person who sent you "
            "the link, or an administrator of Airflow, for access; or sign in with another account.",
        )
    if status == 404:
        return HttpError(404, "Page not found", "Airflow has no such task instance. Check that the link is complete.")
    if status == 405:
        return HttpError(405, "Method not allowed", "Use GET to open the page and POST to submit its form.")
    return HttpError(
        status,
        "Something went wrong",
        "Open the page again in a minute. If the problem persists, contact an administrator of Airflow.",
    )


def _error_page(
    request: Request, http_error: HttpError, prefix: str, *, again: str = "", again_text: str = ""
) -> Response:
    path = _path_of(request)
    if not again and request.method == "POST" and path != "/":
        again, again_text = prefix + path, "Back to the notebook"
    elif not again and http_error.status == 403:
        again, again_text = f"{prefix}/api/v2/auth/logout", "Sign out"
    html = templating.write(
        "error.html",
        title=http_error.title,
        words=http_error.words,
        prefix=prefix,
        current_user=getattr(request.state, "signed_in_as", ""),
        again=again,
        again_text=again_text,
        seconds=http_error.retry_after,
    )
    headers = {} if http_error.retry_after is None else {"Retry-After": str(http_error.retry_after)}
    return _html_response(html, http_error.status, headers)


def _html_response(html: str, status: int, headers: dict[str, str]) -> Response:
    return HTMLResponse(html, status, {**templating.SECURITY_HEADERS, **headers})
