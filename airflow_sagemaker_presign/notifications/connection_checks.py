"""Checks of an Airflow connection that need no network. No error quotes a secret."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.validation import extra_of

_WEBHOOK_PATH = r"/?(?:services/)?T[A-Z0-9]+/B[A-Z0-9]+/\w+"
_WHICH_ONE = (
    "Put the bot token (xoxb-…) of the Slack app, as shown under “OAuth & Permissions”, in the connection's password"
)
# https://docs.slack.dev/authentication/tokens
_CAN_POST = r"xox(?:[abcps]-|e\.xox[bp]-).+"


def check_slack_connection(conn_id: str, connection: Any) -> None:
    """Raise a ``SendFailed`` that says what to do if a Slack API connection has no token that can post."""
    if problem := _slack_problem(connection):
        raise SendFailed(f"The Airflow connection {conn_id!r} {problem}.")


def check_smtp_connection(conn_id: str, connection: Any, *, fewest_retries: int = 0) -> None:
    """
    Raise a ``SendFailed`` unless an SMTP connection names a server, and has nothing that ``smtplib`` cannot send.

    :param fewest_retries: the lowest ``retry_limit`` with which the provider makes an attempt.
    """
    if problem := _smtp_problem(connection, fewest_retries):
        raise SendFailed(f"The Airflow connection {conn_id!r} {problem}.")


def _slack_problem(connection: Any) -> str | None:
    token, host = connection.password or "", connection.host or ""
    if any("hooks.slack" in text or text.startswith("http") for text in (token, host)) or re.fullmatch(
        _WEBHOOK_PATH, token
    ):
        return f"holds an incoming webhook, which cannot message a person. {_WHICH_ONE}"
    if not token.strip():
        return f"has no token. {_WHICH_ONE}"
    if not token.isascii() or not token.isprintable() or " " in token:
        return "has a token with spaces, line breaks or invalid characters. Copy the token again"
    if token.startswith("xapp-"):
        return f"has an app-level token (xapp-…), which cannot post. {_WHICH_ONE}"
    if not re.fullmatch(_CAN_POST, token):
        return f"has a password that is not a Slack token that can post. {_WHICH_ONE}"
    return _extra_problem(connection) or _url_problem(connection.extra_dejson)


def _smtp_problem(connection: Any, fewest_retries: int) -> str | None:
    host = connection.host or ""
    if not host.strip():
        return "has no host. Put the mail server's name, such as smtp.example.com, in its host"
    if re.search(r"[\s/@]", host) or not _can_be_looked_up(host):
        return f"has the host {host!r}. It must be the mail server's name alone, such as smtp.example.com"
    if connection.port is not None and not 0 < int(connection.port) < 65536:
        return f"has the port {connection.port}. It must be the mail server's, such as 587 or 465"
    if problem := _extra_problem(connection, fewest_retries):
        return problem
    if beyond := _non_ascii_parts(connection):
        return (
            f"has non-ASCII letters in its {' and '.join(beyond)}, which Python's smtplib cannot send. "
            "Use a mail account whose login and password are in ASCII"
        )
    return None


def _non_ascii_parts(connection: Any) -> list[str]:
    """Return which parts of the login have non-ASCII letters, if the provider would log in."""
    login, password = connection.login or "", connection.password or ""
    uses_password = connection.extra_dejson.get("auth_type") != "oauth2"
    if not login or (uses_password and not password):
        # The provider does not log in.
        return []
    parts = {"login": login, "password": password if uses_password else ""}
    return [name for name, text in parts.items() if not text.isascii()]


def _extra_problem(connection: Any, fewest_retries: int = 0) -> str | None:
    try:
        extra_of(connection.extra)
    except ValueError as error:
        return f"cannot be read: {error}"
    extra = connection.extra_dejson
    for name, lowest, unit in (("timeout", 1, "of seconds"), ("retry_limit", fewest_retries, "of tries")):
        value = extra.get(name)
        if value in (None, ""):
            continue
        try:
            fine = int(value) >= lowest
        except (TypeError, ValueError, OverflowError):
            fine = False
        if not fine:
            return f"has {name}={value!r} in its extra. It must be a whole number {unit}, {lowest} or more"
    if (chosen := extra.get("ssl_context")) not in (None, "default", "none"):
        return f"has ssl_context={chosen!r} in its extra. It must be 'default' or 'none'"
    return None


def _can_be_looked_up(host: str) -> bool:
    """Return whether Python can look up a host: no part of its name is empty or over 63 characters."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _url_problem(extra: dict[str, Any]) -> str | None:
    """Return the problem with one of the Slack client's URLs, without quoting it: a proxy's may hold a password."""
    for name in ("base_url", "proxy"):
        value = extra.get(name)
        if value in (None, ""):
            continue
        if not isinstance(value, str) or not _is_url(value, needs_scheme=name == "base_url"):
            return f"has a {name} in its extra that is not a URL. It must be one like https://slack.example.com/api/"
    return None


def _is_url(text: str, *, needs_scheme: bool) -> bool:
    try:
        parts = urlsplit(text if needs_scheme or "://" in text else f"http://{text}")
        # Reading the port raises an error if it is no number.
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fine and parts.path.isascii() and text.isprintable() and " " not in text
