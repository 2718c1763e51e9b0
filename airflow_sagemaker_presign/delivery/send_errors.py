"""What an error of a send says: whether the message may have arrived all the same, and when to try again."""

from __future__ import annotations

import http.client
import re
import smtplib
import urllib.error
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_sagemaker_presign.exceptions import SageMakerPresignError


class ServerAnswer(NamedTuple):
    """
    What the service answered, without the body, which may quote the message back.

    :param status_code: the HTTP status.
    :param headers: the answer's headers; ``Retry-After`` among them says when to try again.
    """

    status_code: int
    headers: Mapping[str, str]


class SendFailed(SageMakerPresignError):
    """
    The message certainly reached nobody: it may be sent again.

    :param problem: what happened, and what to do about it.
    :param response: the service's answer, where there was one.
    """

    may_have_arrived = False

    def __init__(self, problem: str, response: ServerAnswer | None = None) -> None:
        self.response = response
        super().__init__(problem)


class SendOutcomeUnknown(SageMakerPresignError):
    """
    The message went out, and no answer came back or one that leaves open what became of it: it may have arrived, so it
    must not be sent again.
    """

    may_have_arrived = True


class SentToSomeOnly(SageMakerPresignError):
    """
    Some of the recipients got the message and some did not: sending again would give those a second one.

    :param delivered: who got it.
    :param refused: who did not, each with the reason.
    """

    may_have_arrived = True

    def __init__(self, delivered: tuple[str, ...], refused: Mapping[str, str]) -> None:
        self.delivered = delivered
        self.refused = dict(refused)
        reasons = "; ".join(f"{address}: {reason}" for address, reason in refused.items())
        super().__init__(
            f"The mail server took the message for {', '.join(delivered)} and refused it for {reasons}. "
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
"""Slack's error codes of which it says: "It's possible some aspect of the operation succeeded".
https://docs.slack.dev/reference/methods/chat.postMessage#errors"""

_TRUNCATED_RESPONSE = re.compile(r"Received a response in a non-JSON format: *(\{.*)?", re.DOTALL)
"""What slack_sdk has in the place of a code where Slack's answer was cut short. A page by a proxy begins otherwise."""

_STATUS_IN_TEXT = re.compile(
    r"\b(?:status(?:[ _-]?code)?\W{1,3}|HTTP(?:/[\d.]+)?(?: error)?[ :]{1,2})([1-5]\d\d)\b", re.IGNORECASE
)


def may_have_arrived(error: BaseException) -> bool:
    """
    Return whether a failed send may have reached the person after all.

    It may when the message went out and no answer came back, or one that nobody can read, or the answer was that the
    service itself failed: sending again could give somebody two messages. An answer that says no, or a connection that
    never stood, is certain. A notifier that knows better says so with an attribute ``may_have_arrived`` of its error.

    :param error: what the send raised.
    """
    chain = list(_chain(error))
    for link in chain:
        if isinstance(known := _get(link, "may_have_arrived"), bool):
            return known
    # Whichever request of a notifier came to this: what it tried afterwards does not make it undone.
    if any(response_is_inconclusive(_http_status(link), _error_code(link)) for link in chain):
        return True
    # urllib wraps what goes wrong until the request is out, and nothing after.
    wrapped = [link.reason for link in chain if isinstance(link, urllib.error.URLError)]
    if any(_was_sent(link) for link in chain if not any(link is each for each in wrapped)):
        return True
    if any(
        type(link).__name__ in _CONNECT_ERRORS or isinstance(link, (ConnectionRefusedError, urllib.error.URLError))
        for link in chain
    ):
        return False
    # These tell of any moment; what is wrapped in one of those above, of its moment.
    return any(isinstance(link, (TimeoutError, ConnectionError)) for link in chain)


def _was_sent(error: BaseException) -> bool:
    """Return whether an error comes up only where a request went out, or may have, and its answer is not known."""
    kind = type(error)
    return (
        kind.__name__ in _NO_RESPONSE_ERRORS
        or f"{kind.__module__.partition('.')[0]}.{kind.__name__}" in _UNREADABLE_RESPONSE_ERRORS
        or isinstance(error, (smtplib.SMTPServerDisconnected, http.client.HTTPException))
        # smtplib's -1: the server answered something that is no answer.
        or (isinstance(error, smtplib.SMTPDataError) and error.smtp_code == -1)
    )


def response_is_inconclusive(status: int, error_code: str = "") -> bool:
    """
    Return whether an answer leaves open if the message was sent: the service, or a gateway before it, failed meanwhile.

    503 and 429 are a no: the service did not take the request. So is everything else below 500, unless Slack's code
    says otherwise or its answer was cut short.

    :param status: the HTTP status; 0 where there is none.
    :param error_code: the code in the answer's body, for Slack, which mostly answers 200.
    """
    if status in (429, 503):
        return False
    cut_short = status == 200 and _TRUNCATED_RESPONSE.fullmatch(error_code) is not None
    return status >= 500 or error_code in _MAY_HAVE_ACTED or cut_short


def _http_status(error: BaseException) -> int:
    """Read the HTTP status of the answer that an error is about, wherever its library keeps it; 0 without one."""
    response = _get(error, "response")
    candidates: list[Any]
    if isinstance(response, Mapping):  # botocore
        metadata = response.get("ResponseMetadata")
        candidates = [metadata.get("HTTPStatusCode")] if isinstance(metadata, Mapping) else []
    else:
        # requests, httpx and slack_sdk; googleapiclient; aiohttp and others on the error itself; urllib. What a class
        # has for all its errors is no answer: each AirflowException has a status_code of 500.
        owners = (response, _get(error, "resp"))
        candidates = [_get(owner, name) for owner in owners for name in ("status_code", "status")]
        candidates += [vars(error).get(name) for name in ("status_code", "status")]
        if isinstance(error, urllib.error.HTTPError):
            candidates.append(error.code)
    for status in candidates:
        if isinstance(status, int) and 100 <= status <= 599:
            return int(status)
    # Airflow's hooks often keep nothing but the words.
    said = _STATUS_IN_TEXT.search(error_text(error))
    return int(said[1]) if said else 0


def _error_code(error: BaseException) -> str:
    """Read the code in Slack's answer."""
    data = _get(_get(error, "response"), "data")
    return str(data.get("error") or "") if isinstance(data, Mapping) else ""


def retry_after(error: BaseException) -> float:
    """
    Read how many seconds a service asked to wait (HTTP's ``Retry-After``, as Slack sends with 429); 0 if it did not.

    :param error: what the send raised.
    """
    for link in _chain(error):
        headers = _get(_get(link, "response"), "headers") or {}
        for name in ("Retry-After", "retry-after"):
            try:
                return max(0.0, float(headers[name]))
            except (KeyError, TypeError, ValueError):
                continue
    return 0.0


def error_text(error: object) -> str:
    """Read what an error says; nothing where it cannot say it, which must keep no message about it back."""
    try:
        return str(error)
    except Exception:
        return ""


def _get(owner: object, name: str) -> Any:
    """Read what an error may have; a property of it may raise whatever it likes."""
    try:
        return getattr(owner, name, None)
    except Exception:
        return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Go through an error, what it came of, and, for a group as asynchronous code raises, all that is in it."""
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
