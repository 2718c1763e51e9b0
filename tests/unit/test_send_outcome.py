from __future__ import annotations

import smtplib
import socket
import urllib.error

import pytest
import requests
import urllib3
from botocore import exceptions as boto

from airflow_sagemaker_presign.send_outcome import may_have_arrived, retry_after


class KnowsBetter(Exception):
    may_have_arrived = True


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
    ],
)
def test_an_error_says_whether_the_message_may_have_arrived(error: Exception, expected: bool) -> None:
    assert may_have_arrived(error) is expected


def test_an_error_without_an_answer_asks_for_no_pause() -> None:
    assert retry_after(ValueError()) == 0.0
