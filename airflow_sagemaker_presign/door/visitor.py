"""Who is at the door, and whether the notebook opens for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_sagemaker_presign.door.rendered_task import RenderedTask


@dataclass(frozen=True)
class Visitor:
    """
    A signed-in person, who may see the task instance.

    :param user_id: as Airflow's auth manager identifies them.
    :param name: as Airflow shows them.
    :param known_as: user name and e-mail address.
    :param may_edit: whether they may edit the task instance.
    :param address: where the request came from, as Airflow knows it.
    """

    user_id: str
    name: str
    known_as: frozenset[str]
    may_edit: bool
    address: str

    @classmethod
    def of(cls, user: Any, *, may_edit: bool, address: str) -> Visitor:
        """Take what the door needs of an auth manager's user."""
        name = str(user.get_name())
        known_as = (name, getattr(user, "username", None), getattr(user, "email", None))
        return cls(
            user_id=str(user.get_id()),
            name=name,
            known_as=frozenset(text for text in known_as if isinstance(text, str) and text),
            may_edit=may_edit,
            address=address,
        )


def may_open(visitor: Visitor, task: RenderedTask) -> bool:
    """Decide: exactly those whom the DAG's author named; where nobody is named, all who may edit the task instance."""
    if task.allowed_users is None:
        return visitor.may_edit
    return any(_same(user, name) for user in task.allowed_users for name in visitor.known_as)


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    # Mail systems take no notice of case; beyond ASCII, case is a way to look like somebody else.
    return "@" in one and "@" in other and one.isascii() and other.isascii() and one.lower() == other.lower()
