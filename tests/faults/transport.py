"""Where the requests of botocore go instead of a socket: to the account, or into a fault of the script."""

from __future__ import annotations

import io
import json
import math
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import urllib3
from urllib3.connectionpool import HTTPConnectionPool

from tests.faults.virtual_time import VirtualTime
from tests.helpers.simulated_account import BEGINNING, Account, ErrorResponse, as_json

LATENCY = 0.05

DESCRIBE, LIST = "DescribeNotebookInstance", "ListNotebookInstances"
START, MINT = "StartNotebookInstance", "CreatePresignedNotebookInstanceUrl"
ASSUME = "AssumeRole"


@dataclass(frozen=True)
class Request:
    """
    A request, and when it reached AWS.

    :param strict: whether botocore has urllib3 check the length of a response; some versions do.
    """

    at: float
    operation: str
    asked: Mapping[str, Any]
    key: str
    pool: Any
    strict: bool
    account: Account
    time: VirtualTime

    def answered(self) -> Any:
        """Have AWS answer it."""
        if self.operation == ASSUME:
            return self.respond(_ASSUMED.format(key=self.key).encode(), kind="text/xml")
        try:
            body, status = self.account.answer(self.operation, self.asked, self.key, self.time.seconds), 200
        except ErrorResponse as error_response:
            body, status = error_response.body, error_response.status
        return self.respond(as_json(body), status)

    def respond(
        self, body: bytes, status: int = 200, kind: str = "application/x-amz-json-1.1", announced: int | None = None
    ) -> Any:
        """Make an answer; ``announced``: how many bytes it says to have, if that is not the truth."""
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body) if announced is None else announced),
            "Date": formatdate(BEGINNING + self.time.seconds + self.account.ahead, usegmt=True),
        }
        return urllib3.HTTPResponse(
            io.BytesIO(body),
            headers,
            status,
            preload_content=False,
            decode_content=False,
            enforce_content_length=self.strict,
        )


What = Callable[[Request], Any]


@dataclass
class Fault:
    """
    What happens to requests instead of an answer.

    :param what: it.
    :param since: from which second on, ...
    :param until: ... and until when.
    :param operations: to which.
    :param times: how often at the most.
    """

    what: What
    since: float = 0.0
    until: float = math.inf
    operations: tuple[str, ...] = (DESCRIBE, LIST, START, MINT)
    times: float = math.inf

    def takes(self, request: Request) -> bool:
        if request.operation not in self.operations or not self.since <= request.at < self.until or self.times < 1:
            return False
        self.times -= 1
        return True


MONTH_SECONDS = 30 * 86400.0


class NeverEnds(BaseException):
    """No timeout ended the request: the test would run forever."""


class Transport:
    """
    In the place of ``HTTPConnectionPool.urlopen``.

    :param account: who answers.
    :param time: the time.
    """

    def __init__(self, account: Account, time: VirtualTime) -> None:
        self.account = account
        self.time = time
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.on_request: Callable[[int], None] = lambda number: None
        self._lock = threading.Lock()

    def urlopen(self, pool: HTTPConnectionPool, **sent: Any) -> Any:
        headers = {name: _text(value) for name, value in sent["headers"].items()}
        key = re.search("Credential=([^/]*)/", headers["Authorization"])
        self.time.sleep(LATENCY / 2)
        if self.time.seconds > MONTH_SECONDS:
            raise NeverEnds("A request after a month of waiting.")
        operation, asked = _asked(headers, _text(sent["body"]))
        request = Request(
            self.time.seconds,
            operation,
            asked,
            key[1] if key else "",
            pool,
            sent.get("enforce_content_length", True),
            self.account,
            self.time,
        )
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            fault = next((fault for fault in self.faults if fault.takes(request)), None)
        try:
            return fault.what(request) if fault else request.answered()
        finally:
            self.time.sleep(LATENCY / 2)
            self.on_request(number)

    def asked(self, operation: str) -> list[Request]:
        """List the requests of a kind."""
        return [request for request in self.requests if request.operation == operation]


_ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>testing</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def _asked(headers: Mapping[str, str], body: str) -> tuple[str, Mapping[str, Any]]:
    """Parse the request: SageMaker's is JSON, STS's is a form."""
    if "X-Amz-Target" in headers:
        return headers["X-Amz-Target"].partition(".")[2], json.loads(body)
    form = dict(parse_qsl(body))
    return form["Action"], form


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
