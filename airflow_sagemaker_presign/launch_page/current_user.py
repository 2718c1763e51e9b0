"""The signed-in user, and whether they may open a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask


@dataclass(frozen=True)
class CurrentUser:
    """
    A signed-in user.

    :param name: the name that Airflow displays.
    :param user_name: the name with which they sign in.
    :param email: their e-mail address; empty: they have none; ``None``: the auth manager stores none.
    :param address: the client address of the request, as Airflow sees it.
    """

    user_id: str
    name: str
    user_name: str
    email: str | None
    address: str
    may_see: bool = False
    may_edit: bool = False

    @classmethod
    def of(cls, user: Any, *, address: str) -> CurrentUser | None:
        """Create one from an auth manager's user; return ``None`` for an anonymous user."""
        if user is None or _is_anonymous(user):
            return None
        user_id, name, user_name = _text(user.get_id()), _text(user.get_name()), getattr(user, "username", None)
        if not user_id or not name:
            return None
        email = getattr(user, "email", None)
        return cls(
            user_id=user_id,
            name=name,
            # A display name may be chosen freely, so it identifies nobody if there is a user name.
            user_name=user_name if isinstance(user_name, str) and user_name else name,
            email=email if isinstance(email, str) else None,
            address=address,
        )

    @property
    def full_name(self) -> str:
        """The name for error pages, with the e-mail address if there is one, since that is what is compared."""
        return f"{self.name} ({self.email})" if self.email and self.email != self.name else self.name


def may_open(current_user: CurrentUser, task: RenderedTask) -> bool:
    """
    Return whether a user may open a task's notebook: users whom the DAG names, else all who may edit the task instance.

    Both the rendered rule and the latest version of the DAG must allow it: removing a user from the DAG revokes access.
    """
    return current_user.may_see and all(
        _is_listed(current_user, users) for users in (task.allowed_users, *task.allowed_now)
    )


def _is_listed(current_user: CurrentUser, users: Iterable[str] | None) -> bool:
    return current_user.may_edit if users is None else any(_is(current_user, user) for user in users)


def _is(current_user: CurrentUser, user: str) -> bool:
    # A user name may look like another user's e-mail address.
    if "@" in user and current_user.email is not None:
        return _same_address(user, current_user.email)
    return user == current_user.user_name or (
        "@" in current_user.user_name and _same_address(user, current_user.user_name)
    )


def _same_address(one: str, other: str) -> bool:
    # Mail systems ignore case; for non-ASCII letters, case folding would let different names match.
    return one == other or ("@" in one and one.isascii() and other.isascii() and one.lower() == other.lower())


def _is_anonymous(user: Any) -> bool:
    is_anonymous = getattr(user, "is_anonymous", False)
    return bool(is_anonymous() if callable(is_anonymous) else is_anonymous)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
