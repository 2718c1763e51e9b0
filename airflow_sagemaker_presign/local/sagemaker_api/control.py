"""HTTP control of the local SageMaker, under ``/local``: faults, statuses, the clock, recorded requests."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from airflow_sagemaker_presign.local.sagemaker_api.local_sagemaker import LocalSageMaker


def control_blueprint(sagemaker: LocalSageMaker) -> Blueprint:
    """
    Return the routes; each takes and returns JSON, named like the arguments of the Python methods.

    :param sagemaker: what to control.
    """
    routes = Blueprint("control", __name__, url_prefix="/local")

    @routes.get("/requests")
    def requests() -> Response:
        return jsonify(sagemaker.requests_as_json())

    @routes.delete("/requests")
    def forget_requests() -> Response:
        sagemaker.requests.clear()
        return requests()

    @routes.get("/notebooks")
    def notebooks() -> Response:
        return jsonify([_plain(notebook) for notebook in sagemaker.notebooks()])

    @routes.post("/notebooks")
    def create() -> Response:
        sagemaker.create_notebook(**request.get_json())
        return notebooks()

    @routes.put("/notebooks/<name>/status")
    def status(name: str) -> Response:
        sagemaker.set_status(name, **request.get_json())
        return notebooks()

    @routes.post("/clock/advance")
    def advance() -> Response:
        now = sagemaker.clock.advance(float(request.get_json()["seconds"]))
        return jsonify(now=now.isoformat())

    _add_faults(routes, sagemaker)
    return routes


def _add_faults(routes: Blueprint, sagemaker: LocalSageMaker) -> None:
    @routes.get("/faults")
    def faults() -> Response:
        return jsonify(sagemaker.faults.as_json())

    @routes.delete("/faults")
    def forget_faults() -> Response:
        sagemaker.faults.clear()
        return faults()

    @routes.post("/faults/start")
    def on_start() -> Response:
        sagemaker.faults.on_start(**request.get_json())
        return faults()

    @routes.post("/faults/calls")
    def fail_calls() -> Response:
        sagemaker.faults.fail_calls(**request.get_json())
        return faults()


def _plain(notebook: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in notebook.items()}
