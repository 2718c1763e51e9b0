"""A look at a workspace: mint a URL, ask its Jupyter server, and describe the workspace where that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_sagemaker_presign.exceptions import SageMakerUnavailable, WorkspaceError
from airflow_sagemaker_presign.idle.watch import IdleWatch, Verdict
from airflow_sagemaker_presign.minting.presigned_url import MIN_SESSION_EXPIRATION_DURATION
from airflow_sagemaker_presign.runtime import Runtime
from airflow_sagemaker_presign.usage.activity import Usage
from airflow_sagemaker_presign.usage.unavailable import JupyterUnavailable, SessionRefused
from airflow_sagemaker_presign.workspaces.base import Phase

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook
    from airflow_sagemaker_presign.usage.jupyter_session import JupyterSession

Request = Callable[[Callable[["WorkspaceHook"], Any]], Awaitable[Any]]
"""Sends a request through a hook, in the way of the process: at once, or within the limit of a triggerer."""

MAY_BECOME_READY = frozenset({Phase.STARTING, Phase.CHANGING, Phase.UNKNOWN})
"""The phases in which a workspace is watched on, though nobody can look into it yet."""


class Look(NamedTuple):
    """
    The result of a look.

    :param watch: the watch after it.
    :param session: the session, for the next look.
    :param is_running: whether the workspace runs, or is about to; if not, there is nothing to watch.
    """

    watch: IdleWatch
    session: JupyterSession | None = None
    is_running: bool = True


async def until_due(watch: IdleWatch, request: Request, runtime: Runtime, log: Any) -> tuple[IdleWatch, Verdict]:
    """
    Look again and again until people are to be warned, or the workspace is to be stopped.

    :param log: the task's logger.
    :raises WorkspaceError: when the watch cannot go on.
    """
    session: JupyterSession | None = None
    said = ""
    while True:
        pause = watch.next_look_at() - runtime.time()
        if pause > 0:
            await runtime.pause(pause)
        watch, session, is_running = await look(watch, session, request, runtime)
        if not is_running:
            return watch, Verdict.STOP
        verdict = watch.verdict(runtime.time())
        if (line := watch.words()) != said:
            said = line
            watch.log_use(log)
        if verdict is not Verdict.WAIT:
            return watch, verdict


async def look(watch: IdleWatch, session: JupyterSession | None, request: Request, runtime: Runtime) -> Look:
    """
    Look once.

    :param session: the session of an earlier look; without one, or once it has ended, a new one is opened.
    :raises WorkspaceError: when AWS refuses, and waiting does not help.
    """
    try:
        usage, session = await _usage(watch, session, request, runtime)
        return Look(watch.observed(usage), session)
    except WorkspaceError as refused:
        error: JupyterUnavailable | WorkspaceError = refused
    except JupyterUnavailable as unavailable:
        error = type(unavailable)(unavailable.problem, unavailable.advice)
    # Here, since an error that is raised while another is handled holds that one's frames, with the credentials.
    return await _without_usage(watch, session, error, request, runtime)


async def _usage(
    watch: IdleWatch, session: JupyterSession | None, request: Request, runtime: Runtime
) -> tuple[Usage, JupyterSession]:
    if session is not None and runtime.utc_now() < session.ends_at:
        try:
            return await session.usage(runtime.utc_now, count_connections=watch.count_connections), session
        except SessionRefused:
            # It ended with a restart of the workspace.
            pass
    # AWS's shortest session, since whoever has its cookie has the notebook's permissions.
    presigned_url, options = await request(
        lambda hook: (hook.mint(watch.workspace, MIN_SESSION_EXPIRATION_DURATION, None), hook.http_options)
    )
    # Here, since a triggerer imports it with its first client, in another thread than the event loop's.
    from airflow_sagemaker_presign.usage.jupyter_session import JupyterSession

    session = await JupyterSession.open(presigned_url, options)
    return await session.usage(runtime.utc_now, count_connections=watch.count_connections), session


async def _without_usage(
    watch: IdleWatch,
    session: JupyterSession | None,
    error: JupyterUnavailable | WorkspaceError,
    request: Request,
    runtime: Runtime,
) -> Look:
    """Return what a failed look means: most often, the workspace does not run any more."""
    errors = watch.workspace.errors
    if not isinstance(error, (SageMakerUnavailable, errors.not_found)):
        try:
            phase = (await request(lambda hook: hook.observe(watch.workspace))).phase
        except WorkspaceError as refused:
            error = refused if isinstance(refused, errors.not_found) else error
        else:
            if phase in MAY_BECOME_READY:
                return Look(watch.changing(runtime.time()))
            if phase is not Phase.READY:
                return Look(watch, is_running=False)
    if isinstance(error, errors.not_found):
        return Look(watch, is_running=False)
    may_pass = isinstance(error, (JupyterUnavailable, SageMakerUnavailable))
    # A stop at the latest needs no look, so that nothing that a look meets ends the wait for it.
    if not may_pass and watch.stop_at is None:
        raise error
    return Look(watch.unobserved(error.problem, error.advice.rstrip("."), runtime.time()), session)
