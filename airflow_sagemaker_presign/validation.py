"""Check parameters. Each function raises a ``ValueError`` with the parameter, its value and what it must be."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, NoReturn, TypeGuard

from airflow_sagemaker_presign.minting.presigned_url import (
    MAX_SESSION_EXPIRATION_DURATION,
    MIN_SESSION_EXPIRATION_DURATION,
    URL_VALIDITY,
)

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html
_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"
_MAX_NAME_LENGTH = 63

_NO_PATHS = frozenset({"0", "1", "n", "no", "off", "on", "y", "yes"})
"""Texts that mean True or False, and that a client would take for the path of a file."""
_EMPTY = "; it looks like a missing value that a template rendered"


MAX_DURATION = timedelta(days=365)
"""The maximum duration; with longer ones, such as ``timedelta.max`` for "never", times are out of Python's range."""

_DURATION = f"above 0 and at most {MAX_DURATION.days} days"

EDITORS = "editors"
"""Everybody who may edit the task instance."""

_USERS = "'editors', or a non-empty list of Airflow user names or e-mail addresses, such as ['ada@example.com']"
_USER = "a user name or an e-mail address and nothing else, such as 'ada@example.com'"


NOTEBOOK_LANDINGS = ("lab", "classic", None)
"""The pages that a notebook instance can open with: JupyterLab, the classic page, or AWS's default."""


def is_template(value: object) -> bool:
    """Return whether a value is a template: Jinja, or another task's output."""
    return hasattr(value, "resolve") or (isinstance(value, str) and ("{{" in value or "{%" in value))


def notebook_instance_name_of(value: object) -> str:
    """Check a notebook instance's name; a whole number is what ``render_template_as_native_obj`` makes of digits."""
    name = _digits_or(value)
    if not isinstance(name, str) or len(name) > _MAX_NAME_LENGTH or not re.fullmatch(_NAME, name):
        reject(
            "notebook_instance_name",
            value,
            f"1 to {_MAX_NAME_LENGTH} letters, digits and hyphens, with a letter or digit at both ends"
            f"{_made_native(value)}",
        )
    return name


def text_of(name: str, value: object) -> str | None:
    """Check an optional text; a whole number counts as its digits, what a template makes of nothing is refused."""
    text = _digits_or(value)
    if text is None:
        return None
    if not isinstance(text, str):
        reject(name, value, f"a string or None{_made_native(value)}")
    if not text.strip() or text == "None":
        reject(name, value, f"a string or None{_EMPTY}")
    return text


def verify_of(value: object) -> bool | str | None:
    """Check ``verify``: ``True`` or ``False``, also as text (from a template), the path of a CA bundle, or ``None``."""
    allowed = "True, False, the path of a file or folder with CA certificates, or None"
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, (str, os.PathLike)):
        reject("verify", value, f"{allowed}{_made_native(value)}")
    path = os.fspath(value)
    if not isinstance(path, str) or path.strip().lower() in _NO_PATHS:
        reject("verify", value, allowed)
    if not path.strip() or path == "None":
        reject("verify", value, f"{allowed}{_EMPTY}")
    return {"true": True, "false": False}.get(path.strip().lower(), path)


def ca_bundle_of(verify: bool | str | None) -> bool | str | None:
    """Check that a CA bundle, as :func:`verify_of` returns it, exists on this machine."""
    if isinstance(verify, str) and not os.path.exists(verify):
        reject(
            "verify",
            verify,
            "the path of a file or folder with CA certificates that exists on this machine, or True or False",
        )
    return verify


def botocore_config_of(value: object) -> dict[str, Any] | None:
    """Check that botocore's options are a dict of JSON values, as a trigger's arguments must be."""
    allowed = "a dict of botocore's Config options, each a plain JSON value, or None"
    if value is not None and not isinstance(value, dict):
        reject("botocore_config", value, allowed)
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        reject("botocore_config", value, allowed)
    return value


