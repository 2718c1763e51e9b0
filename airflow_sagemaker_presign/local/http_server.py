"""The HTTP server: moto's API for signed requests and our own pages for all others, on one port."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, redirect, request
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.sagemaker.exceptions import SagemakerClientError
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response as AnyResponse

from airflow_sagemaker_presign.local.sagemaker_api.api_errors import ApiError, internal_failure
from airflow_sagemaker_presign.local.sagemaker_api.authentication import check_signed

LOOPBACK = "127.0.0.1"
_MOTO_PATHS = ("/moto-api", "/favicon.ico", "/latest/")
_OURS = ("/inbox", "/local", "/slack", "/services")
LOG = logging.getLogger(__name__)

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class PortInUse(OSError):
    """The requested port is in use."""


def bind(port: int, purpose: str) -> socket.socket:
    """
    Reserve a port on loopback; no other address can be chosen.

    :param port: 0 for a free one.
    :param purpose: what the port is for; part of the error message.
    :raises PortInUse: when it is taken.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((LOOPBACK, port))
        bound.listen(128)
    except (OSError, OverflowError) as error:
        bound.close()
        raise PortInUse(f"Port {port} of {LOOPBACK} for {purpose} cannot be used: {error}.") from None
    return bound


class _QuietHandler(MotoRequestHandler):
    # A line per request is of no use to a person, and addresses must not be logged here.
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Do not log requests."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log an error without addresses."""
        LOG.debug("HTTP %s", type)


class HttpServer:
    """
    Serves until it is stopped, each request in a thread of its own.

    :param bound: the port.
    :param blueprints: our pages.
    """

    def __init__(self, bound: socket.socket, blueprints: list[Blueprint]) -> None:
        self.port: int = bound.getsockname()[1]
        application = _Dispatcher(_pages(blueprints), DomainDispatcherApplication(create_backend_app))
        self._server: BaseWSGIServer = make_server(
            LOOPBACK,
            self.port,
            application,
            threaded=True,
            request_handler=_QuietHandler,
            fd=bound.fileno(),
        )
        # The server holds a duplicate of the socket.
        bound.close()
        self._thread = threading.Thread(target=self._server.serve_forever, name="local-http", daemon=True)

    def start(self) -> None:
        """Start serving requests."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Dispatcher:
    def __init__(self, ours: Wsgi, moto: DomainDispatcherApplication) -> None:
        self._ours = ours
        self._moto = moto

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        # An S3 bucket may be called "inbox": a signed request is moto's, whatever its path.
        signed = environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4-")
        first = f"/{path.split('/')[1]}" if path.count("/") else path
        browser = path == "/" and environ.get("REQUEST_METHOD") == "GET"
        if not signed and (first in _OURS or browser):
            return self._ours(environ, start_response)
        try:
            # Moto's own pages, and operations that AWS accepts without a signature, are recognised differently.
            if not path.startswith(_MOTO_PATHS) and not self._needs_no_signature(environ, path):
                check_signed(environ)
            response: Iterable[bytes] = self._moto(environ, start_response)
            return response
        except ApiError as error:
            return _error_response(error, start_response)
        except Exception as error:
            # Without the message, which may contain an address.
            LOG.error("A request failed: %s", type(error).__name__)
            return _error_response(internal_failure(), start_response)

    def _needs_no_signature(self, environ: dict[str, Any], path: str) -> bool:
        if environ.get("HTTP_AUTHORIZATION"):
            return False
        try:
            return self._moto.infer_service_region_host(environ, path) is not None
        except ValueError:  # A target that has no service in it.
            return False


def _error_response(error: ApiError, start_response: Any) -> Iterable[bytes]:
    status, headers, body = error.response()
    content = body.encode()
    start_response(f"{status} {HTTPStatus(status).phrase}", [*headers.items(), ("Content-Length", str(len(content)))])
    return [content]


def _pages(blueprints: list[Blueprint]) -> Flask:
    app = Flask(__name__, static_folder=None)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)

    @app.before_request
    def only_local_names() -> AnyResponse | None:
        # DNS rebinding: a foreign page could resolve its own name to 127.0.0.1 and read the inbox.
        if request.host.rpartition(":")[0] in (LOOPBACK, "localhost"):
            return None
        return Response("Reach this server as 127.0.0.1 or localhost.\n", 403)

    @app.get("/")
    def home() -> AnyResponse:
        return redirect("/inbox")

    @app.errorhandler(TypeError)
    @app.errorhandler(ValueError)
    @app.errorhandler(KeyError)
    @app.errorhandler(LookupError)
    @app.errorhandler(SagemakerClientError)
    def bad_input(error: Exception) -> tuple[Response, int]:
        return jsonify(error=f"{type(error).__name__}: {error}"), 400

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.description), error.code or 500

    return app
