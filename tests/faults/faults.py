"""What can happen to a request instead of an answer: at AWS, and on the way there and back."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
from dataclasses import dataclass, replace
from typing import Any

from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from tests.faults.transport import Request, What
from tests.helpers.simulated_account import as_json

NO_SUCH_HOST = socket.gaierror(-2, "Name or service not known")


def refuses(code: str, message: str, status: int = 400) -> What:
    """Have AWS say no."""
    return lambda request: request.respond(as_json({"__type": code, "message": message}), status)


def refuses_in_xml(code: str, message: str, status: int = 400) -> What:
    """Have STS say no, which speaks XML."""
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return lambda request: request.respond(body.encode(), status, "text/xml")


throttles = refuses("ThrottlingException", "Rate exceeded")
denies = refuses("AccessDeniedException", "User: arn:aws:iam::123456789012:user/airflow is not authorized")


def breaks(status: int = 500) -> What:
    """Have AWS fail."""
    return refuses("InternalFailure", "The request processing has failed because of an unknown error", status)


def no_connection(request: Request) -> Any:
    """The port is closed."""
    raise NewConnectionError(request.pool, "Failed to establish a new connection: [Errno 111] Connection refused")


def no_such_host(request: Request) -> Any:
    """The name of AWS's endpoint is not found."""
    raise NameResolutionError(request.pool.host, request.pool, NO_SUCH_HOST) from NO_SUCH_HOST


def untrusted(request: Request) -> Any:
    """A proxy presents certificates from an untrusted CA."""
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")
    raise SSLError(error) from error


def no_ca_file(request: Request) -> Any:
    """The CA bundle is not where the environment says that it is."""
    error = FileNotFoundError(2, "No such file or directory")
    raise SSLError(error) from error


def breaks_the_handshake(request: Request) -> Any:
    """The connection ends before the certificate came."""
    error = ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol")
    raise SSLError(error) from error


def tunnel_refused(status: int, words: str) -> What:
    """Have a proxy refuse to connect."""

    def what(request: Request) -> Any:
        error = OSError(f"Tunnel connection failed: {status} {words}")
        raise ProxyError("Unable to connect to proxy", error) from error

    return what


def no_route(request: Request) -> Any:
    """The connection attempt gets no response."""
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
    """The answer ends in the middle, as if it were all; botocore notices, or takes it for the whole one."""
    whole = request.answered()
    body = whole.read()
    return request.respond(body[: len(body) // 2], whole.status, announced=len(body))


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

    def read(self, amount: int = -1) -> bytes:
        if self.sent:
            sent, self.sent = self.sent, b""
            return sent
        raise http.client.IncompleteRead(b"", 100)
