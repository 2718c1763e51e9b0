"""HTTP control of what runs in the JupyterLabs: ``/local/notebooks/NAME/busy``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request


def activity_blueprint(make_busy: Callable[..., dict[str, Any]], make_idle: Callable[..., dict[str, Any]]) -> Blueprint:
    """
    Return the routes; each takes JSON, named like the arguments of the Python methods, and returns what runs.

    :param make_busy: starts something in a notebook instance.
    :param make_idle: ends everything in it.
    """
    routes = Blueprint("activity", __name__, url_prefix="/local/notebooks/<name>/busy")

    @routes.put("")
    def busy(name: str) -> Response:
        return jsonify(make_busy(name, **_arguments()))

    @routes.delete("")
    def idle(name: str) -> Response:
        return jsonify(make_idle(name, **_arguments()))

    return routes


def _arguments() -> dict[str, Any]:
    return dict(request.get_json()) if request.content_length else {}
