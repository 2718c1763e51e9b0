"""AWS's errors as this package's exceptions."""

from __future__ import annotations

import re

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.compat import AirflowException
from airflow_sagemaker_presign.hooks.error_codes import (
    ACCESS_DENIED_CODES,
    CLOCK_SKEW_CODES,
    EXPIRED_CREDENTIALS_CODES,
    TRANSIENT_CODES,
)
from airflow_sagemaker_presign.hooks.transport_errors import (
    NO_RESPONSE,
    TRANSIENT_HTTP_STATUSES,
    Route,
    permanent_failure,
    without_passwords,
)
from airflow_sagemaker_presign.workspaces.base import Workspace

_SIGNATURE_CODES = frozenset({"AuthFailure", "InvalidSignatureException", "SignatureDoesNotMatch"})
_CLOCK_SKEW_MESSAGE = re.compile(r"signature expired|signature not yet current|too skewed|request timestamp", re.I)

ANY = "*"
"""In the place of a name, where a call is about no notebook instance in particular."""


_ABOUT_CREDENTIALS = (
    "Give the connection credentials (or a role) and a region; the README says how. If it has them, Airflow "
    "could not read it just now: clear the task."
)
_ABOUT_THE_CLOCK = (
    "Set the clock of the machine that asked (the worker's, or the triggerer's if the task is deferred), and keep it "
    "right with NTP: AWS refuses what is signed more than five minutes before or after its own time. Then clear the "
    "task."
)
_ABOUT_THE_PROXY = "The answer is by a proxy, which wants other credentials: fix its address; then clear the task."
_ABOUT_EXPIRED = (
    "Give the connection fresh credentials (or a role: botocore renews those of one by itself), or repair what should "
    "have renewed them; then clear the task."
)
_ABOUT_SSO = "Sign in with `aws sso login` where the task runs, or give the connection other credentials."

_NO_IDENTITY = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound, boto.NoRegionError)
_STILL_EXPIRED = "refreshed credentials are still expired"
"""botocore's words, in a plain RuntimeError, where a profile's process goes on giving out old credentials."""

