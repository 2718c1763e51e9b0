"""
The errors of a send: the package's own, and how any other is classified.

A send may be repeated only if the message certainly did not arrive; otherwise somebody could get it twice. The errors
of the package's notifiers define this with their attribute ``may_have_arrived``. Any other error is classified by its
class, the HTTP status of its response, and the errors that caused it. The classes of libraries are matched by name, so
that none of these libraries has to be installed.

DAG files import this module, so it imports the standard library's clients only to classify an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_sagemaker_presign.exceptions import SageMakerPresignError


class ServiceResponse(NamedTuple):
    """A service's HTTP response, whose headers may ask for a pause; without the body, which may quote the message."""

    status_code: int
    headers: Mapping[str, str]


class SendFailed(SageMakerPresignError):
    """
    The message certainly reached nobody, so it may be sent again.

    :param problem: what happened, and what to do about it.
    :param response: the service's response, if there was one.
    """

    may_have_arrived = False

    def __init__(self, problem: str, response: ServiceResponse | None = None) -> None:
        self.response = response
        super().__init__(problem)


class SendOutcomeUnknown(SageMakerPresignError):
    """The message went out, but no response confirmed it: it may have arrived, so it must not be sent again."""

    may_have_arrived = True


class SentToSomeOnly(SageMakerPresignError):
    """
    Only some recipients got the message. It must not be sent again, since these would get it twice.

    :param delivered: the recipients who got it.
    :param refused: the recipients who did not, each with the reason.
    """

    may_have_arrived = True

    def __init__(self, delivered: tuple[str, ...], refused: Mapping[str, str]) -> None:
        self.delivered = delivered
        self.refused = dict(refused)
        reasons = "; ".join(f"{address}: {reason}" for address, reason in refused.items())
        super().__init__(
            f"The mail server accepted the message for {', '.join(delivered)} and refused it for {reasons}. "
            "Check the refused addresses; clearing the task sends to everybody again."
        )


_CONNECT_ERRORS = (
    "ConnectTimeout",
    "NewConnectionError",
    "ConnectTimeoutError",
    "EndpointConnectionError",
    "SSLError",
)
_NO_RESPONSE_ERRORS = (
    "ReadTimeout",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProtocolError",
    "RemoteDisconnected",
    "RemoteProtocolError",  # httpx
    "ReadError",
    "ServerDisconnectedError",  # aiohttp
    "ClientPayloadError",
)
_UNREADABLE_RESPONSE_ERRORS = (
    "requests.JSONDecodeError",
    "requests.ContentDecodingError",
    "urllib3.DecodeError",
    "httpx.DecodingError",
    "aiohttp.ContentTypeError",
)

_MAY_HAVE_ACTED = frozenset({"fatal_error", "internal_error"})
"""Slack's error codes that it documents with "It's possible some aspect of the operation succeeded".
https://docs.slack.dev/reference/methods/chat.postMessage#errors"""

_TRUNCATED_RESPONSE = re.compile(r"Received a response in a non-JSON format: *(\{.*)?", re.DOTALL)
"""What slack_sdk has in place of an error code if Slack's response was cut short. A proxy's page starts differently."""

_STATUS_IN_TEXT = re.compile(
    r"\b(?:status(?:[ _-]?code)?\W{1,3}|HTTP(?:/[\d.]+)?(?: error)?[ :]{1,2})([1-5]\d\d)\b", re.IGNORECASE
)


def may_have_arrived(error: BaseException) -> bool:
    """
    Return whether a failed send may have reached its recipient all the same.

    It may if the message went out and no response came back, or one that cannot be read, or the response was that the
    service itself failed. A response that refuses the message, or a connection that was never established, is certain.
    A notifier that knows better gives its error an attribute ``may_have_arrived``.
    """
    from urllib.error import URLError

    chain = list(_chain(error))
    for link in chain:
        if isinstance(known := _get(link, "may_have_arrived"), bool):
            return known
    # This applies to any request in the exception chain: a later request cannot undo it.
    if any(response_is_inconclusive(_http_status(link), _error_code(link)) for link in chain):
        return True
    # urllib wraps the errors up to the end of the request in a URLError, and none after that.
    wrapped = [link.reason for link in chain if isinstance(link, URLError)]
    if any(_was_sent(link) for link in chain if not any(link is each for each in wrapped)):
        return True
    if any(
        type(link).__name__ in _CONNECT_ERRORS or isinstance(link, (ConnectionRefusedError, URLError)) for link in chain
    ):
        return False
    # These can occur at any point of a send. As the cause of one of the errors above, they occurred at that point.
    return any(isinstance(link, (TimeoutError, ConnectionError)) for link in chain)


