"""Check ``allowed_users``: who may open a workspace through the launch page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_sagemaker_presign.validation import is_template, reject

EDITORS = "editors"
"""All who may edit the task instance."""

_USERS = "'editors', or a list of Airflow user names or e-mail addresses, such as ['ada@example.com'], of one or more"
_USER = "a user name or an e-mail address and nothing else, such as 'ada@example.com'"


def allowed_users_of(value: object) -> Any:
    """
    Check who may open a notebook through the launch page, as the DAG names them.

    :param value: ``"editors"``, or a list of user names or e-mail addresses; templates, in it or instead of it, pass
        until rendered.
    :return: the very same object: by its identity Airflow knows what it must not render a second time.
    :raises ValueError: when it is no list, an empty one, or one with something else in it.
    """
    if is_template(value) or value == EDITORS:
        return value
    for index, user in enumerate(_list_of_users(value)):
        if not is_template(user):
            _check_user(index, user)
    return value


def rendered_allowed_users_of(value: object) -> list[str] | str:
    """
    Check who may open a notebook through the launch page, after rendering; nobody named is an error, never everybody.

    :param value: ``"editors"``, a list of user names or e-mail addresses, or one of them as text.
    :raises ValueError: when there is none, something else among them, or more than Airflow would keep for the launch
        page.
    """
    from airflow_sagemaker_presign.compat import conf

    if value == EDITORS:
        return EDITORS
    users = [value] if isinstance(value, str) else list(_list_of_users(value))
    for index, user in enumerate(users):
        _check_user(index, user)
    # What is longer Airflow cuts when it keeps the rendered fields, out of which the launch page reads them.
    longest = conf.getint("core", "max_templated_field_length", fallback=4096)
    if len(str(users)) > longest:
        reject(
            "allowed_users", users, f"no longer than {longest} characters in all ([core] max_templated_field_length)"
        )
    return users


def _list_of_users(value: object) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or not value:
        reject("allowed_users", value, _USERS)
    return value


def _check_user(index: int, user: object) -> None:
    name = f"allowed_users[{index}]"
    if not isinstance(user, str) or not user.isprintable() or user.strip() != user or user in ("", "None"):
        reject(name, user, _USER)
    if any(character in user for character in "<>") or is_template(user):
        reject(name, user, _USER)
    if user.startswith("["):
        reject(name, user, f"{_USER}; a template becomes a list only with the DAG's render_template_as_native_obj=True")
