"""What a request through the door does, step by step: read, decide, write down, then do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from airflow_sagemaker_presign import lifecycle
from airflow_sagemaker_presign.door import audit, pages, rendered_task
from airflow_sagemaker_presign.door.forgery import FormTokens
from airflow_sagemaker_presign.door.notebooks import Notebooks
from airflow_sagemaker_presign.door.refusal import Refusal
from airflow_sagemaker_presign.door.rendered_task import RenderedTask, TaskKey
from airflow_sagemaker_presign.door.view import OPEN, START, View, view_of, view_of_trouble
from airflow_sagemaker_presign.door.visitor import Visitor, may_open
from airflow_sagemaker_presign.exceptions import NotebookInstanceError, NotebookInstanceNotFound, SageMakerUnavailable
from airflow_sagemaker_presign.links import door_path, region_of
from airflow_sagemaker_presign.notifications.times import in_words

log = logging.getLogger(__name__)


class Entrance:
    """
    Shows, starts and opens notebooks. Its methods block; they are called in threads.

    :param clock: tells the time.
    :param tokens: for the form.
    :param prefix: the path of Airflow's base URL, without the last slash.
    """

    def __init__(self, clock: Callable[[], datetime], tokens: FormTokens, prefix: str) -> None:
        self.clock = clock
        self.tokens = tokens
        self.prefix = prefix
        self.notebooks = Notebooks()

    def show(self, key: TaskKey, visitor: Visitor) -> Response:
        """
        Show the page.

        :raises Refusal: when there is none, or not for this visitor.
        """
        return self._page(self._task(key, visitor), visitor)

    def enter(self, key: TaskKey, visitor: Visitor, action: str, token: str) -> Response:
        """
        Open or start the notebook.

        :param action: ``open`` or ``start``.
        :param token: the form's.
        :raises Refusal: when that may not be.
        """
        task = self._task(key, visitor)
        if not self.tokens.is_valid(token, visitor.user_id, key):
            raise Refusal(403, "This page has expired", "Go back to the notebook and press its button again.")
        if action == OPEN:
            return self._open(task, visitor)
        if action == START:
            return self._start(task, visitor)
        raise Refusal(400, "That is no button of this page", "Go back to the notebook and press its button.")

    def _task(self, key: TaskKey, visitor: Visitor) -> RenderedTask:
        with _session() as session:
            task = rendered_task.read(key, self.clock(), session)
        if not may_open(visitor, task):
            raise Refusal(
                403,
                "Not for you",
                f"You are signed in as {visitor.name}, and this notebook is opened by "
                + (
                    "those who may edit its task. Ask an administrator of Airflow to let you,"
                    if task.allowed_users is None
                    else f"the persons whom its DAG names. Ask whoever sent you the link, or the author of the DAG "
                    f"{key.dag_id}, to add you by this name,"
                )
                + " or sign out, and in with another account.",
            )
        return task

    def _open(self, task: RenderedTask, visitor: Visitor) -> Response:
        if self._status(task) != lifecycle.Status.IN_SERVICE:
            return self._back(task)
        with _session() as session:
            if wait := audit.seconds_to_wait(task, visitor, self.clock(), session):
                words = f"You have opened this notebook {audit.MINTS} times within a minute."
                raise Refusal(429, "Slowly, please", words, retry_after=wait)
            audit.record(audit.OPEN, task, visitor, session)
        try:
            presigned_url = self.notebooks.mint(task)
        except Exception as error:
            return self._failed(audit.OPEN, task, visitor, error)
        return Response(status_code=303, headers={**pages.security_headers(), "Location": presigned_url.url})

    def _start(self, task: RenderedTask, visitor: Visitor) -> Response:
        if self._status(task) in lifecycle.CAN_START:
            with _session() as session:
                audit.record(audit.START, task, visitor, session)
            try:
                self.notebooks.start(task)
            except Exception as error:
                return self._failed(audit.START, task, visitor, error)
        return self._back(task)

    def _status(self, task: RenderedTask) -> str:
        """Answer the notebook's status as it is now; empty when AWS does not say, which the page will."""
        try:
            return str(self.notebooks.describe(task, afresh=True)["NotebookInstanceStatus"])
        except NotebookInstanceError:
            return ""

    def _back(self, task: RenderedTask) -> Response:
        """Lead back to the page by a GET, so that a reload presses no button again."""
        location = self.prefix + _path(task.key)
        return Response(status_code=303, headers={**pages.security_headers(), "Location": location})

    def _failed(self, event: str, task: RenderedTask, visitor: Visitor, error: Exception) -> Response:
        with _session() as session:
            audit.record(audit.REFUSED.format(event), task, visitor, session, error=type(error).__name__)
        if not isinstance(error, NotebookInstanceError):
            raise error
        log.warning("Task %s, %s: %s", _path(task.key), event, error.problem)
        return self._page(task, visitor, error)

    def _page(self, task: RenderedTask, visitor: Visitor, refused: NotebookInstanceError | None = None) -> Response:
        description: dict[str, Any] = {}
        status = HTTPStatus.OK
        try:
            description = self.notebooks.describe(task, afresh=refused is not None)
            view = view_of(description, task.landing, self.clock())
        except NotebookInstanceError as error:
            view, status = view_of_trouble(error), _status_of(error)
        if refused is not None:
            view, status = view.after(refused), _status_of(refused)
        return self._write(task, visitor, description, view, status)

    def _write(
        self, task: RenderedTask, visitor: Visitor, description: dict[str, Any], view: View, status: int
    ) -> Response:
        region = region_of(description.get("NotebookInstanceArn", "")) or task.region_name or ""
        html = pages.write(
            "notebook.html",
            name=task.notebook_instance_name,
            view=view,
            region=region,
            instance_type=description.get("InstanceType", ""),
            session=in_words(task.session_expiration_duration),
            visitor=visitor.name,
            token=self.tokens.issue(visitor.user_id, task.key),
            prefix=self.prefix,
            path=_path(task.key),
            task_path=_task_path(task.key),
        )
        return HTMLResponse(html, status, pages.security_headers())


def _session() -> Any:
    from airflow.utils.session import create_session

    return create_session()


def _path(key: TaskKey) -> str:
    return door_path(key.dag_id, key.run_id, key.task_id, key.map_index)


def _task_path(key: TaskKey) -> str:
    dag_id, run_id, task_id = (quote(part, safe="") for part in (key.dag_id, key.run_id, key.task_id))
    mapped = "" if key.map_index < 0 else f"/mapped/{key.map_index}"
    return f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"


def _status_of(error: NotebookInstanceError) -> HTTPStatus:
    if isinstance(error, SageMakerUnavailable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, NotebookInstanceNotFound):
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.BAD_GATEWAY