def _was_sent(error: BaseException) -> bool:
    """Return whether an error occurs only if a request was sent, or may have been, and its response is unknown."""
    from http.client import HTTPException
    from smtplib import SMTPDataError, SMTPServerDisconnected

    kind = type(error)
    return (
        kind.__name__ in _NO_RESPONSE_ERRORS
        or f"{kind.__module__.partition('.')[0]}.{kind.__name__}" in _UNREADABLE_RESPONSE_ERRORS
        or isinstance(error, (SMTPServerDisconnected, HTTPException))
        # smtplib uses the code -1 for a reply that is not an SMTP reply.
        or (isinstance(error, SMTPDataError) and error.smtp_code == -1)
    )


def response_is_inconclusive(status: int, error_code: str = "") -> bool:
    """
    Return whether a response leaves open if the message was sent: the service, or a gateway, failed while sending.

    503 and 429 mean that the service did not accept the request. So does everything else below 500, unless Slack's
    error code means otherwise or its response was cut short.

    :param status: 0 if there is no response.
    :param error_code: the code in the response's body, for Slack, which mostly responds with 200.
    """
    if status in (429, 503):
        return False
    cut_short = status == 200 and _TRUNCATED_RESPONSE.fullmatch(error_code) is not None
    return status >= 500 or error_code in _MAY_HAVE_ACTED or cut_short


def _http_status(error: BaseException) -> int:
    """Return the HTTP status of the response that an error is about, wherever its library keeps it; 0 without one."""
    from urllib.error import HTTPError

    response = _get(error, "response")
    candidates: list[Any]
    if isinstance(response, Mapping):  # botocore
        metadata = response.get("ResponseMetadata")
        candidates = [metadata.get("HTTPStatusCode")] if isinstance(metadata, Mapping) else []
    else:
        # requests, httpx and slack_sdk; googleapiclient; aiohttp and others on the error itself; urllib. A class's
        # own attribute does not count: every AirflowException has a status_code of 500.
        owners = (response, _get(error, "resp"))
        candidates = [_get(owner, name) for owner in owners for name in ("status_code", "status")]
        candidates += [vars(error).get(name) for name in ("status_code", "status")]
        if isinstance(error, HTTPError):
            candidates.append(error.code)
    for status in candidates:
        if isinstance(status, int) and 100 <= status <= 599:
            return int(status)
    # Airflow's hooks often keep only the text of the response.
    in_text = _STATUS_IN_TEXT.search(error_text(error))
    return int(in_text[1]) if in_text else 0


def _error_code(error: BaseException) -> str:
    """Return the error code in Slack's response."""
    data = _get(_get(error, "response"), "data")
    return str(data.get("error") or "") if isinstance(data, Mapping) else ""


def retry_after(error: BaseException) -> float:
    """Return the seconds of a response's ``Retry-After`` header, which Slack sends with 429; 0 without one."""
    for link in _chain(error):
        headers = _get(_get(link, "response"), "headers") or {}
        for name in ("Retry-After", "retry-after"):
            try:
                return max(0.0, float(headers[name]))
            except (KeyError, TypeError, ValueError):
                continue
    return 0.0


def error_text(error: object) -> str:
    """Return the text of an error; empty if its ``__str__`` raises, so that it can be reported all the same."""
    try:
        return str(error)
    except Exception:
        return ""


def _get(owner: object, name: str) -> Any:
    """Return an attribute of an error; ``None`` if it has none, or its property raises."""
    try:
        return getattr(owner, name, None)
    except Exception:
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes and contexts, and the errors in each group, which asynchronous code raises."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        link = rest.pop(0)
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        rest.append(link.__cause__ or link.__context__)
        if isinstance(link, BaseExceptionGroup):
            rest += link.exceptions
