"""What SageMaker's refusals mean: from botocore's errors to this package's."""

from __future__ import annotations

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from airflow_sagemaker_presign import exceptions

NOT_ALLOWED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
PASSING = THROTTLED | frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
    }
)
STALE_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""What AWS says to credentials that were good once; a client made anew may have better ones."""

NO_IDENTITY = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.NoRegionError,
    boto.UnauthorizedSSOTokenError,
)
ANY = "*"
"""In the place of a name, where a call is about no notebook instance in particular."""

OUT_OF_REACH = (boto.HTTPClientError, boto.ConnectionError, boto.CredentialRetrievalError)


def is_wrong_status(error: Exception) -> bool:
    """Tell whether AWS refused a start or stop because the notebook instance is not in a status for it."""
    code, message = _code_and_message(error)
    return code == "ValidationException" and "not in ([" in message


def translate(error: Exception, notebook_instance_name: str, action: str) -> exceptions.NotebookInstanceError | None:
    """
    Say in this package's terms why a call was refused.

    The AWS text is kept word for word; it names the notebook and the action, never a URL.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html

    :param error: what botocore raised.
    :param notebook_instance_name: the notebook instance that the call was about.
    :param action: what was tried, as a word for the message ("start").
    :return: the error to raise, or ``None`` when the given one says it best.
    """
    translated = _translation(error, notebook_instance_name, action)
    if translated is not None:
        translated.code = _code_and_message(error)[0]
    return translated


def _translation(error: Exception, notebook_instance_name: str, action: str) -> exceptions.NotebookInstanceError | None:
    code, message = _code_and_message(error)
    problem = f"AWS refused to {action} it: {code}: {message}"
    if "RecordNotFound" in message or code in ("ResourceNotFound", "ResourceNotFoundException"):
        return exceptions.NotebookInstanceNotFound(notebook_instance_name, f"AWS knows none of this name ({message}).")
    if code == "ResourceLimitExceeded":
        return exceptions.NotebookInstanceQuotaExceeded(notebook_instance_name, problem)
    if code in NOT_ALLOWED:
        return exceptions.NotebookInstanceAccessDenied(notebook_instance_name, problem)
    if isinstance(error, NO_IDENTITY):
        return exceptions.NotebookInstanceAccessDenied(
            notebook_instance_name,
            f"The AWS connection is not usable: {str(error).rstrip('.')}.",
            "Give the connection credentials (or a role) and a region; the README says how. If it has them, Airflow "
            "could not read it just now: clear the task.",
        )
    if is_passing(error):
        return exceptions.SageMakerUnavailable(
            notebook_instance_name, f"AWS could not {action} it just now: {message or error}."
        )
    return exceptions.NotebookInstanceError(notebook_instance_name, problem) if code else None


def no_connection(error: Exception) -> exceptions.NotebookInstanceError:
    """
    Say in this package's terms why there is no client.

    :param error: what was raised while the connection was looked up or the client was made.
    """
    translated = translate(error, ANY, "reach")
    if translated is not None:
        return translated
    if isinstance(error, (boto.BotoCoreError, LookupError, TypeError, ValueError)):
        return exceptions.NotebookInstanceAccessDenied(
            ANY, f"The AWS connection is not usable: {error}.", "Mend the connection; the README says what goes in it."
        )
    return exceptions.SageMakerUnavailable(ANY, f"The AWS connection could not be read just now: {error}.")


def lost_connection(aws_conn_id: str) -> exceptions.NotebookInstanceError:
    """
    Say that a connection is not there that was there when the task began.

    Airflow calls one missing that it cannot read just now, and the amazon provider goes on without one, as whoever
    the machine is.

    :param aws_conn_id: the connection.
    """
    return exceptions.SageMakerUnavailable(
        ANY, f"Airflow does not find the connection {aws_conn_id!r} just now, which it had when the task began."
    )


def is_passing(error: Exception) -> bool:
    """Tell whether the same call may well work a little later: throttled, a fault of AWS, no answer."""
    if isinstance(error, (*OUT_OF_REACH, ResponseParserError)):
        return True
    code, _ = _code_and_message(error)
    # AWS gives its refusals a code. One that only has its HTTP status was cut short, or is not by AWS.
    return code in PASSING or code.isdigit() or _http_status(error) >= 500


def _code_and_message(error: Exception) -> tuple[str, str]:
    if not isinstance(error, boto.ClientError):
        return "", ""
    described = error.response.get("Error", {})
    return described.get("Code", ""), described.get("Message", "")


def _http_status(error: Exception) -> int:
    if not isinstance(error, boto.ClientError):
        return 0
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
