from __future__ import annotations

import json
import logging
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from botocore.hooks import HierarchicalEmitter

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.hooks.aws_errors import connection_error, translate
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.minting import redaction
from airflow_sagemaker_presign.minting.url_capture import MINT_EVENT
from airflow_sagemaker_presign.workspaces.base import Observation, Phase
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance, Status
from tests.helpers.scripted_sagemaker import ARN, DENIED, RESEARCH, TOKEN, URL, Clock, Script

NOT_STARTABLE = [status for status in Status if status not in ("Stopped", "Failed")]
NOT_STOPPABLE = [status for status in Status if status != "InService"]
IN_STOPPING = (
    f"Status (Stopping) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook Instance ({ARN})"
)
QUOTA = (
    "The account-level service limit 'ml.g5.xlarge for notebook instance usage' is 0 Instances, with current "
    "utilization of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an "
    "increase for this quota."
)


@pytest.mark.parametrize("status", ["Stopped", "Failed"])
def test_start_starts_what_can_be_started(hook: SageMakerNotebookInstanceHook, sagemaker: Script, status: str) -> None:
    sagemaker.describe(status).start()
    assert hook.start_notebook_instance("research") == "Pending"


@pytest.mark.parametrize("status", [*NOT_STARTABLE, "SomethingNew"])
def test_start_is_safe_in_every_other_status(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script, status: str
) -> None:
    sagemaker.describe(status)
    assert hook.start_notebook_instance("research") == status


def test_stop_stops_what_runs(hook: SageMakerNotebookInstanceHook, sagemaker: Script) -> None:
    sagemaker.describe("InService").stop()
    assert hook.stop_notebook_instance("research") == "Stopping"


@pytest.mark.parametrize("status", [*NOT_STOPPABLE, "SomethingNew"])
def test_stop_is_safe_in_every_other_status(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script, status: str
) -> None:
    sagemaker.describe(status)
    assert hook.stop_notebook_instance("research") == status


def test_a_start_that_came_second_is_no_error(hook: SageMakerNotebookInstanceHook, sagemaker: Script) -> None:
    sagemaker.describe("Stopped").refuse("start_notebook_instance", "ValidationException", IN_STOPPING)
    sagemaker.describe("Pending")
    assert hook.start_notebook_instance("research") == "Pending"


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("ValidationException", "RecordNotFound", exceptions.NotebookInstanceNotFound),
        ("AccessDeniedException", DENIED, exceptions.SageMakerAccessDenied),
        ("UnrecognizedClientException", "The security token is invalid.", exceptions.SageMakerAccessDenied),
        ("ResourceLimitExceeded", QUOTA, exceptions.NotebookInstanceQuotaExceeded),
        ("ThrottlingException", "Rate exceeded", exceptions.SageMakerUnavailable),
        ("ExpiredTokenException", "The security token is expired", exceptions.SageMakerUnavailable),
        ("ValidationException", "Something else", exceptions.WorkspaceError),
    ],
)
def test_an_aws_error_response_becomes_an_error_with_awss_message(
    hook: SageMakerNotebookInstanceHook,
    sagemaker: Script,
    code: str,
    message: str,
    kind: type[exceptions.WorkspaceError],
) -> None:
    sagemaker.describe("Stopped").refuse("start_notebook_instance", code, message)
    with pytest.raises(exceptions.WorkspaceError) as raised:
        hook.start_notebook_instance("research")
    assert type(raised.value) is kind
    assert message in str(raised.value)
    assert "'research'" in str(raised.value)


def test_server_errors_and_rejections_are_distinguished_by_status(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script
) -> None:
    sagemaker.refuse("describe_notebook_instance", "Whatever", "Oops", status=503)
    with pytest.raises(exceptions.SageMakerUnavailable):
        hook.describe_notebook_instance("research")
    sagemaker.refuse("describe_notebook_instance", "Whatever", "Oops", status=400)
    with pytest.raises(exceptions.WorkspaceError) as raised:
        hook.describe_notebook_instance("research")
    assert type(raised.value) is exceptions.WorkspaceError


