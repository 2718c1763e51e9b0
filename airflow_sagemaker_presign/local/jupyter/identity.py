"""Whom JupyterLab has before it: whoever the gate lets through to its socket, which nobody else can reach."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth import IdentityProvider, User

NOTEBOOK_HEADER = "X-Local-Notebook-Instance"
"""The gate's word for the notebook instance that a request is for."""


class NotebookIdentityProvider(IdentityProvider):
    """Takes the gate's word; no password and no login page is left."""

    @property
    def login_available(self) -> bool:
        """No login page: there is nothing that a person could type into it."""
        return False

    @property
    def logout_available(self) -> bool:
        """No logout page either."""
        return False

    def get_user(self, handler: Any) -> User | None:
        """
        Identify the request.

        :param handler: the request.
        """
        name = handler.request.headers.get(NOTEBOOK_HEADER)
        if not name:
            return None
        return User(username=name, name=name, display_name=name, initials=name[:2].upper())
