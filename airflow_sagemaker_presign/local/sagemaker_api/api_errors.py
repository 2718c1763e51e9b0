"""Errors in the format of AWS's JSON services, for requests that never reach an operation."""

from __future__ import annotations

import json
import uuid
from typing import Any

CONTENT_TYPE = "application/x-amz-json-1.1"

# The same as moto's.
Answer = tuple[int, dict[str, Any], str | bytes]


class ApiError(Exception):
    """
    An error response.

    :param code: AWS's error code.
    :param message: AWS's message; None where AWS sends none.
    :param status: the HTTP status.
    """

    def __init__(self, code: str, message: str | None = None, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status

    def response(self) -> tuple[int, dict[str, str], str]:
        """Return the HTTP response: status, headers, body."""
        body = {"__type": self.code} | ({} if self.message is None else {"message": self.message})
        headers = {
            "Content-Type": CONTENT_TYPE,
            "x-amzn-ErrorType": self.code,
            "x-amzn-RequestId": str(uuid.uuid4()),
        }
        return self.status, headers, json.dumps(body)


def unknown_operation(status: int = 400) -> ApiError:
    """Return the error for an unknown operation, or for a request without one (404)."""
    return ApiError("UnknownOperationException", status=status)


def internal_failure() -> ApiError:
    """Return the error for a failure of the server, not of the request."""
    return ApiError(
        "InternalFailure", "The request processing has failed because of an unknown error, exception or failure.", 500
    )