def test_a_connection_without_credentials_says_so() -> None:
    error = translate(NoCredentialsError(), RESEARCH, "describe")
    assert isinstance(error, exceptions.SageMakerAccessDenied)
    assert "connection" in error.advice


@pytest.mark.parametrize(
    "name", ["", "a" * 64, "my_notebook", "-research", "research-", "r s", "research\n", None, 7.0, -7, True]
)
def test_a_name_that_cannot_be_one_is_refused_before_any_request(
    hook: SageMakerNotebookInstanceHook, name: Any
) -> None:
    for call in (hook.describe_notebook_instance, hook.start_notebook_instance, hook.create_presigned_url):
        with pytest.raises(ValueError, match=r"notebook_instance_name=.*: must be 1 to 63 letters"):
            call(name)


@pytest.mark.parametrize(
    "duration", [1799, 43201, 0, -1, True, "8h", 1800.5, timedelta(hours=13), timedelta(minutes=29)]
)
def test_a_session_that_aws_would_refuse_is_refused_before_any_request(
    hook: SageMakerNotebookInstanceHook, duration: Any
) -> None:
    with pytest.raises(ValueError, match=r"session_expiration_duration=.*: must be 1800 to 43200"):
        hook.create_presigned_url("research", duration)


@pytest.mark.parametrize(("duration", "seconds"), [(None, 43200), (1800, 1800), (timedelta(hours=8), 28800)])
def test_a_minted_url_knows_its_times(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script, clock: Clock, duration: Any, seconds: int
) -> None:
    sagemaker.mint(seconds)
    presigned_url = hook.create_presigned_url("research", duration)
    assert presigned_url.url == URL
    assert presigned_url.minted_at == clock()
    assert presigned_url.expires_at == clock() + timedelta(minutes=5)
    assert presigned_url.session_expiration_duration == timedelta(seconds=seconds)
    assert presigned_url.remaining(clock() + timedelta(minutes=1)) == timedelta(minutes=4)


@pytest.mark.parametrize(
    ("landing", "given", "expected"),
    [
        (None, URL, URL),
        ("lab", URL, f"{URL}&view=lab"),
        ("classic", f"{URL}&view=lab", f"{URL}&view=classic"),
        ("lab", "http://127.0.0.1:1/?authToken=a%2Bb~c#f", "http://127.0.0.1:1/?authToken=a%2Bb~c&view=lab#f"),
    ],
)
def test_the_landing_page_is_set_and_the_token_stays_byte_for_byte(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script, landing: Any, given: str, expected: str
) -> None:
    sagemaker.mint(url=given)
    assert hook.create_presigned_url("research", landing=landing).url == expected


def test_an_unknown_landing_page_is_refused(hook: SageMakerNotebookInstanceHook) -> None:
    with pytest.raises(ValueError, match=r"landing='desktop': must be 'lab' or 'classic' or None"):
        hook.create_presigned_url("research", landing="desktop")  # type: ignore[arg-type]


def test_a_presigned_url_never_shows_itself(hook: SageMakerNotebookInstanceHook, sagemaker: Script) -> None:
    sagemaker.mint()
    presigned_url = hook.create_presigned_url("research")
    for text in (repr(presigned_url), str(presigned_url), f"{presigned_url}", f"{[presigned_url]}"):
        assert "authToken" not in text
        assert "research" in text
    with pytest.raises(TypeError, match="credential"):
        pickle.dumps(presigned_url)


def test_minting_leaves_nothing_in_the_log_at_debug(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script, caplog: pytest.LogCaptureFixture
) -> None:
    sagemaker.mint()
    with caplog.at_level(logging.DEBUG):
        hook.create_presigned_url("research")
        logging.getLogger("botocore").debug("debugging goes on afterwards")
    assert TOKEN not in caplog.text
    assert "authToken" not in caplog.text
    assert "goes on afterwards" in caplog.text


