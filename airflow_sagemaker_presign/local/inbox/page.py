"""The inbox's routes: the page, its messages as JSON, and the scripts of faults."""

from __future__ import annotations

from importlib.resources import files

from flask import Blueprint, Response, jsonify, request

from airflow_sagemaker_presign.local.inbox.mailbox import Inbox
from airflow_sagemaker_presign.local.inbox.rendering import render


def inbox_blueprint(inbox: Inbox) -> Blueprint:
    """
    Return the routes under ``/inbox``.

    :param inbox: the inbox to show.
    """
    routes = Blueprint("inbox", __name__, url_prefix="/inbox")
    _add_message_routes(routes, inbox)
    _add_fault_routes(routes, inbox)
    return routes


def _add_message_routes(routes: Blueprint, inbox: Inbox) -> None:

    @routes.get("", strict_slashes=False)
    def page() -> Response:
        html = files(__package__).joinpath("page.html").read_text("utf-8")
        response = Response(html, mimetype="text/html")
        # A message contains a credential: keep it out of caches, referrers and frames of other pages.
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Frame-Options"] = "DENY"
        return response

    @routes.get("/cards")
    def cards() -> Response:
        after = request.args.get("after", 0, type=int)
        messages = inbox.messages()
        new = [{"id": message.id, "html": render(message)} for message in messages if message.id > after]
        return jsonify(cards=new, count=len(messages))

    @routes.get("/messages.json")
    def messages_json() -> Response:
        return jsonify(inbox.as_json())

    @routes.delete("/messages.json")
    def clear() -> Response:
        inbox.clear()
        return jsonify([])


def _add_fault_routes(routes: Blueprint, inbox: Inbox) -> None:
    @routes.get("/faults")
    def faults() -> Response:
        return jsonify(smtp=inbox.smtp.as_json(), slack=inbox.slack.as_json())

    @routes.delete("/faults")
    def forget_faults() -> Response:
        inbox.smtp.clear()
        inbox.slack.clear()
        return faults()

    @routes.post("/faults/smtp")
    def fail_smtp() -> Response:
        inbox.smtp.fail(**request.get_json())
        return faults()

    @routes.post("/faults/slack")
    def fail_slack() -> Response:
        inbox.slack.fail(**request.get_json())
        return faults()
