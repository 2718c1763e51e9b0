"""The launch page's answers other than its page: the way to Airflow's login, and error pages."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from airflow_sagemaker_presign.launch_page import templating
from airflow_sagemaker_presign.links import launch_path


class HttpError(Exception):
    """
    An answer other than the page.

    :param status: the HTTP status.
    :param title: what happened, as a headline.
    :param words: why, and what to do next.
    :param retry_after: seconds after which the same request may work.
    """

    def __init__(self, status: int, title: str, words: str, retry_after: int | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.words = words
        self.retry_after = retry_after


def login_returns(auth_manager: str) -> bool:
    """
    Return whether a login ends on the page that asked for it. Keycloak's and AWS's end on Airflow's home.

    :param auth_manager: the class, as in ``[core] auth_manager``.
    """
    return not auth_manager.startswith(("airflow.providers.keycloak.", "airflow.providers.amazon."))


def add_error_handlers(app: FastAPI, prefix: str, *, login_returns: bool = True) -> None:
    """
    Have an app answer its own and Airflow's errors.

    :param app: the app.
    :param prefix: the path of Airflow's base URL, without the last slash.
    :param login_returns: whether Airflow's login ends on the page that asked for it; else one is told beforehand.
    """

    @app.exception_handler(HttpError)
    def refused(request: Request, http_error: HttpError) -> Response:
        return _error_page(request, http_error, prefix)

    @app.exception_handler(HTTPException)
    def airflow_error(request: Request, error: HTTPException) -> Response:
        # An expired or foreign cookie is "Invalid JWT token" for Airflow: somebody who is not signed in.
        is_unknown = error.status_code == 401 or (error.status_code == 403 and "JWT" in str(error.detail))
        if is_unknown:
            looks = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")
            login = _login_path(request, prefix)
            if looks and login_returns:
                return _answer("", 303, {"Location": login})
            words = _SIGN_IN_FIRST if looks else _SIGN_IN
            return _error_page(request, words, prefix, again=login, again_text="Sign in")
        answer = _error_page(request, _in_words(error.status_code), prefix)
        if error.status_code == 405:
            # The framework names one route's only; a page has two.
            answer.headers["Allow"] = "GET, HEAD" if _path_of(request) == "/" else "GET, HEAD, POST"
        return answer

    @app.exception_handler(RequestValidationError)
    def misread(request: Request, _: RequestValidationError) -> Response:
        return _error_page(request, _in_words(400), prefix)

    @app.exception_handler(Exception)
    def broke(request: Request, _: Exception) -> Response:
        # The server logs it; the person gets a page all the same.
        return _error_page(request, _in_words(500), prefix)


def _path_of(request: Request) -> str:
    values = request.path_params
    if not {"dag_id", "run_id", "task_id"} <= values.keys():
        return "/"
    return launch_path(values["dag_id"], values["run_id"], values["task_id"], values.get("map_index", -1))


def _login_path(request: Request, prefix: str) -> str:
    """Return where to sign in, and come back from there to the page."""
    return f"{prefix}/api/v2/auth/login?next={quote(prefix + _path_of(request), safe='')}"


_SIGN_IN = HttpError(
    401,
    "You are not signed in",
    "Nothing was opened or started. Sign in to Airflow, then press the button again; if you do not get back to the "
    "notebook’s page, open your link once more.",
)
_SIGN_IN_FIRST = HttpError(
    401,
    "Sign in to Airflow first",
    "Airflow’s login does not lead back here: it ends on Airflow’s home. Sign in, then open your link once more.",
)


def _in_words(status: int) -> HttpError:
    if status == 403:
        return HttpError(
            403,
            "Not for you",
            "Airflow does not let this account see the task that the notebook belongs to. Ask whoever sent you "
            "the link, or an administrator of Airflow, to let you; or sign out, and in with another account.",
        )
    if status == 404:
        return HttpError(404, "No such page", "Airflow has no task instance of this address. Is the whole link there?")
    if status == 405:
        return HttpError(405, "Not this way", "The page is opened with GET; its button sends a POST.")
    return HttpError(
        status,
        "That did not work",
        "Open the page again in a minute. If it stays like this, tell whoever runs this Airflow: its log says more.",
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
    return _answer(html, http_error.status, headers)


def _answer(html: str, status: int, headers: dict[str, str]) -> Response:
    return HTMLResponse(html, status, {**templating.security_headers(), **headers})
