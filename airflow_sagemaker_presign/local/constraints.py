"""AWS's own checks of the input, in AWS's words (moto checks little of it)."""

from __future__ import annotations

import re
from typing import Any

from moto.sagemaker.exceptions import SagemakerClientError

NAME_PATTERN = "^[a-zA-Z0-9](-*[a-zA-Z0-9])*"
MAX_NAME_LENGTH = 63


def validation_error(message: str) -> SagemakerClientError:
    """Make the exception that moto answers as a ValidationException (HTTP 400)."""
    return SagemakerClientError("ValidationException", message)


def check_constraints(*problems: str | None) -> None:
    """
    Raise AWS's message for those constraints that are not met.

    :param problems: what the ``…_problem`` functions found; None where nothing was wrong.
    """
    found = [problem for problem in problems if problem]
    if found:
        errors = "error" if len(found) == 1 else "errors"
        raise validation_error(f"{len(found)} validation {errors} detected: {'; '.join(found)}")


def name_problem(name: Any) -> str | None:
    """Check a notebook instance's name: at most 63 characters of ``[a-zA-Z0-9-]``."""
    text = "null" if name is None else f"'{name}'"
    value = f"Value {text} at 'notebookInstanceName' failed to satisfy constraint: "
    if name is None:
        return value + "Member must not be null"
    if len(name) > MAX_NAME_LENGTH:
        return value + f"Member must have length less than or equal to {MAX_NAME_LENGTH}"
    if not re.fullmatch(NAME_PATTERN[1:], name):
        return value + f"Member must satisfy regular expression pattern: {NAME_PATTERN}"
    return None


def range_problem(member: str, value: int | None, least: int, most: int) -> str | None:
    """
    Check a number that may be left out.

    :param member: its name as AWS writes it in errors, in camelCase.
    :param value: what the request said.
    :param least: the least value that AWS takes.
    :param most: the greatest value that AWS takes.
    """
    start = f"Value '{value}' at '{member}' failed to satisfy constraint: Member must have value "
    if value is not None and value < least:
        return start + f"greater than or equal to {least}"
    if value is not None and value > most:
        return start + f"less than or equal to {most}"
    return None
