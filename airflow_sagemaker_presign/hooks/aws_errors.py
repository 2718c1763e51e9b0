"""AWS's errors as this package's exceptions."""

from __future__ import annotations

import re

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.compat import AirflowException
from airflow_sagemaker_presign.hooks.transport_errors import (
    NO_RESPONSE,
    TRANSIENT_HTTP_STATUSES,
    Route,
    permanent_failure,
    without_passwords,
)
from airflow_sagemaker_presign.waiting.outage_log import EXPIRED_CREDENTIALS_CODES

ACCESS_DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
TRANSIENT_CODES = (
    THROTTLING_CODES
    | EXPIRED_CREDENTIALS_CODES
    | frozenset(
        {
            "InternalFailure",
            "InternalServerError",
            "RequestTimeout",
            "IDPCommunicationError",
            "RequestTimeoutException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
        }
    )
)
STALE_CREDENTIALS_CODES = EXPIRED_CREDENTIALS_CODES | frozenset(
    {
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""What AWS says to credentials that were good once; a client made anew may have better ones."""

CLOCK_SKEW_CODES = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
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


def is_wrong_status(error: Exception) -> bool:
    """Return whether AWS refused a start or stop because the notebook instance is not in a status for it."""
    code, message = _code_and_message(error)
    return code == "ValidationException" and "not in ([" in message


def translate(
    error: Exception, notebook_instance_name: str, action: str, route: Route | None = None
) -> exceptions.NotebookInstanceError | None:
    """
    Translate into this package's errors why a call was refused.

    The AWS text is kept word for word; it names the notebook and the action, never a URL.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html

    :param error: what botocore raised.
    :param notebook_instance_name: the notebook instance that the call was about.
    :param action: what was tried, as a word for the message ("start").
    :param route: the way that the request took, for the message.
    :return: the error to raise, or ``None`` when the given one says it best.
    """
    if isinstance(error, boto.ClientError):
        code, _ = _code_and_message(error)
        if _is_not_from_aws(code):
            problem = (
                f"AWS could not {action} it just now: what answers has the HTTP status {code}, and no code of AWS."
            )
            return exceptions.SageMakerOutOfReach(notebook_instance_name, f"{problem} ({route or Route()})")
        translated = _error_response(error, notebook_instance_name, action)
        translated.code = code
        return translated
    return _no_response(error, notebook_instance_name, action, (route or Route()).to(error))


def _error_response(error: boto.ClientError, name: str, action: str) -> exceptions.NotebookInstanceError:
    code, message = _code_and_message(error)
    problem = f"AWS refused to {action} it: {code}: {message}"
    if "RecordNotFound" in message or code in ("ResourceNotFound", "ResourceNotFoundException"):
        return exceptions.NotebookInstanceNotFound(name, f"No notebook instance has this name ({message}).")
    if code == "ResourceLimitExceeded":
        return exceptions.NotebookInstanceQuotaExceeded(name, problem)
    if code in CLOCK_SKEW_CODES or (code in _SIGNATURE_CODES and _CLOCK_SKEW_MESSAGE.search(message)):
        return exceptions.NotebookInstanceAccessDenied(name, problem, _ABOUT_THE_CLOCK)
    if code in ACCESS_DENIED_CODES:
        return exceptions.NotebookInstanceAccessDenied(name, problem)
    if code == "407":
        return exceptions.AwsConnectionUnusable(name, f"No request gets to AWS: {error}.", _ABOUT_THE_PROXY)
    if is_transient(error):
        advice = _ABOUT_EXPIRED if code in EXPIRED_CREDENTIALS_CODES else None
        return exceptions.SageMakerUnavailable(name, f"AWS could not {action} it just now: {message or error}.", advice)
    return exceptions.NotebookInstanceError(name, problem)


def _no_response(error: Exception, name: str, action: str, route: Route) -> exceptions.NotebookInstanceError | None:
    unusable = exceptions.AwsConnectionUnusable
    said = without_passwords(" ".join(str(error).split())).rstrip(".") or type(error).__name__
    if isinstance(error, _NO_IDENTITY):
        return unusable(name, f"The AWS connection is not usable: {said}.", _ABOUT_CREDENTIALS)
    if isinstance(error, _NO_TOKEN):
        return unusable(name, f"The AWS connection is not usable: {said}.", _ABOUT_SSO)
    if found := permanent_failure(error, route):
        return unusable(name, found.problem, found.advice)
    if isinstance(error, NO_RESPONSE):
        return exceptions.SageMakerOutOfReach(name, f"AWS could not {action} it just now: {said}. ({route})")
    if isinstance(error, ResponseParserError):
        return exceptions.SageMakerUnavailable(name, f"AWS could not {action} it just now: {said}.")
    if isinstance(error, RuntimeError) and _STILL_EXPIRED in said:
        expired = exceptions.SageMakerUnavailable(name, f"AWS could not {action} it just now: {said}.", _ABOUT_EXPIRED)
        expired.code = "ExpiredToken"
        return expired
    # AirflowException: what the provider raises for what it does not support. What passes, Airflow raises as others.
    if isinstance(error, (boto.BotoCoreError, AirflowException, *_WRONG_CONNECTION)):
        return unusable(name, f"The AWS connection is not usable: {said}.")
    if isinstance(error, OSError):
        # Credentials may come from elsewhere: an identity provider, a file on a network drive.
        return exceptions.SageMakerUnavailable(name, f"AWS could not {action} it just now: {said}.")
    return None


def connection_error(error: Exception, route: Route | None = None) -> exceptions.NotebookInstanceError:
    """
    Translate into this package's errors why there is no client.

    :param error: what was raised while the connection was looked up or the client was made.
    :param route: the way that a request for credentials took, for the message.
    """
    if isinstance(error, exceptions.NotebookInstanceError):
        return error
    translated = translate(error, ANY, "reach", route)
    if translated is None:
        return exceptions.SageMakerUnavailable(ANY, f"The AWS connection could not be read just now: {error}.")
    if type(translated) is exceptions.NotebookInstanceError:
        # Refused credentials, for a reason that is none of SageMaker's: a role whose name is wrong, for one.
        unusable = exceptions.AwsConnectionUnusable(ANY, f"The AWS connection is not usable: {translated.problem}")
        unusable.code = translated.code
        return unusable
    return translated


def transient_if_accepted_before(
    error: exceptions.NotebookInstanceError, *, accepted: bool
) -> exceptions.NotebookInstanceError:
    """
    Decide whether a refusal passes: credentials and a clock that were good once are about to be good again.

    :param error: what was raised.
    :param accepted: whether AWS accepted a request of this wait before.
    :return: the error that the wait gets: a :class:`SageMakerUnavailable`, through which it goes on, or the same error.
    """
    about_time = error.code in CLOCK_SKEW_CODES or error.code in STALE_CREDENTIALS_CODES
    if not accepted or not about_time or isinstance(error, exceptions.SageMakerUnavailable):
        return error
    passing = exceptions.SageMakerUnavailable(error.notebook_instance_name, error.problem, error.advice)
    passing.code = error.code
    return passing


def connection_went_missing(aws_conn_id: str) -> exceptions.NotebookInstanceError:
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
    code, _ = _code_and_message(error)
    # AWS gives its refusals a code. One that only has its HTTP status was cut short, or is not by AWS.
    return code in TRANSIENT_CODES or code.isdigit() or _http_status(error) >= 500


def _is_not_from_aws(code: str) -> bool:
    """Return whether a response comes from a proxy, a firewall or another server: AWS sends an error code."""
    return code.isdigit() and code[0] in "34" and code not in TRANSIENT_HTTP_STATUSES and code != "407"


def _code_and_message(error: Exception) -> tuple[str, str]:
    if not isinstance(error, boto.ClientError):
        return "", ""
    described = error.response.get("Error", {})
    return described.get("Code", ""), described.get("Message", "")


def _http_status(error: Exception) -> int:
    if not isinstance(error, boto.ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
