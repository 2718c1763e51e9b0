"""JupyterLab's identity provider: trusts each request from the reverse proxy, which alone can reach its socket."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth import IdentityProvider, User

NOTEBOOK_HEADER = "X-Local-Notebook-Instance"
"""The proxy's header with the notebook instance of a request."""


class NotebookIdentityProvider(IdentityProvider):
    """Trusts the proxy, without password and login page."""

    @property
    def login_available(self) -> bool:
        """Return no login page, since there is no password."""
        return False

    @property
    def logout_available(self) -> bool:
        """Return no logout page."""
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
