"""Slack's error codes in plain English, with what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NO_LOGIN = (
    "Slack does not accept the token of the Airflow connection {connection}. Put the bot token (xoxb-…) of the Slack "
    "app, as shown under “OAuth & Permissions”, in the connection's password."
)
_NO_USER = (
    "there is no person {recipient} in the Slack workspace. Check the e-mail address (it must be the one in their "
    "Slack profile) or the user id (“Copy member ID” in the profile)."
)

# https://docs.slack.dev/reference/methods/chat.postMessage#errors and .../users.lookupByEmail#errors
_WORDS = {
    "channel_not_found": (
        "the Slack app finds no channel {recipient}. Check the name or the id; in a private channel, invite the app "
        "first (/invite @app)."
    ),
    "not_in_channel": (
        "the Slack app is not in the channel {recipient}. Invite it (/invite @app there), or give it the scope "
        "chat:write.public for public channels."
    ),
    "is_archived": "the channel {recipient} is archived. Use another one.",
    "users_not_found": _NO_USER,
    "user_not_found": _NO_USER,
    "user_disabled": "the person {recipient} has been deactivated in Slack. Use another recipient.",
    "messages_tab_disabled": (
        "the Slack app does not accept direct messages. Turn on the Messages Tab under “App Home” in the "
        "app's settings."
    ),
    "invalid_auth": _NO_LOGIN,
    "not_authed": _NO_LOGIN,
    "account_inactive": _NO_LOGIN,
    "token_revoked": _NO_LOGIN,
    "token_expired": _NO_LOGIN,
    "restricted_action": (
        "a setting of the Slack workspace does not let the app post to {recipient}. Ask its administrators."
    ),
    "ratelimited": "Slack's rate limit is reached. Wait before the next message.",
}


def describe_error(status_code: int, body: Mapping[str, Any], *, recipient: str, connection: str) -> str:
    """
    Return why Slack refused a call.

    :param body: the body of the response, if it was JSON; only the error code and the scopes are quoted.
    """
    code = str(body.get("error") or "")
    if status_code == 429:
        code = "ratelimited"
    if code == "missing_scope":
        scope = str(body.get("needed") or "chat:write")
        return (
            f"Slack (missing_scope): the app's token lacks the scope {scope}. Add it under “OAuth & Permissions”, "
            f"reinstall the app, and put the new token in the Airflow connection {connection!r}."
        )
    if words := _WORDS.get(code):
        return f"Slack ({code}): {words.format(recipient=repr(recipient), connection=repr(connection))}"
    if status_code != 200:
        return (
            f"Slack responded with HTTP status {status_code} to a message for {recipient!r}. "
            "See https://slack-status.com."
        )
    if not code.replace("_", "").isalnum():
        return (
            "the response is not from Slack's API. Check `base_url` and `proxy` in the extra of the Airflow "
            f"connection {connection!r}."
        )
    return (
        f"Slack refused the message for {recipient!r} with the error {code!r}. "
        "See https://docs.slack.dev/reference/methods/chat.postMessage."
    )
