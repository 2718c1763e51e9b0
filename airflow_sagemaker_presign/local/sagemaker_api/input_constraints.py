"""AWS's own checks of the input, from the service's model, in AWS's words (moto checks little of it)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.sagemaker.exceptions import SagemakerClientError

MOST_PROBLEMS = 10
"""The maximum number of problems that AWS names in one response."""
_LONGEST_MATCHED = 10_000


def validation_error(message: str) -> SagemakerClientError:
    """Return the exception that moto sends as a ValidationException (HTTP 400)."""
    return SagemakerClientError("ValidationException", message)


def check_constraints(shape: StructureShape, parameters: dict[str, Any]) -> None:
    """
    Raise AWS's message for those constraints of the model that are not met.

    :param shape: the model of an operation's parameters.
    :param parameters: what a request has; their types have been checked.
    :raises SagemakerClientError: ValidationException.
    """
    found = list(_structure_problems(shape, parameters, ""))[:MOST_PROBLEMS]
    if found:
        errors = "error" if len(found) == 1 else "errors"
        raise validation_error(f"{len(found)} validation {errors} detected: {'; '.join(found)}")


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for constraint in _unmet(shape, value):
        yield f"Value {_shown(value)} at '{path}' failed to satisfy constraint: {constraint}"
    if isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, f"{path}.")
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            yield from _member_problems(shape.member, item, f"{path}.{number}.member")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _member_problems(shape.key, key, f"{path}.key")
            yield from _member_problems(shape.value, item, f"{path}.{key}.member")


def _structure_problems(shape: StructureShape, value: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, member in shape.members.items():
        path = prefix + name[0].lower() + name[1:]
        if value.get(name) is not None or name in shape.required_members:
            yield from _member_problems(member, value.get(name), path)


def _member_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if value is None:
        yield f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
    else:
        yield from _problems(shape, value, path)


def _unmet(shape: Shape, value: Any) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if shape.type_name in ("integer", "long", "float", "double"):
        size, measure = value, "value"
    elif shape.type_name in ("string", "list", "map", "blob"):
        size, measure = len(value), "length"
    else:
        return
    if least is not None and size < least:
        yield f"Member must have {measure} greater than or equal to {least}"
    if most is not None and size > most:
        yield f"Member must have {measure} less than or equal to {most}"
    if (pattern := shape.metadata.get("pattern")) and not _matches(pattern, value):
        # The service writes the caret that the published model has lost.
        yield f"Member must satisfy regular expression pattern: {'' if pattern[0] in '^.' else '^'}{pattern}"
    if (known := shape.metadata.get("enum")) and value not in known:
        yield f"Member must satisfy enum value set: [{', '.join(known)}]"


def _matches(pattern: str, value: Any) -> bool:
    compiled = _compiled(pattern)
    # A string that is far too long has already been rejected for its length.
    return compiled is None or len(value) > _LONGEST_MATCHED or compiled.fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:  # A class of characters that Java's expressions have and Python's have not.
        return None


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"'[{', '.join(map(str, value))}]'"
    if isinstance(value, dict):
        return f"'{{{', '.join(f'{key}={item}' for key, item in value.items())}}}'"
    return f"'{value}'"
