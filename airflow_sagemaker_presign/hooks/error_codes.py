"""
AWS's error codes, grouped by meaning. This module does not import botocore: a triggerer loads it on its event loop.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

EXPIRED_CREDENTIALS_CODES = frozenset({"ExpiredToken", "ExpiredTokenException"})
"""AWS refuses every request until the credentials are replaced, which may happen at any time."""

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
"""AWS's errors for credentials that may have been valid earlier; a new client may have newer ones."""

CLOCK_SKEW_CODES = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})


def is_response(code: str) -> bool:
    """Return whether an error with this code is a response of AWS to the request itself, not about credentials."""
    return bool(code) and code not in EXPIRED_CREDENTIALS_CODES
