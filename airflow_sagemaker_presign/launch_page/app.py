"""
The launch page's routes: GET shows the page; POST starts the notebook, mints and redirects to it, or keeps it running.

A GET or HEAD changes nothing, since mail scanners and link previews send both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from airflow_sagemaker_presign.compat import conf
from airflow_sagemaker_presign.launch_page import csrf, form, templating
from airflow_sagemaker_presign.launch_page.current_user import CurrentUser
from airflow_sagemaker_presign.launch_page.error_pages import add_error_handlers, login_returns
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.launch_page.page_state import KEEP
from airflow_sagemaker_presign.launch_page.rendered_task import TaskKey
from airflow_sagemaker_presign.launch_page.sagemaker_client import THREADS_PER_CONNECTION
from airflow_sagemaker_presign.launch_page.service import LaunchService
from airflow_sagemaker_presign.launch_page.thread_limits import ThreadLimits
from airflow_sagemaker_presign.runtime import utc_now

MAX_MAP_INDEX = 2**31 - 1
"""The largest value of the column in Airflow's database."""

ANYBODY = "Anonymous"
"""The name under which ``[core] simple_auth_manager_all_admins`` signs in every request."""
_ANONYMOUS_ADVICE = (
    "This Airflow signs in everybody as Anonymous ([core] simple_auth_manager_all_admins), and a notebook opens only "
    "for a user who is signed in by name. An administrator of Airflow can turn this off."
)

may_see_task_instance = requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE)
may_edit_task_instance = requires_access_dag("PUT", DagAccessEntity.TASK_INSTANCE)


def task_key(request: Request, dag_id: str, run_id: str, task_id: str) -> TaskKey:
    """Return the task instance of a page's path; raise 404 when the path cannot be one of a task instance."""
    # An encoded slash in an id has been decoded to a path separator by now; Airflow's ids have none.
    has_slash = b"%2f" in request.scope.get("raw_path", b"").lower()
    if has_slash or request.path_params.get("map_index", -1) > MAX_MAP_INDEX:
        raise HTTPException(404)
    return TaskKey(dag_id, run_id, task_id, request.path_params.get("map_index", -1))


def current_user_of(request: Request, user: GetUserDep) -> CurrentUser:
    """
    Return the signed-in user. Airflow has checked the cookie or bearer token, but may accept anonymous users.

    :raises HttpError: 403 where Airflow signs in everybody as the same user.
    :raises HTTPException: 401 for an anonymous user.
    """
    if isinstance(user, SimpleAuthManagerUser) and user.get_name() == ANYBODY:
        # No redirect to the login, which would redirect back at once.
        raise HttpError(403, "You are not signed in by name", _ANONYMOUS_ADVICE)
    current_user = CurrentUser.of(user, address=request.client.host if request.client else "")
    if current_user is None:
        raise HTTPException(401, "Not authenticated")
    # For error pages, which show the signed-in user.
    request.state.signed_in_as = current_user.full_name
    return current_user


CurrentUserDep = Annotated[CurrentUser, Depends(current_user_of)]


def rights_of(request: Request, user: GetUserDep, current_user: CurrentUserDep) -> CurrentUser:
    """Return the user with their permissions for the task instance; anonymous users are rejected before this check."""
    may_see = _is_allowed(may_see_task_instance, request, user)
    return replace(
        current_user, may_see=may_see, may_edit=may_see and _is_allowed(may_edit_task_instance, request, user)
    )


def _is_allowed(check: Callable[[Request, Any], None], request: Request, user: Any) -> bool:
    try:
        check(request, user)
    except HTTPException as error:
        if error.status_code != 403:
            raise
        return False
    return True


RightsDep = Annotated[CurrentUser, Depends(rights_of)]
KeyDep = Annotated[TaskKey, Depends(task_key)]


def create_app(clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """Create the launch page's app."""
    app = FastAPI(
        title="SageMaker notebook launch page", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    base_url = conf.get("api", "base_url", fallback="") or ""
    prefix = urlsplit(base_url).path.rstrip("/")
    service = LaunchService(clock, csrf.CsrfTokens(conf.get("api", "secret_key")), prefix)
    thread_limits = ThreadLimits(THREADS_PER_CONNECTION)

    async def show(current_user: RightsDep, key: KeyDep) -> Response:
        task = await thread_limits.run(service.authorize, key, current_user)
        return await thread_limits.run_for_connection(task, service.show, task, current_user)

    async def submit(request: Request, current_user: RightsDep, key: KeyDep) -> Response:
        data: dict[str, str] = {}
        try:
            data.update(await form.read(request))
            if not csrf.is_same_origin(request.headers, base_url, request.url.scheme):
                raise HttpError(403, "The request came from another page", "Open the page and use its button.")
            task = await thread_limits.run(service.authorize, key, current_user)
            action, token = data.get("action", ""), data.get("token", "")
            submission = service.submit, task, current_user, action, token
            # Nobody's threads that wait for AWS delay a keep, which needs only the database.
            response = await (
                thread_limits.run(*submission)
                if action == KEEP
                else thread_limits.run_for_connection(task, *submission)
            )
            return redirect_by_page(response, request.url.query, prefix)
        except HttpError as http_error:
            await thread_limits.run(service.record_denial, key, current_user, data.get("action", ""), http_error.title)
            raise

    for path in ("/{dag_id}/{run_id}/{task_id}", "/{dag_id}/{run_id}/{task_id}/{map_index:int}"):
        app.add_api_route(path, show, methods=["GET", "HEAD"])
        app.add_api_route(path, submit, methods=["POST"])

    _add_assets(app)
    add_error_handlers(app, prefix, login_returns=login_returns(conf.get("core", "auth_manager")))
    return app


def redirect_by_page(answer: Response, query: str, prefix: str) -> Response:
    """
    Redirect to the notebook by an HTML page instead of ``Location``, if the page's form requests it.

    SageMaker's URLs have up to 4,000 characters, and a proxy may allow no more for all headers of a response: nginx,
    with its defaults, returns 502. The browser treats both redirects alike: it stores neither page nor URL, sends no
    referrer, and *Back* returns to the page with the button.
    """
    location = answer.headers.get("Location", "")
    if templating.REDIRECT_BY_PAGE not in query.split("&") or urlsplit(location).scheme not in ("http", "https"):
        return answer
    html = templating.write("redirect.html", url=location, prefix=prefix, current_user="")
    return HTMLResponse(html, headers=templating.SECURITY_HEADERS)


def _add_assets(app: FastAPI) -> None:
    @app.api_route("/assets/{name}", methods=["GET", "HEAD"])
    def asset(name: str, v: str = "") -> Response:
        if name not in templating.ASSETS:
            raise HTTPException(404)
        # During a rolling upgrade, a page of one api-server may load a file from another: do not cache that one.
        is_this_one = templating.asset_path(name).endswith(f"?v={v}")
        cached = "public, max-age=31536000, immutable" if is_this_one else "no-cache"
        headers = {**templating.SECURITY_HEADERS, "Cache-Control": cached}
        return Response(templating.asset(name), media_type=templating.ASSETS[name], headers=headers)
