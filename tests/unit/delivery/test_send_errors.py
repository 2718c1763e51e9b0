from __future__ import annotations

import http.client
import smtplib
import socket
import urllib.error
from email.message import Message

import httpx
import pytest
import requests
import urllib3
from botocore import exceptions as boto
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from airflow_sagemaker_presign.compat import AirflowException
from airflow_sagemaker_presign.delivery import send_errors
from airflow_sagemaker_presign.delivery.send_errors import may_have_arrived, retry_after
from tests.helpers.odd_errors import CannotSay


class KnowsBetter(Exception):
    may_have_arrived = True


class KnowsThatItDidNot(Exception):
    may_have_arrived = False


def answered(status: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError(f"{status}", response=response)


def slack_answered(error: str, status: int = 200) -> SlackApiError:
    answer = SlackResponse(
        client=None,
        http_verb="POST",
        api_url="https://slack.com/api/chat.postMessage",
        req_args={},
        data={"ok": False, "error": error},
        headers={},
        status_code=status,
    )
    return SlackApiError(  # type: ignore[no-untyped-call]
        "The request to the Slack API failed.", answer
    )


def aws_answered(status: int, code: str) -> boto.ClientError:
    return boto.ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "SendEmail",
    )


def has(**attributes: object) -> Exception:
    """An error of a library that keeps the answer in its own way."""
    error = RuntimeError("no luck")
    vars(error).update(attributes)
    return error


def while_handling(error: Exception, before: Exception) -> Exception:
    """An error that came up while another one was being handled, as when a notifier tries again by itself."""
    error.__context__ = before
    return error


def together(*errors: Exception) -> Exception:
    """What asynchronous code raises out of a group of tasks."""
    return ExceptionGroup("unhandled errors in a TaskGroup", errors)


def of(module: str, name: str, message: str = "no luck") -> Exception:
    """An error of a library that need not be installed; it is known by its name."""
    error: Exception = type(name, (Exception,), {"__module__": module})(message)
    return error


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a template is wrong"), False),
        (ConnectionRefusedError(), False),
        (socket.gaierror(), False),
        (smtplib.SMTPRecipientsRefused({}), False),
        (smtplib.SMTPServerDisconnected("Connection unexpectedly closed"), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (urllib.error.URLError(TimeoutError()), False),
        (requests.ConnectTimeout(), False),
        (requests.ReadTimeout(), True),
        (caused(RuntimeError("wrapped"), requests.ReadTimeout()), True),
        (caused(requests.ConnectionError(), urllib3.exceptions.NewConnectionError(None, "refused")), False),  # type: ignore[arg-type]
        (boto.ReadTimeoutError(endpoint_url="x"), True),
        (boto.EndpointConnectionError(endpoint_url="x"), False),
        (boto.ConnectTimeoutError(endpoint_url="x"), False),
        (KnowsBetter(), True),
        (answered(500), True),
        (answered(502), True),
        (answered(504), True),
        (answered(599), True),
        (answered(503), False),
        (answered(429), False),
        (answered(404), False),
        (caused(AirflowException("500:Internal Server Error"), answered(500)), True),
        (while_handling(AirflowException("502:Bad Gateway"), answered(502)), True),
        (slack_answered("internal_error"), True),
        (slack_answered("fatal_error"), True),
        (slack_answered("internal_error", 500), True),
        (slack_answered("service_unavailable", 503), False),
        (slack_answered("ratelimited", 429), False),
        (slack_answered("channel_not_found"), False),
        (slack_answered('Received a response in a non-JSON format: {"ok": true, "ts": "17'), True),
        (slack_answered("Received a response in a non-JSON format: "), True),
        (slack_answered("Received a response in a non-JSON format: <html>Sign in to the network</html>"), False),
        (slack_answered("Received a response in a non-JSON format: ", 404), False),
        (aws_answered(500, "InternalFailure"), True),
        (aws_answered(503, "ServiceUnavailable"), False),
        (aws_answered(400, "Throttling"), False),
        (urllib.error.HTTPError("https://x", 502, "Bad Gateway", Message(), None), True),
        (urllib.error.HTTPError("https://x", 503, "Service Unavailable", Message(), None), False),
        (httpx.HTTPStatusError("x", request=httpx.Request("POST", "https://x"), response=httpx.Response(500)), True),
        (has(status=500), True),  # aiohttp
        (has(status=503), False),
        (has(resp=has(status=502)), True),  # googleapiclient
        (AirflowException("Response body: 'no_text', Status Code: 500. See: https://x"), True),  # Slack's webhook
        (AirflowException("Response body: 'no_service', Status Code: 404. See: https://x"), False),
        (AirflowException("The server said HTTP/1.1 502 Bad Gateway"), True),
        (AirflowException("the template is wrong"), False),  # Its class has a status_code of 500.
        (smtplib.SMTPDataError(-1, b""), True),
        (smtplib.SMTPDataError(554, b"5.7.1 spam, see HTTP status page"), False),
        (while_handling(ConnectionRefusedError(), answered(500)), True),
        (while_handling(KnowsThatItDidNot(), answered(500)), False),
        (while_handling(ConnectionRefusedError(), requests.ReadTimeout()), True),
        (while_handling(requests.ConnectTimeout(), smtplib.SMTPServerDisconnected()), True),
        (caused(requests.ConnectTimeout(), TimeoutError()), False),
        (caused(urllib.error.URLError(refused := http.client.RemoteDisconnected("")), refused), False),  # by a proxy
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), True),
        (httpx.ReadError("reset"), True),
        (httpx.ConnectError("refused"), False),
        (of("aiohttp.client_exceptions", "ServerDisconnectedError"), True),
        (of("aiohttp.client_exceptions", "ClientPayloadError"), True),
        (of("aiohttp.client_exceptions", "ClientConnectorError"), False),
        (requests.JSONDecodeError("no JSON", "", 0), True),  # An unreadable response.
        (requests.exceptions.ContentDecodingError(), True),
        (requests.exceptions.InvalidJSONError(), False),  # What was to be sent.
        (together(requests.ReadTimeout()), True),
        (together(ValueError("a template is wrong"), together(answered(502))), True),
        (together(ConnectionRefusedError()), False),
        (caused(RuntimeError("wrapped"), together(KnowsBetter())), True),
        (CannotSay(), False),
        (while_handling(CannotSay(), answered(500)), True),
    ],
)
def test_an_error_shows_whether_the_message_may_have_arrived(error: Exception, expected: bool) -> None:
    assert may_have_arrived(error) is expected


def test_an_error_without_a_response_needs_no_pause() -> None:
    assert retry_after(ValueError()) == 0.0
    assert retry_after(CannotSay()) == 0.0


def test_a_dag_file_that_imports_the_errors_loads_no_client() -> None:
    # What the classification needs is imported when an error is classified, not at each parse of a DAG file.
    assert {"smtplib", "http", "urllib"}.isdisjoint(vars(send_errors))
