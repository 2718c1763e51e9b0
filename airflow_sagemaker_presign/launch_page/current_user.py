"""Who is signed in, and whether the notebook opens for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask


@dataclass(frozen=True)
class CurrentUser:
    """
    A signed-in person.

    :param user_id: as Airflow's auth manager identifies them.
    :param name: as Airflow shows them.
    :param user_name: what they sign in as.
    :param email: their e-mail address; empty when they have none; ``None`` where the auth manager keeps none.
    :param address: where the request came from, as Airflow knows it.
    :param may_see: whether Airflow lets them see the task instance.
    :param may_edit: whether it lets them edit it.
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
        """Take what the launch page needs of an auth manager's user; ``None`` for one who is nobody in particular."""
        if user is None or _is_anonymous(user):
            return None
        user_id, name, user_name = _text(user.get_id()), _text(user.get_name()), getattr(user, "username", None)
        if not user_id or not name:
            return None
        email = getattr(user, "email", None)
        return cls(
            user_id=user_id,
            name=name,
            # A name that is only for showing may be anybody's own choice; where there is another, it names nobody.
            user_name=user_name if isinstance(user_name, str) and user_name else name,
            email=email if isinstance(email, str) else None,
            address=address,
        )

    @property
    def in_words(self) -> str:
        """What they are known as, for a refusal: where there is an e-mail address, it is what counts."""
        return f"{self.name} ({self.email})" if self.email and self.email != self.name else self.name


def may_open(current_user: CurrentUser, task: RenderedTask) -> bool:
    """
    Decide: exactly those whom the DAG's author named; where nobody is named, all who may edit the task instance.

    That holds for what the task rendered, and for what its DAG says now: whom the author takes out is out.
    """
    return current_user.may_see and all(
        _is_let_in(current_user, users) for users in (task.allowed_users, *task.allowed_now)
    )


def _is_let_in(current_user: CurrentUser, users: Iterable[str] | None) -> bool:
    return current_user.may_edit if users is None else any(_is(current_user, user) for user in users)


def _is(current_user: CurrentUser, user: str) -> bool:
    # Anybody may have a user name that looks like somebody else's address.
    if "@" in user and current_user.email is not None:
        return _same_address(user, current_user.email)
    return user == current_user.user_name or (
        "@" in current_user.user_name and _same_address(user, current_user.user_name)
    )


def _same_address(one: str, other: str) -> bool:
    # Mail systems take no notice of case; beyond ASCII, case is a way to look like somebody else.
    return one == other or ("@" in one and one.isascii() and other.isascii() and one.lower() == other.lower())


def _is_anonymous(user: Any) -> bool:
    said = getattr(user, "is_anonymous", False)
    return bool(said() if callable(said) else said)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
