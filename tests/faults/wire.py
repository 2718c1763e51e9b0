"""Where the requests of botocore go instead of a socket: to the account, or into a fault of the script."""

from __future__ import annotations

import http.client
import io
import json
import math
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProtocolError, ReadTimeoutError

from tests.faults.account import Account, Refusal, as_json
from tests.faults.virtual_time import BEGINNING, VirtualTime

LATENCY = 0.05

DESCRIBE, LIST = "DescribeNotebookInstance", "ListNotebookInstances"
START, MINT = "StartNotebookInstance", "CreatePresignedNotebookInstanceUrl"


@dataclass(frozen=True)
class Request:
    """A request, and when it reached AWS."""

    at: float
    operation: str
    asked: Mapping[str, Any]
    key: str
    pool: Any
    account: Account
    time: VirtualTime

    def answered(self) -> Any:
        """Have AWS answer it."""
        try:
            body, status = self.account.answer(self.operation, self.asked, self.key, self.time.seconds), 200
        except Refusal as refusal:
            body, status = refusal.body, refusal.status
        return self.respond(as_json(body), status)

    def respond(self, body: bytes, status: int = 200, kind: str = "application/x-amz-json-1.1") -> Any:
        """Make an answer."""
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Date": formatdate(BEGINNING + self.time.seconds + self.account.ahead, usegmt=True),
        }
        return urllib3.HTTPResponse(
            io.BytesIO(body), headers, status, preload_content=False, decode_content=False, enforce_content_length=False
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


class Wire:
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
        request = Request(
            self.time.seconds,
            headers["X-Amz-Target"].partition(".")[2],
            json.loads(_text(sent["body"])),
            key[1] if key else "",
            pool,
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


def refuses(code: str, message: str, status: int = 400) -> What:
    """Have AWS say no."""
    return lambda request: request.respond(as_json({"__type": code, "message": message}), status)


throttles = refuses("ThrottlingException", "Rate exceeded")
denies = refuses("AccessDeniedException", "User: arn:aws:iam::123456789012:user/airflow is not authorized")


def breaks(status: int = 500) -> What:
    """Have AWS fail."""
    return refuses("InternalFailure", "The request processing has failed because of an unknown error", status)


def no_connection(request: Request) -> Any:
    """Nobody listens."""
    raise NewConnectionError(request.pool, "Failed to establish a new connection: [Errno 111] Connection refused")


def no_route(request: Request) -> Any:
    """Nobody answers the call for a connection."""
    request.time.sleep(request.pool.timeout.connect_timeout)
    raise ConnectTimeoutError(request.pool, "Connection to sagemaker timed out.")


def resets(request: Request) -> Any:
    """The connection is reset before there is an answer."""
    error = ConnectionResetError(104, "Connection reset by peer")
    raise ProtocolError("Connection aborted.", error) from error


def never_answers(request: Request) -> Any:
    """The request is taken, and no answer comes."""
    request.time.sleep(request.pool.timeout.read_timeout)
    raise ReadTimeoutError(request.pool, "/", "Read timed out.")


def loses_the_answer(request: Request) -> Any:
    """What was asked for is done, and the connection breaks before the answer."""
    request.answered()
    return resets(request)


def cut(request: Request) -> Any:
    """The answer ends in the middle, and the connection with it."""
    whole = request.answered()
    body = whole.read()
    whole._fp = _Cut(body[: len(body) // 2])
    return whole


def ends_early(request: Request) -> Any:
    """The answer ends in the middle, as if it were all."""
    whole = request.answered()
    body = whole.read()
    return request.respond(body[: len(body) // 2], whole.status)


def html(status: int, size: int = 0) -> What:
    """Something between here and AWS answers with a page for people."""
    page = b"<html><head><title>Sign in</title></head><body>Please sign in to the network." + b" " * size
    return lambda request: request.respond(page, status, "text/html")


def enormous(rows: int) -> What:
    """Have a list come in one page with so many strangers in it."""
    stranger = {"NotebookInstanceStatus": "Pending", "NotebookInstanceArn": "arn:" + "x" * 100, "LastModifiedTime": 1e9}

    def what(request: Request) -> Any:
        page = json.loads(request.answered().read())
        page["NotebookInstances"] += [{"NotebookInstanceName": f"stranger-{n}", **stranger} for n in range(rows)]
        return request.respond(as_json(page))

    return what


def never_ends(request: Request) -> Any:
    """Have a list with nothing on a page, and always another page to come."""
    return request.respond(as_json({"NotebookInstances": [], "NextToken": f"token-{request.at}"}))


def answers(**fields: Any) -> What:
    """Have AWS answer just this."""
    return lambda request: request.respond(as_json(fields))


def without(*fields: str) -> What:
    """Have AWS leave something out of its answer."""

    def what(request: Request) -> Any:
        answer = json.loads(request.answered().read())
        kept = {name: value for name, value in answer.items() if name not in fields}
        for row in kept.get("NotebookInstances", ()):
            for name in fields:
                row.pop(name, None)
        return request.respond(as_json(kept))

    return what


def slow(seconds: float) -> What:
    """Have the answer take a while, as far as its asker waits."""

    def what(request: Request) -> Any:
        if seconds >= request.pool.timeout.read_timeout:
            return never_answers(request)
        request.time.sleep(seconds)
        return replace(request, at=request.time.seconds).answered()

    return what


@dataclass
class _Cut(io.RawIOBase):
    sent: bytes
    closed_: bool = field(default=False)

    def read(self, amount: int = -1) -> bytes:
        if self.sent:
            sent, self.sent = self.sent, b""
            return sent
        raise http.client.IncompleteRead(b"", 100)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
