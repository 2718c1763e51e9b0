"""Reject requests that AWS rejects before any operation. Signatures must be present but are not verified."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

from airflow_sagemaker_presign.local.sagemaker_api.api_errors import ApiError, unknown_operation

_ALGORITHM = "AWS4-HMAC-SHA256"
_CREDENTIAL = re.compile(r"[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_WORDS = ("Credential", "SignedHeaders", "Signature")
# SageMaker's runtime and metrics share its name in signatures, and have paths of their own.
_OTHER_APIS = re.compile(r"/(endpoints/.*/(async-)?invocations.*|BatchPutMetrics)")


def check_signed(environ: dict[str, Any]) -> None:
    """
    Check that a request has a signature, and that its scope is the requested service.

    :param environ: the request as WSGI has it.
    :raises ApiError: MissingAuthenticationTokenException, IncompleteSignatureException, InvalidSignatureException or
        UnknownOperationException.
    """
    header, path = environ.get("HTTP_AUTHORIZATION", ""), environ.get("PATH_INFO", "")
    for_sagemaker = environ.get("HTTP_X_AMZ_TARGET", "").startswith("SageMaker.")
    if not header:
        _check_unsigned(environ, path, for_sagemaker)
        return
    if not for_sagemaker and (path != "/" or header.startswith("AWS ")):
        service = _service_of(header)
    else:
        service = _required_service(header)
        if for_sagemaker and service != "sagemaker":
            raise ApiError(
                "InvalidSignatureException", "Credential should be scoped to correct service: 'sagemaker'. ", 403
            )
    method = environ.get("REQUEST_METHOD")
    if service == "sagemaker" and not _OTHER_APIS.fullmatch(path) and (path != "/" or method != "POST"):
        raise unknown_operation(404)


def _check_unsigned(environ: dict[str, Any], path: str, for_sagemaker: bool) -> None:
    query = parse_qs(environ.get("QUERY_STRING", ""))
    signed_in_query = "X-Amz-Signature" in query or "Signature" in query
    if for_sagemaker or (path == "/" and not signed_in_query):
        raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)


def _service_of(header: str) -> str | None:
    found = _CREDENTIAL.search(header)
    return found[1] if found else None


def _required_service(header: str) -> str:
    values = dict(re.findall(r"(\w+)=([^,\s]*)", header))
    missing = [word for word in _WORDS if not values.get(word)]
    credential = _CREDENTIAL.fullmatch(values.get("Credential", ""))
    if header.split()[0] != _ALGORITHM or missing or credential is None:
        words = missing or ["Credential"]
        raise ApiError(
            "IncompleteSignatureException",
            " ".join(f"Authorization header requires '{word}' parameter." for word in words),
        )
    return credential[1]
