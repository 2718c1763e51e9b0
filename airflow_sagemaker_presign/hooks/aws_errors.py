"""Translates the errors of botocore and Airflow into this package's exceptions."""

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
"""The name in an error of a call that is not about one workspace."""

_ABOUT_CREDENTIALS = (
    "Give the connection credentials (or a role) and a region; see the documentation. If it has them, Airflow "
    "could not read the connection at that moment: clear the task."
)
_ABOUT_THE_CLOCK = (
    "Set the clock of the machine that sent the request (worker, or triggerer if the task is deferred), and keep it "
    "in sync with NTP: AWS rejects requests that were signed more than five minutes before or after its own time. Then "
    "clear the task."
)
_ABOUT_THE_PROXY = "A proxy responded, and requires credentials: add them to its address, then clear the task."
_ABOUT_EXPIRED = (
    "Give the connection new credentials (or a role, whose credentials botocore renews by itself), or fix what should "
    "have renewed them; then clear the task."
)
_ABOUT_SSO = "Sign in with `aws sso login` where the task runs, or give the connection other credentials."

_NO_IDENTITY = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound, boto.NoRegionError)
_STILL_EXPIRED = "refreshed credentials are still expired"
"""The text of botocore's RuntimeError for a profile whose credential process keeps returning expired credentials."""

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
"""Raised by Airflow, the amazon provider and boto3 for an invalid connection or configuration."""


Subject = Workspace | type[Workspace] | None
"""The subject of a call: a workspace; a kind, for a list; ``None`` while a client is created."""


def translate(
    error: Exception, subject: Subject, action: str, route: Route | None = None
) -> exceptions.WorkspaceError | None:
    """
    Translate an error of a call into one of this package.

    The message keeps AWS's text, which names the workspace and the action but never a URL.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html

    :param action: the verb for the message, such as "start".
    :return: the error to raise; ``None``: raise ``error`` itself.
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
    kind, problem, advice = _classify(error, subject, action, route)
    return kind(ANY, problem, advice, code="" if _is_not_from_aws(code) else code, request_id=request_id)


def _classify(
    error: boto.ClientError, subject: Subject, action: str, route: Route
) -> tuple[type[exceptions.WorkspaceError], str, str | None]:
    """Return the class of the error, its problem, and its advice; ``None``: the advice of the class."""
    code, message = code_and_message(error)
    if _is_not_from_aws(code):
        problem = f"AWS could not {action} it: the response has the HTTP status {code} and no AWS error code."
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
        return exceptions.AwsConnectionUnusable, f"No request reaches AWS: {error}.", _ABOUT_THE_PROXY
    http_status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    # AWS's error responses have a code. A response with only an HTTP status was cut short, or is not from AWS.
    if code in TRANSIENT_CODES or code.isdigit() or http_status >= 500:
        advice = _ABOUT_EXPIRED if code in EXPIRED_CREDENTIALS_CODES else None
        return exceptions.SageMakerUnavailable, f"AWS could not {action} it: {message or error}.", advice
    return exceptions.WorkspaceError, problem, None


def _no_response(error: Exception, action: str, route: Route) -> exceptions.WorkspaceError | None:
    unusable = exceptions.AwsConnectionUnusable
    text = without_passwords(" ".join(str(error).split())).rstrip(".") or type(error).__name__
    if isinstance(error, _NO_IDENTITY):
        return unusable(ANY, f"The AWS connection is not usable: {text}.", _ABOUT_CREDENTIALS)
    if isinstance(error, _NO_TOKEN):
        return unusable(ANY, f"The AWS connection is not usable: {text}.", _ABOUT_SSO)
    if found := permanent_failure(error, route):
        return unusable(ANY, *found)
    problem = f"AWS could not {action} it: {text}."
    if isinstance(error, NO_RESPONSE):
        return exceptions.SageMakerOutOfReach(ANY, f"{problem} ({route})")
    if isinstance(error, ResponseParserError):
        return exceptions.SageMakerUnavailable(ANY, problem)
    if isinstance(error, RuntimeError) and _STILL_EXPIRED in text:
        return exceptions.SageMakerUnavailable(ANY, problem, _ABOUT_EXPIRED, code="ExpiredToken")
    # AirflowException: the provider raises it for unsupported settings; transient errors have other classes.
    if isinstance(error, (boto.BotoCoreError, AirflowException, *_WRONG_CONNECTION)):
        return unusable(ANY, f"The AWS connection is not usable: {text}.")
    if isinstance(error, OSError):
        # Credentials may come from an identity provider, or from a file on a network drive.
        return exceptions.SageMakerUnavailable(ANY, problem)
    return None


def connection_error(error: Exception, route: Route | None = None) -> exceptions.WorkspaceError:
    """Translate an error of the connection's lookup, or of the client's creation, into one of this package."""
    if isinstance(error, exceptions.WorkspaceError):
        return error
    translated = translate(error, None, "reach", route)
    if translated is None:
        return exceptions.SageMakerUnavailable(ANY, f"The AWS connection could not be read: {error}.")
    if type(translated) is exceptions.WorkspaceError:
        # An error of another service than SageMaker, such as STS's for a role whose name is wrong.
        problem = f"The AWS connection is not usable: {translated.problem}"
        return exceptions.AwsConnectionUnusable(ANY, problem, code=translated.code, request_id=translated.request_id)
    return translated


def connection_went_missing(aws_conn_id: str) -> exceptions.WorkspaceError:
    """
    Create the error for a connection that existed when the task began and is missing now.

    Airflow reports a connection that it cannot read at present as missing, and the amazon provider would then silently
    use the machine's credentials.
    """
    return exceptions.SageMakerUnavailable(
        ANY, f"Airflow currently cannot find the connection {aws_conn_id!r}; it existed when the task began."
    )


def _is_not_from_aws(code: str) -> bool:
    """Return whether a response comes from a proxy, a firewall or another server: AWS sends an error code."""
    return code.isdigit() and code[0] in "34" and code not in TRANSIENT_HTTP_STATUSES and code != "407"


def code_and_message(error: boto.ClientError) -> tuple[str, str]:
    """Return the code and the message of AWS's error response."""
    described = error.response.get("Error", {})
    return described.get("Code", ""), described.get("Message", "")
