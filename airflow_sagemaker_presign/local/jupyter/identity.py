"""Who gets into JupyterLab: the holder of a good presigned URL, and then of the cookie it was changed for."""

from __future__ import annotations

import importlib.util
import json
import logging
from html import escape
from typing import Any, ClassVar

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado.web import Finish

from airflow_sagemaker_presign.local.presigned_tokens import (
    LinkRefused,
    NotebookSession,
    PresignedTokens,
)

LOG = logging.getLogger(__name__)

LAB = "/lab"
NO_SESSION = "This notebook opens with a presigned link only, and your browser brought none."
WHAT_TO_DO = "Ask for a new link: run the Airflow task again, or call CreatePresignedNotebookInstanceUrl."
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>You need a new link</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:17px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1.5em;
color-scheme:light dark}}h1{{font-size:1.4em}}</style>
<h1>You need a new link</h1><p>{reason}</p><p>{what_to_do}</p></html>"""


class FrontDoor(JupyterHandler):
    """
    The address of a presigned URL, ``/?authToken=…``.

    Jupyter's own redirect from ``/`` would carry the token on to the next address.
    """

    @allow_unauthenticated
    def get(self) -> None:
        """Lead on those who have a session already; all others have been answered before."""
        self.redirect(LAB)


class PresignedUrlIdentityProvider(IdentityProvider):
    """
    Lets in with ``authToken`` in the address, changes it for a cookie, and strips it from the address at once.

    AWS does the same with the presigned URL of a notebook instance; no password and no login page is left.
    """

    # Set once by the process that runs JupyterLab, before the server is made.
    tokens: ClassVar[PresignedTokens]

    @property
    def login_available(self) -> bool:
        """No login page: there is nothing that a person could type into it."""
        return False

    @property
    def logout_available(self) -> bool:
        """No logout page either."""
        return False

    def get_handlers(self) -> list[tuple[str, object]]:
        """Add the front door to the server."""
        return [(r"/?", FrontDoor)]

    def get_user(self, handler: Any) -> User | None:
        """
        Identify the request; a page in words answers those that bring nothing good.

        :param handler: the request.
        :raises Finish: when the request is answered by this: with a redirect, or refused.
        """
        known: User | None = getattr(handler, "_jupyter_current_user", None)
        if known is not None:
            return known
        try:
            token = self._presented_token(handler)
            if token is not None:
                self._enter(handler, self.tokens.open_link(token))
            cookie = handler.get_cookie(self.get_cookie_name(handler))
            if cookie is None:
                raise LinkRefused(NO_SESSION)
            return _user(self.tokens.read_cookie(cookie))
        except LinkRefused as refused:
            self._refuse(handler, str(refused))
            return None

    def _presented_token(self, handler: Any) -> str | None:
        """Read the token of a presigned URL from the address."""
        token: str | None = handler.get_query_argument("authToken", None)
        return token

    def get_cookie_name(self, handler: Any) -> str:
        """Name the cookie after the port: browsers keep the cookies of all ports of a host in one jar."""
        return f"local-sagemaker-{handler.request.host.rpartition(':')[2]}"

    def _enter(self, handler: Any, session: NotebookSession) -> None:
        handler.set_cookie(
            self.get_cookie_name(handler),
            self.tokens.cookie_of(session),
            expires=session.ends_at,
            httponly=True,
            samesite="Lax",
        )
        handler.set_header("Referrer-Policy", "no-referrer")
        handler.set_header("Cache-Control", "no-store")
        LOG.info("A presigned URL of %s opened a session.", session.notebook_instance_name)
        handler.redirect(_landing(handler.get_query_argument("view", "lab")))
        raise Finish

    def _refuse(self, handler: Any, reason: str) -> None:
        handler.set_status(403)
        if isinstance(handler, APIHandler):
            handler.set_header("Content-Type", "application/json")
            raise Finish(json.dumps({"message": f"{reason} {WHAT_TO_DO}"}))
        handler.set_header("Content-Type", "text/html; charset=utf-8")
        raise Finish(_PAGE.format(reason=escape(reason), what_to_do=WHAT_TO_DO))


def _landing(view: str) -> str:
    if view != "classic":
        return LAB
    # The classic file list comes with the package ``notebook``; without it, JupyterLab's simple interface is
    # nearest to it.
    return "/tree" if importlib.util.find_spec("notebook") else "/doc"


def _user(session: NotebookSession) -> User:
    name = session.notebook_instance_name
    return User(username=name, name=name, display_name=name, initials=name[:2].upper())
