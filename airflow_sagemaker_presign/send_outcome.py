"""What an error of a send says: whether the message may have arrived all the same, and when to try again."""

from __future__ import annotations

import http.client
import smtplib
import urllib.error
from collections.abc import Iterator

_BEFORE_THE_REQUEST = (
    "ConnectTimeout",
    "NewConnectionError",
    "ConnectTimeoutError",
    "EndpointConnectionError",
    "SSLError",
)
_NO_ANSWER = (
    "ReadTimeout",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProtocolError",
    "RemoteDisconnected",
)


def may_have_arrived(error: BaseException) -> bool:
    """
    Tell whether a failed send may have reached the person after all.

    It may when the message went out and no answer came back: sending again could give somebody two messages. An
    answer that says no, or a connection that never stood, is certain. A notifier that knows better says so with an
    attribute ``may_have_arrived`` of its error.

    :param error: what the send raised.
    """
    chain = list(_chain(error))
    for link in chain:
        if isinstance(known := getattr(link, "may_have_arrived", None), bool):
            return known
    if any(
        type(link).__name__ in _BEFORE_THE_REQUEST
        # urllib wraps what goes wrong until the request is out, and nothing after.
        or isinstance(link, (ConnectionRefusedError, urllib.error.URLError))
        for link in chain
    ):
        return False
    return any(
        type(link).__name__ in _NO_ANSWER
        or isinstance(link, (TimeoutError, ConnectionError, smtplib.SMTPServerDisconnected, http.client.HTTPException))
        for link in chain
    )


def retry_after(error: BaseException) -> float:
    """
    Read how many seconds a service asked to wait (HTTP's ``Retry-After``, as Slack sends with 429); 0 if it did not.

    :param error: what the send raised.
    """
    for link in _chain(error):
        headers = getattr(getattr(link, "response", None), "headers", None) or {}
        for name in ("Retry-After", "retry-after"):
            try:
                return max(0.0, float(headers[name]))
            except (KeyError, TypeError, ValueError):
                continue
    return 0.0


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
