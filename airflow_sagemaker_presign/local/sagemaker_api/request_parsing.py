"""Reads a request as AWS's JSON protocol does: which operation, and its parameters in the types of the model."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, OperationNotFoundError, Shape, StructureShape
from moto.core.utils import get_service_model

from airflow_sagemaker_presign.local.sagemaker_api.api_errors import CONTENT_TYPE, ApiError, unknown_operation

_TARGET_PREFIX = "SageMaker."
_UNEXPECTED_LIST = "Start of list found where not expected"
_UNEXPECTED_STRUCTURE = "Start of structure or map found where not expected."
_INTEGERS = {"integer": 2**31, "long": 2**63}
_LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z


def read_operation(headers: Mapping[str, str]) -> str:
    """
    Return the operation of a request.

    :param headers: the request's.
    :raises ApiError: UnknownOperationException.
    """
    target = headers.get("X-Amz-Target")
    content_type = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if not target or content_type != CONTENT_TYPE:
        raise unknown_operation(404)
    operation = target.removeprefix(_TARGET_PREFIX)
    if operation == target or operation not in get_service_model("sagemaker").operation_names:
        raise unknown_operation()
    return operation


def input_shape(operation: str) -> StructureShape | None:
    """
    Return the model of an operation's parameters.

    :param operation: its name; any text.
    """
    try:
        shape: StructureShape | None = get_service_model("sagemaker").operation_model(operation).input_shape
    except OperationNotFoundError:
        return None
    return shape


def read_parameters(operation: str, body: bytes) -> dict[str, Any]:
    """
    Read the parameters out of the body.

    :param operation: the operation's name.
    :param body: the request's body.
    :raises ApiError: SerializationException: it is not JSON, or a value has a type that the model does not allow.
    """
    try:
        parsed = json.loads(body, parse_constant=_no_constant)
        _check(input_shape(operation) or StructureShape("Empty", {}), parsed)
    except (ValueError, RecursionError):
        raise ApiError("SerializationException") from None
    parameters: dict[str, Any] = parsed or {}
    return parameters


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON.")


def _check(shape: Shape, value: Any) -> None:
    if value is not None:
        _CHECKS.get(shape.type_name, _check_string)(shape, value)


def _check_structure(shape: Shape, value: Any) -> None:
    assert isinstance(shape, StructureShape)
    if isinstance(value, list):
        raise _serialization_error(_UNEXPECTED_LIST)
    if not isinstance(value, dict):
        raise _serialization_error("Expected null")
    for name, member in shape.members.items():
        _check(member, value.get(name))


def _check_list(shape: Shape, value: Any) -> None:
    assert isinstance(shape, ListShape)
    if isinstance(value, dict):
        raise _serialization_error(_UNEXPECTED_STRUCTURE)
    if not isinstance(value, list):
        raise _serialization_error("Expected list or null")
    for item in value:
        _check(shape.member, item)


def _check_map(shape: Shape, value: Any) -> None:
    assert isinstance(shape, MapShape)
    if isinstance(value, list):
        raise _serialization_error(_UNEXPECTED_LIST)
    if not isinstance(value, dict):
        raise _serialization_error("Expected map or null")
    for item in value.values():
        _check(shape.value, item)


def _check_string(shape: Shape, value: Any) -> None:
    _require_type(str, value, "a String")


def _check_boolean(shape: Shape, value: Any) -> None:
    _require_type(bool, value, "a Boolean")


def _check_integer(shape: Shape, value: Any) -> None:
    _require_type(int, value, f"an {shape.type_name.capitalize()}")
    if not -_INTEGERS[shape.type_name] <= value < _INTEGERS[shape.type_name]:
        raise _cannot_be(value, f"an {shape.type_name.capitalize()}")


def _check_number(shape: Shape, value: Any) -> None:
    _require_type((int, float), value, f"a {shape.type_name.capitalize()}")


def _check_timestamp(shape: Shape, value: Any) -> None:
    _require_type((int, float), value, "milliseconds since epoch")
    if not 0 <= value <= _LAST_SECOND:
        raise _cannot_be(value, "milliseconds since epoch")


def _check_blob(shape: Shape, value: Any) -> None:
    _require_type(str, value, "a Blob")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _cannot_be(value, "a Blob") from None


def _require_type(wanted: type | tuple[type, ...], value: Any, wanted_name: str) -> None:
    if isinstance(value, list):
        raise _serialization_error(_UNEXPECTED_LIST)
    if isinstance(value, dict):
        raise _serialization_error(_UNEXPECTED_STRUCTURE)
    # In Python, and not in JSON, True is a number.
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise _cannot_be(value, wanted_name)


def _cannot_be(value: Any, wanted_name: str) -> ApiError:
    found = "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"
    if isinstance(value, bool):
        found = "TRUE_VALUE" if value else "FALSE_VALUE"
    return _serialization_error(f"{found} can not be converted to {wanted_name}")


def _serialization_error(message: str) -> ApiError:
    return ApiError("SerializationException", message)


_CHECKS: dict[str, Callable[[Shape, Any], None]] = {
    "structure": _check_structure,
    "list": _check_list,
    "map": _check_map,
    "boolean": _check_boolean,
    "integer": _check_integer,
    "long": _check_integer,
    "float": _check_number,
    "double": _check_number,
    "timestamp": _check_timestamp,
    "blob": _check_blob,
}
