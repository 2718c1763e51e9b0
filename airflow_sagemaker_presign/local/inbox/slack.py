"""A simulated Slack: the methods of its Web API that notifiers need, and incoming webhooks."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from typing import Any

from flask import Blueprint, Response, jsonify, request

from airflow_sagemaker_presign.local.inbox.block_kit import SlackError, slack_error_of
from airflow_sagemaker_presign.local.inbox.faults import Scripted, SlackFault
from airflow_sagemaker_presign.local.inbox.mailbox import Inbox

_CHANNEL = re.compile(r"[#@]?[^\s#@]+")

Reply = Response | tuple[Response, int] | tuple[str, int]


class SlackStandIn:
    """
    Simulates Slack; a user exists as soon as a client looks up their e-mail address.

    :param inbox: where messages go, and the script of faults.
    """

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._people: dict[str, str] = {}
        self._directs: dict[str, str] = {}
        self._stopping = threading.Event()

    def blueprint(self) -> Blueprint:
        """Return the routes: ``/slack/api/METHOD``, ``/slack/services/…`` and ``/services/…``."""
        routes = Blueprint("slack", __name__)
        routes.add_url_rule("/slack/api/<method>", view_func=self._api, methods=["GET", "POST"])
        for prefix in ("/services", "/slack/services"):
            routes.add_url_rule(f"{prefix}/<path:token>", f"webhook{prefix}", view_func=self._webhook, methods=["POST"])
        return routes

    def stop(self) -> None:
        """Release the requests that hang."""
        self._stopping.set()

    def _api(self, method: str) -> Reply:
        problem = _json_problem()
        if problem is not None:
            return jsonify(ok=False, error=problem)
        arguments = _arguments()
        if not _token(arguments):
            return jsonify(ok=False, error="not_authed")
        fault = self._inbox.slack.take(method)
        if fault is not None and fault.fault != SlackFault.HANG_AFTER_RECEIPT:
            return self._fail(fault)
        response = self._response(method, arguments, acknowledged=fault is None)
        return self._fail(fault) if fault is not None else jsonify(response)

    def _response(self, method: str, arguments: dict[str, Any], *, acknowledged: bool) -> dict[str, Any]:
        if method == "auth.test":
            return {"ok": True, "url": "https://local.slack.com/", "team": "Local", "user": "airflow"}
        if method == "users.lookupByEmail":
            return self._look_up(str(arguments.get("email", "")))
        if method == "conversations.open":
            return self._open(str(arguments.get("users", "")))
        if method == "chat.postMessage":
            return self._post(arguments, acknowledged=acknowledged)
        return {"ok": False, "error": "unknown_method", "req_method": method}

    def _look_up(self, email: str) -> dict[str, Any]:
        if "@" not in email:
            return {"ok": False, "error": "users_not_found"}
        user = "U" + hashlib.sha256(email.lower().encode()).hexdigest()[:9].upper()
        self._people[user] = email
        profile = {"email": email, "display_name": email.partition("@")[0]}
        return {"ok": True, "user": {"id": user, "name": profile["display_name"], "profile": profile}}

    def _open(self, user: str) -> dict[str, Any]:
        if not user.startswith(("U", "W")):
            return {"ok": False, "error": "user_not_found"}
        channel = "D" + user[1:]
        self._directs[channel] = user
        return {"ok": True, "channel": {"id": channel}}

    def _post(self, arguments: dict[str, Any], *, acknowledged: bool) -> dict[str, Any]:
        channel = arguments.get("channel")
        # Slack accepts a name or an id, and no e-mail address.
        if not isinstance(channel, str) or not _CHANNEL.fullmatch(channel):
            return _refused(SlackError("channel_not_found"))
        slack_error = slack_error_of(arguments)
        if slack_error is not None:
            return _refused(slack_error)
        person = self._people.get(self._directs.get(channel, channel))
        message = self._inbox.receive_slack(channel, person, arguments, acknowledged=acknowledged)
        return {"ok": True, "channel": channel, "ts": f"{message.arrived_at:.6f}", "message": {}}

    def _webhook(self, token: str) -> Reply:
        if _json_problem() is not None:
            return "invalid_payload", 400
        payload = _arguments()
        fault = self._inbox.slack.take("webhook")
        if fault is not None and fault.fault != SlackFault.HANG_AFTER_RECEIPT:
            return self._fail(fault, webhook=True)
        slack_error = slack_error_of(payload)
        if slack_error is not None:
            return slack_error.code, 400
        # A webhook's path is a secret, so show its channel only.
        channel = str(payload.get("channel") or "(incoming webhook)")
        self._inbox.receive_slack(channel, None, payload, acknowledged=fault is None)
        return self._fail(fault, webhook=True) if fault is not None else ("ok", 200)

    def _fail(self, fault: Scripted, *, webhook: bool = False) -> Reply:
        settings = fault.settings
        if fault.fault == SlackFault.RATE_LIMITED:
            limited = jsonify(ok=False, error="ratelimited")
            limited.headers["Retry-After"] = str(settings["retry_after"])
            return limited, 429
        if fault.fault == SlackFault.SERVER_ERROR:
            return jsonify(ok=False, error="internal_error"), 500
        if fault.fault == SlackFault.NOT_OK:
            return (settings["error"], 404) if webhook else jsonify(ok=False, error=settings["error"])
        self._stopping.wait(settings["hang_seconds"])
        return jsonify(ok=False, error="request_timeout"), 408


def _token(arguments: dict[str, Any]) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    given = token.strip() if kind.lower() == "bearer" else ""
    return given or str(arguments.get("token") or "")


def _refused(slack_error: SlackError) -> dict[str, Any]:
    response: dict[str, Any] = {"ok": False, "error": slack_error.code}
    if slack_error.errors:
        response["errors"] = list(slack_error.errors)
        response["response_metadata"] = {"messages": [f"[ERROR] {error}" for error in slack_error.errors]}
    return response


def _json_problem() -> str | None:
    """Return Slack's error for a body that is declared as JSON and is not a JSON object."""
    if not request.is_json or not request.get_data():
        return None
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        return "invalid_json"
    return None if isinstance(body, dict) else "json_not_object"


def _arguments() -> dict[str, Any]:
    """Return the arguments of a call, in whichever format the client sent them."""
    body = request.get_json(silent=True)
    arguments: dict[str, Any] = body if isinstance(body, dict) else request.values.to_dict()
    if "payload" in arguments:  # The format of older webhook clients.
        payload = _parsed(arguments["payload"])
        arguments = payload if isinstance(payload, dict) else {}
    # Slack takes these as text too, which is how the provider's notifier sends them.
    for name in ("blocks", "attachments"):
        if arguments.get(name):
            arguments[name] = _parsed(arguments[name])
    return arguments


def _parsed(value: Any) -> Any:
    """Parse a text as JSON; return other text unchanged, for the checks to reject."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value
