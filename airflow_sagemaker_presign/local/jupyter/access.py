"""Access to a notebook instance: by a valid presigned URL, and then by the cookie that replaces it."""

from __future__ import annotations

import importlib.util
import json
import logging
from dataclasses import dataclass
from email.utils import format_datetime
from html import escape
from http import HTTPStatus

from airflow_sagemaker_presign.local.jupyter.request_head import RequestHead
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import LinkRefused, NotebookSession, PresignedTokens
from airflow_sagemaker_presign.local.sagemaker_api.status_timeline import NotebookState

LOG = logging.getLogger(__name__)

LAB = "/lab"
LOCAL_NAMES = ("127.0.0.1", "localhost")
NO_SESSION = "This notebook opens only with a presigned URL, and this request has none."
WHAT_TO_DO = "Ask for a new link: run the Airflow task again, or call CreatePresignedNotebookInstanceUrl."
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>You need a new link</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:17px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1.5em;
color-scheme:light dark}}h1{{font-size:1.4em}}</style>
<h1>You need a new link</h1><p>{reason}</p><p>{what_to_do}</p></html>"""


@dataclass(frozen=True)
class Reply:
    """
    A response of the proxy itself.

    :param status: the HTTP status.
    :param headers: the headers, without those of every response.
    :param body: the content.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    def write(self, method: str) -> bytes:
        """Write it for a request of this method."""
        content = self.body.encode()
        fixed = (("Content-Length", str(len(content))), ("Cache-Control", "no-store"), ("Connection", "close"))
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *fixed)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if method == "HEAD" else content)


def authorize(
    request: RequestHead, name: str, port: int, state: NotebookState | None, tokens: PresignedTokens
) -> NotebookSession | Reply:
    """
    Authorize a request.

    :param request: the request.
    :param name: the notebook instance of the port.
    :param port: the port that received the request.
    :param state: the state of the notebook instance; None when it no longer exists.
    :param tokens: checks links and cookies.
    :return: the session of an accepted request, or the proxy's own response: the login redirect, or an error page.
    """
    # DNS rebinding: a foreign page could resolve its own name to 127.0.0.1.
    if request.host not in LOCAL_NAMES:
        return error_response(request, "Reach this notebook as 127.0.0.1 or localhost.")
    # Browsers keep the cookies of all ports of a host in one jar.
    cookie_name = f"local-sagemaker-{port}"
    try:
        token = request.query("authToken")
        if token is not None:
            session = tokens.open_link(token)
            check(session, name, state, tokens)
            LOG.info("A presigned URL of %s opened a session.", name)
            return _entry(session, cookie_name, tokens.cookie_of(session), request.query("view"))
        cookie = request.cookie(cookie_name)
        if cookie is None:
            raise LinkRefused(NO_SESSION)
        session = tokens.read_cookie(cookie)
        check(session, name, state, tokens)
        return session
    except LinkRefused as refused:
        return error_response(request, str(refused))


def check(session: NotebookSession, name: str, state: NotebookState | None, tokens: PresignedTokens) -> None:
    """
    Check that a session is currently valid for a notebook instance.

    :param session: the session.
    :param name: the notebook instance.
    :param state: the state of the notebook instance; None when it no longer exists.
    :param tokens: checks the session's expiry.
    :raises LinkRefused: when it is not valid.
    """
    tokens.check_not_ended(session)
    if session.notebook_instance_name != name:
        raise LinkRefused("This link is for another notebook instance.")
    if state is None or session.instance_id != state.instance_id:
        raise LinkRefused("This notebook instance was deleted.")
    if state.status != "InService":
        raise LinkRefused(f"This notebook instance is not running: its status is {state.status}.")


def error_response(request: RequestHead, reason: str, status: int = 403) -> Reply:
    """
    Return an error response: HTML for a browser, JSON for other clients.

    :param request: the request.
    :param reason: why.
    :param status: the HTTP status.
    """
    if request.path.startswith("/api/"):
        message = json.dumps({"message": f"{reason} {WHAT_TO_DO}"})
        return Reply(status, (("Content-Type", "application/json"),), message)
    page = _PAGE.format(reason=escape(reason), what_to_do=WHAT_TO_DO)
    return Reply(status, (("Content-Type", "text/html; charset=utf-8"),), page)


def _entry(session: NotebookSession, cookie_name: str, cookie: str, view: str | None) -> Reply:
    """Exchange a link for a cookie, and redirect to an address without the token."""
    expires = format_datetime(session.ends_at, usegmt=True)
    return Reply(
        302,
        (
            ("Location", _landing(view or "lab")),
            ("Set-Cookie", f"{cookie_name}={cookie}; Expires={expires}; HttpOnly; Path=/; SameSite=Lax"),
            ("Referrer-Policy", "no-referrer"),
        ),
    )


def _landing(view: str) -> str:
    if view != "classic":
        return LAB
    # The classic file list comes with the package ``notebook``; without it, JupyterLab's simple interface is
    # nearest to it.
    return "/tree" if importlib.util.find_spec("notebook") else "/doc"