_NO_TOKEN = (boto.SSOError, boto.TokenRetrievalError, boto.NoAuthTokenError)
_WRONG_CONNECTION = (
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
"""What Airflow, the amazon provider and boto3 raise for a connection or a configuration that is written wrong."""


Subject = Workspace | type[Workspace] | None
"""What a call was about: a workspace; its kind, for a list; ``None``: nothing yet, while a client is made."""


def translate(
    error: Exception, subject: Subject, action: str, route: Route | None = None
) -> exceptions.WorkspaceError | None:
    """
    Translate into this package's errors why a call failed.

    AWS's text is kept word for word; it names the workspace and the action, never a URL.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html

    :param error: what botocore raised.
    :param subject: what the call was about.
    :param action: what was tried, as a word for the message ("start").
    :param route: the way that the request took, for the message.
    :return: the error to raise, or ``None`` when the given one says it best.
    """
    translated = (
        _error_response(error, subject, action, route or Route())
        if isinstance(error, boto.ClientError)
        else _no_response(error, action, (route or Route()).to(error))
    )
    return translated.about(subject) if translated is not None and isinstance(subject, Workspace) else translated


def _error_response(error: boto.ClientError, subject: Subject, action: str, route: Route) -> exceptions.WorkspaceError:
    code, _ = code_and_message(error)
    request_id = str(error.response.get("ResponseMetadata", {}).get("RequestId", ""))
    kind, problem, advice = _meaning(error, subject, action, route)
    return kind(ANY, problem, advice, code="" if _is_not_from_aws(code) else code, request_id=request_id)


def _meaning(
    error: boto.ClientError, subject: Subject, action: str, route: Route
) -> tuple[type[exceptions.WorkspaceError], str, str | None]:
    """Return the error's class, its problem, and its advice where the class's own is not the best."""
    code, message = code_and_message(error)
    if _is_not_from_aws(code):
        problem = f"AWS could not {action} it just now: what answers has the HTTP status {code}, and no code of AWS."
        return exceptions.SageMakerOutOfReach, f"{problem} ({route})", None
    problem = f"AWS refused to {action} it: {code}: {message}"
    if isinstance(subject, Workspace) and subject.is_not_found(code, message):
        return subject.errors.not_found, f"No {subject.noun} has this name ({message}).", None
    if isinstance(subject, Workspace) and code == "ResourceLimitExceeded":
        return subject.errors.quota_exceeded, problem, None
    if code in CLOCK_SKEW_CODES or (code in _SIGNATURE_CODES and _CLOCK_SKEW_MESSAGE.search(message)):
        return exceptions.SageMakerAccessDenied, problem, _ABOUT_THE_CLOCK
    if code in ACCESS_DENIED_CODES:
        return exceptions.SageMakerAccessDenied, problem, None
    if code == "407":
        return exceptions.AwsConnectionUnusable, f"No request gets to AWS: {error}.", _ABOUT_THE_PROXY
    if is_transient(error):
        advice = _ABOUT_EXPIRED if code in EXPIRED_CREDENTIALS_CODES else None
        return exceptions.SageMakerUnavailable, f"AWS could not {action} it just now: {message or error}.", advice
    return exceptions.WorkspaceError, problem, None


def _no_response(error: Exception, action: str, route: Route) -> exceptions.WorkspaceError | None:
    unusable = exceptions.AwsConnectionUnusable
    said = without_passwords(" ".join(str(error).split())).rstrip(".") or type(error).__name__
    if isinstance(error, _NO_IDENTITY):
        return unusable(ANY, f"The AWS connection is not usable: {said}.", _ABOUT_CREDENTIALS)
    if isinstance(error, _NO_TOKEN):
        return unusable(ANY, f"The AWS connection is not usable: {said}.", _ABOUT_SSO)
    if found := permanent_failure(error, route):
        return unusable(ANY, found.problem, found.advice)
    problem = f"AWS could not {action} it just now: {said}."
    if isinstance(error, NO_RESPONSE):
        return exceptions.SageMakerOutOfReach(ANY, f"{problem} ({route})")
    if isinstance(error, ResponseParserError):
        return exceptions.SageMakerUnavailable(ANY, problem)
    if isinstance(error, RuntimeError) and _STILL_EXPIRED in said:
        return exceptions.SageMakerUnavailable(ANY, problem, _ABOUT_EXPIRED, code="ExpiredToken")
    # AirflowException: what the provider raises for what it does not support. What passes, Airflow raises as others.
    if isinstance(error, (boto.BotoCoreError, AirflowException, *_WRONG_CONNECTION)):
        return unusable(ANY, f"The AWS connection is not usable: {said}.")
    if isinstance(error, OSError):
        # Credentials may come from elsewhere: an identity provider, a file on a network drive.
        return exceptions.SageMakerUnavailable(ANY, problem)
    return None


def is_response(error: exceptions.WorkspaceError) -> bool:
    """Return whether AWS answered, be it with a refusal; that credentials have expired is no answer to the request."""
    return bool(error.code) and error.code not in EXPIRED_CREDENTIALS_CODES


def connection_error(error: Exception, route: Route | None = None) -> exceptions.WorkspaceError:
    """
    Translate into this package's errors why there is no client.

    :param error: what was raised while the connection was looked up or the client was made.
    :param route: the way that a request for credentials took, for the message.
    """
    if isinstance(error, exceptions.WorkspaceError):
        return error
    translated = translate(error, None, "reach", route)
    if translated is None:
        return exceptions.SageMakerUnavailable(ANY, f"The AWS connection could not be read just now: {error}.")
    if type(translated) is exceptions.WorkspaceError:
        # Refused credentials, for a reason that is none of SageMaker's: a role whose name is wrong, for one.
        problem = f"The AWS connection is not usable: {translated.problem}"
        return exceptions.AwsConnectionUnusable(ANY, problem, code=translated.code, request_id=translated.request_id)
    return translated


def connection_went_missing(aws_conn_id: str) -> exceptions.WorkspaceError:
    """
    Say that a connection is not there that was there when the task began.

    Airflow calls one missing that it cannot read just now, and the amazon provider goes on without one, as whoever
    the machine is.

    :param aws_conn_id: the connection.
    """
    return exceptions.SageMakerUnavailable(
        ANY, f"Airflow does not find the connection {aws_conn_id!r} just now, which it had when the task began."
    )


def is_transient(error: Exception) -> bool:
    """Return whether the same call may well work a little later: throttled, a fault of AWS, no answer."""
    if isinstance(error, (*NO_RESPONSE, ResponseParserError)):
        return True
    code, _ = code_and_message(error)
    # AWS gives its refusals a code. One that only has its HTTP status was cut short, or is not by AWS.
    return code in TRANSIENT_CODES or code.isdigit() or _http_status(error) >= 500


def _is_not_from_aws(code: str) -> bool:
    """Return whether a response comes from a proxy, a firewall or another server: AWS sends an error code."""
    return code.isdigit() and code[0] in "34" and code not in TRANSIENT_HTTP_STATUSES and code != "407"


def code_and_message(error: Exception) -> tuple[str, str]:
    """Return the code and the text of AWS's error response; empty for an error without one."""
    if not isinstance(error, boto.ClientError):
        return "", ""
    described = error.response.get("Error", {})
    return described.get("Code", ""), described.get("Message", "")


def _http_status(error: Exception) -> int:
    if not isinstance(error, boto.ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
