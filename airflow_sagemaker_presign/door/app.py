"""
The door's requests: GET shows the page; POST mints and leads there, or starts.

A GET or HEAD changes nothing, since mail scanners and link previews send both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import anyio.to_thread
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.providers.common.compat.sdk import conf
from fastapi import Depends, FastAPI, Form, HTTPException, Request
from fastapi.responses import Response

from airflow_sagemaker_presign.door import forgery, leading, pages
from airflow_sagemaker_presign.door.entrance import Entrance
from airflow_sagemaker_presign.door.notebooks import THREADS
from airflow_sagemaker_presign.door.refusal import Refusal
from airflow_sagemaker_presign.door.refusal_pages import add_refusals, remember_user
from airflow_sagemaker_presign.door.rendered_task import TaskKey
from airflow_sagemaker_presign.door.visitor import Visitor

T = TypeVar("T")

MAX_MAP_INDEX = 2**31 - 1
"""What the column in Airflow's database holds."""

may_see_task_instance = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
may_edit_task_instance = requires_access_dag("PUT", DagAccessEntity.TASK_INSTANCE)


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def task_key(request: Request, dag_id: str, run_id: str, task_id: str) -> TaskKey:
    """Read the address of a page."""
    # A slash inside of an id has become one between ids by now; no id of Airflow's has one.
    has_slash = b"%2f" in request.scope.get("raw_path", b"").lower()
    if has_slash or request.path_params.get("map_index", -1) > MAX_MAP_INDEX:
        raise HTTPException(404)
    return TaskKey(dag_id, run_id, task_id, request.path_params.get("map_index", -1))


def visitor_of(request: Request, user: GetUserDep) -> Visitor:
    """Say who is signed in. Airflow has checked cookie or bearer token."""
    try:
        may_edit_task_instance(request, user)
    except HTTPException:
        may_edit = False
    else:
        may_edit = True
    return Visitor.of(user, may_edit=may_edit, address=request.client.host if request.client else "")


KeyDep = Annotated[TaskKey, Depends(task_key)]
VisitorDep = Annotated[Visitor, Depends(visitor_of)]


def create_app(clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """
    Make the app.

    :param clock: tells the time; for tests.
    """
    app = FastAPI(
        title="SageMaker notebook door", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    base_url = conf.get("api", "base_url", fallback="") or ""
    prefix = urlsplit(base_url).path.rstrip("/")
    entrance = Entrance(clock, forgery.FormTokens(conf.get("api", "secret_key")), prefix)
    limiter = anyio.CapacityLimiter(THREADS)

    async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
        return await anyio.to_thread.run_sync(functools.partial(function, *arguments), limiter=limiter)

    async def show(key: KeyDep, visitor: VisitorDep) -> Response:
        return await in_thread(entrance.show, key, visitor)

    async def enter(
        request: Request,
        key: KeyDep,
        visitor: VisitorDep,
        action: Annotated[str, Form()] = "",
        token: Annotated[str, Form()] = "",
    ) -> Response:
        if not forgery.is_same_origin(request.headers, base_url, request.url.scheme):
            raise Refusal(403, "Not from here", "Open the page in your browser and press its button.")
        answer = await in_thread(entrance.enter, key, visitor, action, token)
        return leading.led_on(answer, request.url.query, prefix)

    for path in ("/{dag_id}/{run_id}/{task_id}", "/{dag_id}/{run_id}/{task_id}/{map_index:int}"):
        first = [Depends(remember_user), may_see_task_instance]
        app.add_api_route(path, show, methods=["GET", "HEAD"], dependencies=first)
        app.add_api_route(path, enter, methods=["POST"], dependencies=first)

    @app.get("/assets/{name}")
    def asset(name: str) -> Response:
        if name not in pages.ASSETS:
            raise HTTPException(404)
        headers = {**pages.security_headers(), "Cache-Control": "public, max-age=31536000, immutable"}
        return Response(pages.asset(name), media_type=pages.ASSETS[name], headers=headers)

    add_refusals(app, prefix)
    return app
