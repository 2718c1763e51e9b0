"""
The launch page in front of a notebook that a test moves about: the real page, script, words and origin check, without
an Airflow behind them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.launch_page import csrf, templating, watch_state
from airflow_sagemaker_presign.launch_page.app import redirect_by_page
from airflow_sagemaker_presign.launch_page.error_pages import add_error_handlers
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.launch_page.page_state import page_state_of, page_state_of_error
from airflow_sagemaker_presign.launch_page.rendered_task import Watch
from airflow_sagemaker_presign.links import LAUNCH_PAGE_PREFIX
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

PATH = f"{LAUNCH_PAGE_PREFIX}/mornings/manual__1/notebook_link"
BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Notebook:
    """
    What the page meets; a test changes it.

    :param name: its name.
    """

    def __init__(self, name: str = "research") -> None:
        self.name = name
        self.status = "Stopped"
        self.reason = ""
        self.region = "eu-central-1"
        self.since = timedelta(seconds=5)
        self.current_user = "ada"
        self.token = "token-0"
        self.error: WorkspaceError | None = None
        self.http_error: HttpError | WorkspaceError | None = None
        """What a click meets."""
        self.answer: Response | HTTPException | HttpError | None = None
        """The response that every user gets instead of the page."""
        self.base_url = ""
        self.page_url = ""
        self.landing_url = ""
        self.refreshes = 0
        self.clicks: list[str] = []
        self.watch: Watch | None = None
        """Of a task that stops the notebook when it is idle; otherwise the task opens it."""
        self.kept_at: datetime | None = None
        self.landings: list[dict[str, str]] = []
        """The request headers that reached the notebook."""

    def show(self, refused: WorkspaceError | None = None) -> Response:
        workspace = NotebookInstance(self.name)
        description: dict[str, Any] = {
            "NotebookInstanceName": self.name,
            "NotebookInstanceStatus": self.status,
            "LastModifiedTime": datetime.now(UTC) - self.since,
            "FailureReason": self.reason,
        }
        page_state = (
            page_state_of_error(self.error, workspace)
            if self.error
            else page_state_of(workspace, description, "lab", datetime.now(UTC))
        )
        if self.watch:
            page_state = watch_state.of(page_state, self.watch, self.kept_at, datetime.now(UTC))
        region = "" if self.error else self.region
        html = templating.write(
            "notebook.html",
            name=self.name,
            kind="SageMaker notebook instance",
            page_state=page_state.after(refused) if refused else page_state,
            region=region,
            instance_type="" if self.error else "ml.t3.medium",
            session="" if self.watch else "8 hours",
            current_user=self.current_user,
            token=self.token,
            prefix="",
            path=PATH,
            task_path="/dags/mornings",
        )
        return HTMLResponse(html, 502 if refused else 503 if self.error else 200, templating.SECURITY_HEADERS)

    def click(self, action: str) -> Response:
        self.clicks.append(action)
        if isinstance(self.http_error, HttpError):
            raise self.http_error
        if self.http_error is not None:
            return self.show(self.http_error)
        if action == "start" and self.status in ("Stopped", "Failed"):
            self.status = "Pending"
        if action == "keep":
            self.kept_at = datetime.now(UTC)
        if action == "open" and self.status == "InService":
            return Response(status_code=303, headers={**templating.SECURITY_HEADERS, "Location": self.landing_url})
        return Response(status_code=303, headers={**templating.SECURITY_HEADERS, "Location": PATH})


def page_app(notebook: Notebook) -> FastAPI:
    app = FastAPI(redirect_slashes=False)

    def answer_instead() -> Response | None:
        if isinstance(notebook.answer, Exception):
            raise notebook.answer
        return notebook.answer

    async def show(request: Request, dag_id: str, run_id: str, task_id: str) -> Response:
        notebook.refreshes += 1
        request.state.signed_in_as = notebook.current_user
        return answer_instead() or notebook.show()

    async def submit(request: Request, dag_id: str, run_id: str, task_id: str) -> Response:
        form = await request.form()
        request.state.signed_in_as = notebook.current_user
        if not csrf.is_same_origin(request.headers, notebook.base_url, request.url.scheme):
            raise HttpError(403, "The request came from another page", "Open the page and use its button.")
        if form["token"] != notebook.token:
            raise HttpError(403, "This page has expired", "Go back to the notebook and use its button again.")
        return redirect_by_page(answer_instead() or notebook.click(str(form["action"])), request.url.query, "")

    # HTTP errors identify the page by its path parameters.
    app.add_api_route(LAUNCH_PAGE_PREFIX + "/{dag_id}/{run_id}/{task_id}", show, methods=["GET"])
    app.add_api_route(LAUNCH_PAGE_PREFIX + "/{dag_id}/{run_id}/{task_id}", submit, methods=["POST"])

    @app.get(LAUNCH_PAGE_PREFIX + "/assets/{name}")
    def asset(name: str) -> Response:
        return Response(templating.asset(name), media_type=templating.ASSETS[name], headers=templating.SECURITY_HEADERS)

    @app.get("/api/v2/auth/{what}")
    def airflow_login(what: str, next: str = "") -> Response:
        return HTMLResponse(f"<title>{what}</title><h1>Airflow: {what}</h1>")

    add_error_handlers(app, "")
    return app


def landing_app(notebook: Notebook) -> FastAPI:
    app = FastAPI()

    @app.get("/lab")
    def lab(request: Request) -> Response:
        notebook.landings.append(dict(request.headers))
        return HTMLResponse("<title>JupyterLab</title><h1>JupyterLab</h1>")

    return app


@contextmanager
def served(app: FastAPI) -> Iterator[int]:
    """Serve an app on a free port of this machine, in a thread."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    server.force_exit = True
    thread.join(10)