def extra_of(extra: object) -> None:
    """Check that a connection's extra is a JSON object; the error does not quote it: it may contain secrets."""
    try:
        read = json.loads(extra) if isinstance(extra, str) and extra.strip() else {}
    except ValueError as error:
        raise ValueError(f"its extra is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ValueError(f"its extra is a JSON {type(read).__name__}, and must be an object, such as {{}}")


def session_expiration_duration_of(value: object) -> timedelta:
    """Check the duration of a session: a timedelta, or whole seconds as a number or (from a template) as digits."""
    duration = _timedelta_of(value)
    low, high = MIN_SESSION_EXPIRATION_DURATION, MAX_SESSION_EXPIRATION_DURATION
    if duration is None or not low <= duration <= high or duration.microseconds:
        reject(
            "session_expiration_duration",
            value,
            f"{low.total_seconds():g} to {high.total_seconds():g} whole seconds (30 minutes to 12 hours), "
            f"as a timedelta, a number of seconds or its digits{_made_native(value, timedelta, Real)}",
        )
    return duration


def one_of(name: str, value: object, allowed: Sequence[Any]) -> Any:
    """Check a parameter that must be one of a few values."""
    if value not in allowed:
        reject(name, value, " or ".join(map(repr, allowed)))
    return value


def positive_duration_of(name: str, value: object) -> timedelta:
    """Check a duration, a timedelta or seconds: above 0, and at most a year."""
    duration = _seconds_or(value)
    if not _is_in_range(duration):
        reject(name, value, f"a timedelta, or a number of seconds, {_DURATION}")
    return duration


def idle_for_of(value: object) -> timedelta | None:
    """Check ``idle_for``: a duration, also (from a template) as the digits of its seconds; or ``None``."""
    if value is None:
        return None
    duration = _timedelta_of(value)
    if not _is_in_range(duration):
        reject(
            "idle_for",
            value,
            f"a timedelta, or a number of seconds, {_DURATION}, or None{_made_native(value, timedelta, Real)}",
        )
    return duration


def at_latest_of(value: object) -> time | timedelta | None:
    """
    Check the time of a stop: a time of day, also as text such as ``"20:00"``, a timedelta, or ``None``.

    A text with seconds is refused, since a template makes ``"12:00:00"`` of a timedelta of twelve hours, too.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            if re.fullmatch(r"\d\d:\d\d(Z|[+-]\d\d:\d\d)?", value):
                return time.fromisoformat(value)
        reject("at_latest", value, "a time of day such as '20:00', as hours and minutes; a duration is a timedelta")
    if value is None or isinstance(value, time) or _is_in_range(value):
        return value
    return reject(
        "at_latest", value, f"a datetime.time, a time of day such as '20:00', a timedelta {_DURATION}, or None"
    )


def min_validity_of(value: object) -> timedelta:
    """Check how long a URL must still be valid on arrival: above 0, and below the validity of a URL."""
    duration = _seconds_or(value)
    if not isinstance(duration, timedelta) or not timedelta(0) < duration < URL_VALIDITY:
        reject("min_validity", value, "above 0 and below 5 minutes, the validity of a presigned URL")
    return duration


def positive_int_of(name: str, value: object) -> int:
    """Check a number that must be 1 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        reject(name, value, "a whole number, 1 or more")
    return value


def notifiers_of(value: object) -> tuple[Any, ...]:
    """Check the notifiers: one or several, each a subclass of Airflow's ``BaseNotifier``."""
    from airflow_sagemaker_presign.compat import BaseNotifier

    notifiers = (value,) if isinstance(value, BaseNotifier) or not isinstance(value, Iterable) else tuple(value)
    if not notifiers or isinstance(value, (str, bytes)):
        reject("notifiers", value, "at least one notifier, such as NotebookUrlSmtpNotifier(...)")
    for index, notifier in enumerate(notifiers):
        if not isinstance(notifier, BaseNotifier):
            reject(f"notifiers[{index}]", notifier, "an instance of a subclass of Airflow's BaseNotifier")
    return notifiers


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


def reject(name: str, value: object, allowed: str) -> NoReturn:
    """
    Raise the error of a parameter with a wrong value.

    :param name: the parameter's name.
    :param value: the value.
    :param allowed: what it must be, as the end of a sentence that begins "it must be".
    :raises ValueError: always.
    """
    shown = repr(value)
    raise ValueError(f"{name}={shown if len(shown) <= 120 else shown[:117] + '...'}: must be {allowed}.")


def _is_in_range(duration: object) -> TypeGuard[timedelta]:
    return isinstance(duration, timedelta) and timedelta(0) < duration <= MAX_DURATION


def _timedelta_of(value: object) -> timedelta | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]*)?", value.strip()):
        value = Decimal(value.strip())
    duration = _seconds_or(value)
    return duration if isinstance(duration, timedelta) else None


def _seconds_or(value: object) -> object:
    """Convert a number to seconds; return any other value, and one too large for a timedelta, unchanged."""
    if not isinstance(value, (Real, Decimal)) or isinstance(value, bool):
        return value
    try:
        return timedelta(seconds=float(value))
    except (OverflowError, ValueError):
        return value


def _digits_or(value: object) -> object:
    """Convert a whole number to its digits; return any other value unchanged."""
    return str(int(value)) if isinstance(value, Integral) and not isinstance(value, bool) else value


def _made_native(value: object, *allowed: type) -> str:
    """Return a hint for the message if a template may have rendered to something other than text or these types."""
    if value is None or isinstance(value, (str, *allowed)):
        return ""
    return (
        f" (this is of type {type(value).__name__}: with render_template_as_native_obj=True a template becomes "
        "the Python value that its text represents)"
    )


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
