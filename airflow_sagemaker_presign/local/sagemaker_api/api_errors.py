"""Errors in the format of AWS's JSON services, for requests that never reach an operation."""

from __future__ import annotations

import json
import uuid
from typing import Any

CONTENT_TYPE = "application/x-amz-json-1.1"

# As moto has it.
Answer = tuple[int, dict[str, Any], str | bytes]


class ApiError(Exception):
    """
    A request that is refused.

    :param code: AWS's error code.
    :param message: AWS's words; None where AWS says nothing.
    :param status: the HTTP status.
    """

    def __init__(self, code: str, message: str | None = None, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status

    def answer(self) -> tuple[int, dict[str, str], str]:
        """Return the HTTP response: status, headers, body."""
        body = {"__type": self.code} | ({} if self.message is None else {"message": self.message})
        headers = {
            "Content-Type": CONTENT_TYPE,
            "x-amzn-ErrorType": self.code,
            "x-amzn-RequestId": str(uuid.uuid4()),
        }
        return self.status, headers, json.dumps(body)


def unknown_operation(status: int = 400) -> ApiError:
    """There is no such operation, or no operation at all (404)."""
    return ApiError("UnknownOperationException", status=status)


def internal_failure() -> ApiError:
    """Something went wrong here, and not in the request."""
    return ApiError(
        "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.", 500
    )
