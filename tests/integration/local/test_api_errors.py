"""Whatever a request is like, the served SageMaker answers as AWS does: JSON with an error code, and never a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from botocore.config import Config
from botocore.session import get_session
from hypothesis import given, settings, strategies as st

from airflow_sagemaker_presign.local import LocalServices
from tests.helpers.local_client import sagemaker_client

SIGNED = (
    "AWS4-HMAC-SHA256 Credential=local/20260105/us-east-1/sagemaker/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=0"
)
JSON = "application/x-amz-json-1.1"
MINT = "CreatePresignedNotebookInstanceUrl"
OPERATIONS = ["Create", "Describe", "Start", "Stop", "Delete", "Update"]
# Some versions of botocore know two statuses more than others.
STATUSES = ", ".join(get_session().get_service_model("sagemaker").shape_for("NotebookInstanceStatus").metadata["enum"])


@pytest.fixture(scope="module")
def local() -> Iterator[LocalServices]:
    with LocalServices(jupyter=False) as services:
        services.sagemaker.set_status("research", "InService")
        yield services


def ask(local: LocalServices, operation: str | None, body: Any, **headers: str | None) -> requests.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    target = f"SageMaker.{operation}" if operation else None
    sent = {"Authorization": SIGNED, "X-Amz-Target": target, "Content-Type": JSON} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return requests.post(f"{local.endpoint_url}/", content, headers={k: v for k, v in sent.items() if v is not None})


def error_of(answer: requests.Response) -> tuple[int, str, str | None]:
    assert answer.headers["Content-Type"].startswith(JSON), answer.text[:200]
    assert answer.headers["x-amzn-RequestId"]
    body = answer.json()
    return answer.status_code, body["__type"].rpartition("#")[2], body.get("message")


@pytest.mark.parametrize("operation", ["ListNotebookInstances", MINT, "Nonsense", None])
def test_a_request_without_an_authorization_header_is_rejected(operation: str | None, local: LocalServices) -> None:
    assert error_of(ask(local, operation, {}, Authorization=None)) == (
        403,
        "MissingAuthenticationTokenException",
        "Missing Authentication Token",
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_an_empty_request_is_rejected(method: str, local: LocalServices) -> None:
    answer = requests.request(method, f"{local.endpoint_url}/")
    assert error_of(answer)[1] == "MissingAuthenticationTokenException"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Bearer abc", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=local", "IncompleteSignatureException"),
        (SIGNED.partition(", Signature")[0], "IncompleteSignatureException"),
        (SIGNED.replace("/us-east-1/", "/"), "IncompleteSignatureException"),
        (SIGNED.replace("/sagemaker/", "/s3/"), "InvalidSignatureException"),
        (SIGNED.replace("/sagemaker/", "/nonsense/"), "InvalidSignatureException"),
    ],
)
def test_half_a_signature_and_one_for_another_service_are_refused(header: str, code: str, local: LocalServices) -> None:
    answer = ask(local, MINT, {"NotebookInstanceName": "research"}, Authorization=header)
    assert error_of(answer)[1] == code
    assert "authToken" not in answer.text


@pytest.mark.parametrize(
    "target", ["SageMaker.Nonsense", "SageMaker.", "Nonsense", "S3.ListBuckets", "SageMaker.list_tags"]
)
def test_an_unknown_operation_is_named_unknown(target: str, local: LocalServices) -> None:
    answer = ask(local, None, {}, X_Amz_Target=target)
    assert error_of(answer) == (400, "UnknownOperationException", None)


@pytest.mark.parametrize(
    "headers",
    [{"X_Amz_Target": None}, {"Content_Type": "text/plain"}, {"Content_Type": "application/x-www-form-urlencoded"}],
)
def test_a_request_outside_the_json_protocol_is_no_operation(
    headers: dict[str, str | None], local: LocalServices
) -> None:
    answer = ask(local, "ListNotebookInstances", {}, **headers)
    assert error_of(answer) == (404, "UnknownOperationException", None)


def test_another_path_or_method_is_no_operation(local: LocalServices) -> None:
    headers = {"Authorization": SIGNED, "X-Amz-Target": "SageMaker.ListNotebookInstances", "Content-Type": JSON}
    for method, path in (("GET", "/"), ("POST", "/notebooks"), ("DELETE", "/a/b")):
        answer = requests.request(method, f"{local.endpoint_url}{path}", headers=headers)
        assert error_of(answer)[:2] == (404, "UnknownOperationException")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", None),
        (b"{", None),
        (b"\xff", None),
        (b'{"NotebookInstanceName": NaN}', None),
        (b"[" * 100_000, None),
        ([], "Start of list found where not expected"),
        ("research", "Expected null"),
        ({"NotebookInstanceName": 7}, "NUMBER_VALUE can not be converted to a String"),
        ({"NotebookInstanceName": True}, "TRUE_VALUE can not be converted to a String"),
        ({"NotebookInstanceName": {}}, "Start of structure or map found where not expected."),
        ({"NotebookInstanceName": ["research"]}, "Start of list found where not expected"),
        ({"SessionExpirationDurationInSeconds": "1800"}, "STRING_VALUE can not be converted to an Integer"),
        ({"SessionExpirationDurationInSeconds": 1800.5}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"SessionExpirationDurationInSeconds": False}, "FALSE_VALUE can not be converted to an Integer"),
        ({"SessionExpirationDurationInSeconds": 2**31}, "NUMBER_VALUE can not be converted to an Integer"),
    ],
)
def test_a_body_of_another_type_is_refused_before_anything_else(
    body: Any, message: str | None, local: LocalServices
) -> None:
    assert error_of(ask(local, MINT, body)) == (400, "SerializationException", message)


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        (
            "ListNotebookInstances",
            {"StatusEquals": "Foo"},
            "1 validation error detected: Value 'Foo' at 'statusEquals' failed to satisfy constraint: Member must "
            f"satisfy enum value set: [{STATUSES}]",
        ),
        (
            "ListNotebookInstances",
            {"SortOrder": "Up", "MaxResults": 0},
            "2 validation errors detected: Value '0' at 'maxResults' failed to satisfy constraint: Member must have "
            "value greater than or equal to 1; Value 'Up' at 'sortOrder' failed to satisfy constraint: Member must "
            "satisfy enum value set: [Ascending, Descending]",
        ),
        (
            "StartNotebookInstance",
            {},
            "1 validation error detected: Value null at 'notebookInstanceName' failed to satisfy constraint: Member "
            "must not be null",
        ),
        (
            "UpdateNotebookInstance",
            {"NotebookInstanceName": "research", "VolumeSizeInGB": 4},
            "1 validation error detected: Value '4' at 'volumeSizeInGB' failed to satisfy constraint: Member must have "
            "value greater than or equal to 5",
        ),
        (
            "CreateNotebookInstance",
            {
                "NotebookInstanceName": "new",
                "InstanceType": "ml.t3.medium",
                "RoleArn": "arn:aws:iam::123456789012:role/notebook",
                "Tags": [{"Key": "team"}],
            },
            "1 validation error detected: Value null at 'tags.1.member.value' failed to satisfy constraint: Member "
            "must not be null",
        ),
    ],
)
def test_a_value_that_the_model_does_not_allow_gets_the_constraint_message_of_aws(
    operation: str, body: dict[str, Any], message: str, local: LocalServices
) -> None:
    assert error_of(ask(local, operation, body)) == (400, "ValidationException", message)


def test_an_unsupported_operation_is_reported_once(local: LocalServices) -> None:
    client = sagemaker_client(local.endpoint_url, config=Config(retries={"total_max_attempts": 3}))
    before = len(local.sagemaker.requests)
    with pytest.raises(client.exceptions.ClientError, match="The local SageMaker has no CreateSpace") as caught:
        client.create_space(DomainId="d-1", SpaceName="space")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert [request.error for request in local.sagemaker.requests[before:]] == ["NotImplementedException"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    [
        *("NotebookInstanceName", "SessionExpirationDurationInSeconds", "StatusEquals", "MaxResults", "NextToken"),
        *("LastModifiedTimeAfter", "InstanceType", "RoleArn", "Tags", "VolumeSizeInGB", "SortBy", "NameContains"),
    ]
)
NEARLY_RIGHT = JSON_VALUES | st.sampled_from(
    ["research", "Stopped", 1800, 43200.5, 1e300, -1, [{"Key": "local:start", "Value": "x:y"}], [None], "a" * 64]
)


@settings(max_examples=300)
@given(
    operation=st.sampled_from([f"{word}NotebookInstance" for word in OPERATIONS] + [MINT, "ListNotebookInstances"]),
    body=st.dictionaries(MEMBERS, NEARLY_RIGHT, max_size=5) | JSON_VALUES | st.binary(max_size=40),
)
def test_no_request_whatever_gets_a_page_or_a_failure(local: LocalServices, operation: str, body: Any) -> None:
    answer = ask(local, operation, body)
    assert answer.status_code in (200, 400)
    assert answer.headers["Content-Type"].startswith(JSON)
    if answer.status_code == 400:
        assert error_of(answer)[1] in ("SerializationException", "ValidationException")


@settings(max_examples=100)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
    header=st.none()
    | st.sampled_from([SIGNED, "AWS4-", "x"])
    | st.text(st.characters(codec="latin-1", exclude_categories=["C"])),
    target=st.none()
    | st.sampled_from([MINT, "SageMaker.", "SageMaker.ListTags"])
    | st.text(st.characters(codec="ascii", exclude_categories=["C"])),
)
def test_no_header_whatever_gets_a_failure(
    local: LocalServices, method: str, header: str | None, target: str | None
) -> None:
    sent = {"Authorization": header and header.strip(), "X-Amz-Target": target and target.strip()}
    headers = {name: value.encode("latin-1") for name, value in sent.items() if value}
    answer = requests.request(method, f"{local.endpoint_url}/", headers=headers, allow_redirects=False)
    assert answer.status_code < 500, (answer.status_code, answer.text[:300])