@pytest.mark.parametrize("answered", ["", "no URL"])
def test_a_response_without_a_url_is_no_mint(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script, answered: str
) -> None:
    sagemaker.mint(url=answered)
    with pytest.raises(exceptions.SageMakerUnavailable, match="without a URL"):
        hook.create_presigned_url("research", landing="lab")


def test_mints_of_many_threads_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """One client, many threads: each mint's URL is forgotten with it."""
    hook = SageMakerNotebookInstanceHook(aws_conn_id=None, region_name="eu-central-1")
    answer = {"body": json.dumps({"AuthorizedUrl": URL}), "status_code": 200, "headers": {}}

    class Client:
        meta = SimpleNamespace(events=HierarchicalEmitter())

        def create_presigned_notebook_instance_url(self, **_: Any) -> dict[str, str]:
            self.meta.events.emit(MINT_EVENT, response_dict=answer)
            assert redaction.redact(URL) != URL
            return {"AuthorizedUrl": URL}

    monkeypatch.setattr(hook, "conn", Client())
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: hook.create_presigned_url("research"), range(200)))
    finally:
        sys.setswitchinterval(before)
    assert not redaction._registered
    assert not redaction._pieces


def test_a_page_of_a_list_says_what_a_wait_needs_and_what_time_it_is_at_aws(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script
) -> None:
    changed = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    row = {"NotebookInstanceName": "research", "NotebookInstanceArn": ARN, "NotebookInstanceStatus": "Pending"}
    answer = {
        "NotebookInstances": [{**row, "LastModifiedTime": changed}],
        "NextToken": "more",
        "ResponseMetadata": {"HTTPHeaders": {"date": "Mon, 02 Mar 2026 08:01:00 GMT"}},
    }
    sagemaker.stubber.add_response(
        "list_notebook_instances", answer, {"LastModifiedTimeAfter": changed, "MaxResults": 100}
    )
    page = hook.list_page(NotebookInstance, changed_after=changed)
    observation = Observation("Pending", Phase.STARTING, "", "2026-03-02 08:00:00+00:00")
    assert page.observations == {"research": observation}
    assert page.next_token == "more"
    assert page.responded_at == changed.timestamp() + 60


def test_a_list_that_is_none_may_be_one_later(hook: SageMakerNotebookInstanceHook, sagemaker: Script) -> None:
    sagemaker.stubber.add_response("list_notebook_instances", {}, {"MaxResults": 100})
    with pytest.raises(exceptions.SageMakerUnavailable):
        hook.list_page(NotebookInstance)


def test_a_description_without_a_status_may_have_one_later(
    hook: SageMakerNotebookInstanceHook, sagemaker: Script
) -> None:
    sagemaker.stubber.add_response("describe_notebook_instance", {}, sagemaker.name)
    with pytest.raises(exceptions.SageMakerUnavailable):
        hook.observe(RESEARCH)


def test_without_retries_the_connections_other_settings_still_apply(hook: SageMakerNotebookInstanceHook) -> None:
    hook = SageMakerNotebookInstanceHook(
        None, region_name="eu-central-1", config={"read_timeout": 3, "retries": {"mode": "legacy"}}
    )
    hook.connect_without_retries()
    config = hook.conn.meta.config  # type: ignore[attr-defined]
    assert (config.connect_timeout, config.read_timeout) == (5, 3)
    assert config.retries["total_max_attempts"] == 1
    assert config.max_pool_connections == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NoCredentialsError(), exceptions.AwsConnectionUnusable),
        (TypeError("Got unexpected keyword argument 'colour'"), exceptions.AwsConnectionUnusable),
        (OSError("The database is away."), exceptions.SageMakerUnavailable),
    ],
)
def test_a_connection_that_is_wrong_ends_a_wait_and_one_out_of_reach_does_not(error: Exception, kind: type) -> None:
    assert type(connection_error(error)) is kind
