"""The launch service: reads the task, decides, writes the audit log, and only then starts, mints or keeps running."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from airflow_sagemaker_presign.exceptions import SageMakerUnavailable, WorkspaceError
from airflow_sagemaker_presign.launch_page import audit, kept, rendered_task, templating, watch_state
from airflow_sagemaker_presign.launch_page.csrf import CsrfTokens, TokenMatch
from airflow_sagemaker_presign.launch_page.current_user import CurrentUser, may_open
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.launch_page.page_state import KEEP, OPEN, START, page_state_of, page_state_of_error
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask, TaskKey
from airflow_sagemaker_presign.launch_page.sagemaker_client import SageMakerClient
from airflow_sagemaker_presign.links import region_of
from airflow_sagemaker_presign.wording import format_duration
from airflow_sagemaker_presign.workspaces.base import CAN_START, Phase, Workspace

log = logging.getLogger(__name__)


class LaunchService:
    """
    Shows, starts, opens and keeps notebooks running. Its methods block, so they must be called in threads.

    :param prefix: the path of Airflow's base URL, without a trailing slash.
    """

    def __init__(self, clock: Callable[[], datetime], tokens: CsrfTokens, prefix: str) -> None:
        self.clock = clock
        self.tokens = tokens
        self.prefix = prefix
        self.sagemaker = SageMakerClient()
        self.denials = audit.DenialLog(_session)

    def authorize(self, key: TaskKey, current_user: CurrentUser) -> RenderedTask:
        """
        Return what the task instance rendered, if the user may open its notebook.

        :raises HttpError: when there is no such task instance, or the user has no access.
        """
        if not current_user.may_see:
            words = "Airflow does not let you see this task. Ask the person who sent you the link."
            raise HttpError(403, "You have no access", words)
        with _session() as session:
            task = rendered_task.read(key, self.clock(), session)
        if may_open(current_user, task):
            return task
        whom = (
            "users who may edit its task. Ask an administrator of Airflow for access,"
            if None in (task.allowed_users, *task.allowed_now)
            else "the users whom its DAG names. Ask the person who sent you the link, or the author of the DAG "
            f"{key.dag_id}, to add you by this name,"
        )
        words = (
            f"You are signed in as {current_user.full_name}, and this page opens only for {whom} or sign in with "
            "another account."
        )
        raise HttpError(403, "You have no access", words)

    def show(self, task: RenderedTask, current_user: CurrentUser, refused: WorkspaceError | None = None) -> Response:
        """Return the page; ``refused`` is the error of the click that it responds to."""
        description: dict[str, Any] = {}
        status, session = HTTPStatus.OK, task.session_expiration_duration
        try:
            description = self.sagemaker.describe(task, since=None if refused is None else self.sagemaker.now())
            page_state = page_state_of(task.workspace, description, task.landing, self.clock())
        except WorkspaceError as error:
            page_state, status = page_state_of_error(error, task.workspace), _status_of(error, task.workspace)
        if task.watch is not None:
            with _session() as database:
                kept_at = kept.read(task.key, database)
            # A keep is stored in Airflow, so it works while AWS does not.
            is_unknown = status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND)
            page_state = watch_state.of(page_state, task.watch, kept_at, self.clock(), is_unknown=is_unknown)
        if refused is not None:
            page_state, status = page_state.after(refused), _status_of(refused, task.workspace)
        html = templating.write(
            "notebook.html",
            name=task.workspace.name,
            kind=f"SageMaker {task.workspace.noun}",
            page_state=page_state,
            region=region_of(task.workspace.arn(description)) or task.region_name or "",
            instance_type=description.get("InstanceType", ""),
            session="" if session is None else format_duration(session),
            current_user=current_user.name,
            token=self.tokens.issue(current_user.user_id, task),
            prefix=self.prefix,
            path=task.key.path,
            task_path=_task_path(task.key),
        )
        return HTMLResponse(html, status, templating.SECURITY_HEADERS)

    def submit(self, task: RenderedTask, current_user: CurrentUser, action: str, token: str) -> Response:
        """Open, start or keep the notebook running, if the form's CSRF token is valid."""
        token_match = self.tokens.match_token(token, current_user.user_id, task)
        if token_match is TokenMatch.OF_ANOTHER_NOTEBOOK:
            words = (
                "The page shows another notebook: the task has run again, for the "
                f"{task.workspace}. Go back and check before you use the button."
            )
            raise HttpError(409, "This page is out of date", words)
        if token_match is not TokenMatch.OF_THIS_PAGE:
            raise HttpError(403, "This page has expired", "Go back to the notebook and use its button again.")
        actions = {KEEP: self._keep} if task.watch is not None else {OPEN: self._open, START: self._start}
        if action in actions:
            return actions[action](task, current_user)
        raise HttpError(400, "There is no such action", "Go back to the notebook and use its button.")

    def record_denial(self, key: TaskKey, current_user: CurrentUser, action: str, why: str) -> None:
        """Record a denied request in the audit log; if that fails, the response is the same."""
        event = {START: audit.START, KEEP: audit.KEEP}.get(action, audit.OPEN)
        try:
            self.denials.record(event, key, current_user, why)
        except Exception:
            log.exception("%s: %s was denied (%s), which could not be recorded", key.path, current_user.name, why)

    def _open(self, task: RenderedTask, current_user: CurrentUser) -> Response:
        if self._phase(task, self.sagemaker.now()) is not Phase.READY:
            return self._back(task)
        with _session() as session:
            wait = audit.claim(audit.MINTS, task, current_user, self.clock(), session)
        if wait:
            raise _too_many(f"opened this notebook {audit.MINTS.times} times", wait)
        try:
            presigned_url = self.sagemaker.mint(task)
        except Exception as error:
            return self._failed(audit.OPEN, task, current_user, error)
        return Response(status_code=303, headers={**templating.SECURITY_HEADERS, "Location": presigned_url.url})

    def _start(self, task: RenderedTask, current_user: CurrentUser) -> Response:
        pressed_at = self.sagemaker.now()
        with self.sagemaker.hold_start_lock(task):
            if self._phase(task, pressed_at) not in CAN_START:
                return self._back(task)
            with _session() as session:
                has_just_been_sent = audit.claim(audit.STARTS, task, current_user, self.clock(), session)
            if not has_just_been_sent:
                try:
                    self.sagemaker.start(task)
                except Exception as error:
                    return self._failed(audit.START, task, current_user, error)
        return self._back(task)

    def _keep(self, task: RenderedTask, current_user: CurrentUser) -> Response:
        """Keep the notebook running; without a request to AWS, so that it works while AWS is out of reach."""
        with _session() as session:
            wait = audit.claim(audit.KEEPS, task, current_user, self.clock(), session)
        if wait:
            raise _too_many(f"kept this notebook running {audit.KEEPS.times} times", wait)
        with _session() as session:
            # Two requests at once would both insert.
            audit.lock_rendered_fields(task.key, session)
            kept.write(task.key, self.clock(), session)
        return self._back(task)

    def _phase(self, task: RenderedTask, since: float) -> Phase:
        """Return the workspace's current phase; ``UNKNOWN`` if the request fails: the page shows the error."""
        try:
            return task.workspace.observation_of(self.sagemaker.describe(task, since=since)).phase
        except WorkspaceError:
            return Phase.UNKNOWN

    def _back(self, task: RenderedTask) -> Response:
        """Redirect to the page with a GET, so that a reload does not submit the form again."""
        location = self.prefix + task.key.path
        return Response(status_code=303, headers={**templating.SECURITY_HEADERS, "Location": location})

    def _failed(self, event: str, task: RenderedTask, current_user: CurrentUser, error: Exception) -> Response:
        with _session() as session:
            refused = audit.DENIED_EVENT.format(event)
            audit.record(refused, task.key, current_user, session, task, error=type(error).__name__)
        if not isinstance(error, WorkspaceError):
            raise error
        log.warning("Task %s, %s: %s", task.key.path, event, error.problem)
        return self.show(task, current_user, error)


def _session() -> Any:
    from airflow.utils.session import create_session

    return create_session()


def _too_many(done: str, wait: int) -> HttpError:
    words = f"You have {done} within a minute. Wait a moment."
    return HttpError(429, "Too many requests", words, retry_after=wait)


def _task_path(key: TaskKey) -> str:
    dag_id, run_id, task_id = (quote(part, safe="") for part in (key.dag_id, key.run_id, key.task_id))
    mapped = "" if key.map_index < 0 else f"/mapped/{key.map_index}"
    return f"/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}"


def _status_of(error: WorkspaceError, workspace: Workspace) -> HTTPStatus:
    if isinstance(error, SageMakerUnavailable):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, workspace.errors.not_found):
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.BAD_GATEWAY
