"""The users of a task's launch page, as a parameter of its operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from airflow_sagemaker_presign import validation

AllowedUsers = Sequence[str] | Literal["editors"]


class WithAllowedUsers:
    """Part of an operator that has a launch page: the parameter ``allowed_users``."""

    _allowed_users: Any

    @property
    def allowed_users(self) -> Any:
        """The users who may open the launch page; the setter checks the rendered value before Airflow stores it."""
        return self._allowed_users

    @allowed_users.setter
    def allowed_users(self, rendered: object) -> None:
        # An error here is raised before the launch page can read the field.
        self._allowed_users = validation.rendered_allowed_users_of(rendered)
