"""Check ``allowed_users``: who may open a workspace through the launch page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_sagemaker_presign.validation import is_template, reject

EDITORS = "editors"
"""Everybody who may edit the task instance."""

_USERS = "'editors', or a non-empty list of Airflow user names or e-mail addresses, such as ['ada@example.com']"
_USER = "a user name or an e-mail address and nothing else, such as 'ada@example.com'"


def allowed_users_of(value: object) -> Any:
    """
    Check ``allowed_users`` as it is written in the DAG file.

    :param value: ``"editors"``, or a list of user names or e-mail addresses; templates, in the list or
        in place of it, are accepted until they are rendered.
    :return: the same object, since Airflow uses its identity to avoid rendering a value twice.
    :raises ValueError: when it is not a list, is empty, or has an invalid element.
    """
    if is_template(value) or value == EDITORS:
        return value
    for index, user in enumerate(_list_of_users(value)):
        if not is_template(user):
            _check_user(index, user)
    return value


def rendered_allowed_users_of(value: object) -> list[str] | str:
    """
    Check the rendered ``allowed_users``. An empty value is an error; it never allows everybody.

    :param value: ``"editors"``, a list of user names or e-mail addresses, or one of them as text.
    :raises ValueError: when it is empty, has an invalid element, or is longer than Airflow stores for the launch
        page.
    """
    from airflow_sagemaker_presign.compat import conf

    if value == EDITORS:
        return EDITORS
    users = [value] if isinstance(value, str) else list(_list_of_users(value))
    for index, user in enumerate(users):
        _check_user(index, user)
    # Airflow truncates longer values when it stores the rendered fields, from which the launch page reads them.
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
