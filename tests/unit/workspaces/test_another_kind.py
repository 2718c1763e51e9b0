"""
A second kind of workspace, in this file alone: what it takes, and that nothing else has to change for it.

MLflow tracking servers as AWS has them: statuses with other words, no list by time of change, no failure reason, a URL
that opens once only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.compat import BaseNotifier, TaskDeferred
from airflow_sagemaker_presign.hooks.base import WorkspaceHook
from airflow_sagemaker_presign.hooks.client_key import ClientKey
from airflow_sagemaker_presign.launch_page.csrf import CsrfTokens, TokenMatch
from airflow_sagemaker_presign.launch_page.page_state import page_state_of, page_state_of_error
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask, TaskKey, rendered_task_of
from airflow_sagemaker_presign.launch_page.sagemaker_client import SageMakerClient
from airflow_sagemaker_presign.links import SageMakerConsoleLink
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.failure_message import failure_message
from airflow_sagemaker_presign.notifications.link_message import link_message
from airflow_sagemaker_presign.operators.presigned_url import PresignedUrlOperator
from airflow_sagemaker_presign.triggers.base import WorkspaceTrigger
from airflow_sagemaker_presign.validation import reject
from airflow_sagemaker_presign.workspaces.base import Observation, Phase, Workspace, WorkspaceErrors, in_utc
from tests.helpers.scripted_sagemaker import Clock, scripted_hook

URL = "https://t-1.eu-central-1.experiments.sagemaker.aws/auth?authToken=eyJhbGciOi.J9secretOfBob"
ARN = "arn:aws:sagemaker:eu-central-1:123456789012:mlflow-tracking-server/experiments"


# ---------------------------------------------------------------- what a kind of workspace is


class TrackingServerNotFound(exceptions.WorkspaceError):
    advice = "Create it, or fix its name."


class TrackingServerStopped(exceptions.WorkspaceError):
    advice = "Ask who stopped it."


class TrackingServerFailed(exceptions.WorkspaceError):
    advice = "Ask AWS support."


class TrackingServerTimeout(exceptions.WorkspaceError):
    advice = "Starts may take over half an hour: give it a longer timeout."


class TrackingServerQuotaExceeded(exceptions.WorkspaceError):
    advice = "Ask for more."


PHASES = {
    "Creating": Phase.STARTING,
    "Created": Phase.READY,
    "Starting": Phase.STARTING,
    "Started": Phase.READY,
    "Stopping": Phase.STOPPING,
    "Stopped": Phase.STOPPED,
    "StartFailed": Phase.FAILED,
    "Deleting": Phase.GONE,
}


@dataclass(frozen=True)
class TrackingServer(Workspace):
    tracking_server_name: str

    noun = "tracking server"
    title = "Tracking server"
    single_use = True
    errors = WorkspaceErrors(
        not_found=TrackingServerNotFound,
        deleted=TrackingServerNotFound,
        stopped=TrackingServerStopped,
        start_not_taken=TrackingServerFailed,
        stop_not_taken=TrackingServerFailed,
        wait_timeout=TrackingServerTimeout,
        quota_exceeded=TrackingServerQuotaExceeded,
    )

    def __post_init__(self) -> None:
        if not self.tracking_server_name:
            reject("tracking_server_name", self.tracking_server_name, "a name")

    @property
    def name(self) -> str:
        return self.tracking_server_name

    @classmethod
    def phase_of(cls, status: str) -> Phase:
        return PHASES.get(status, Phase.UNKNOWN)

    def describe(self, client: Any) -> dict[str, Any]:
        description: dict[str, Any] = client.describe_mlflow_tracking_server(TrackingServerName=self.name)
        return description

    @classmethod
    def observation_of(cls, description: Mapping[str, Any]) -> Observation:
        status = description["TrackingServerStatus"]
        return Observation(status, cls.phase_of(status), changed_at=in_utc(description.get("LastModifiedTime", "")))

    def start(self, client: Any) -> None:
        client.start_mlflow_tracking_server(TrackingServerName=self.name)

    def stop(self, client: Any) -> None:
        client.stop_mlflow_tracking_server(TrackingServerName=self.name)

    def mint(self, client: Any, session_seconds: int, landing: str | None) -> str:
        response = client.create_presigned_mlflow_tracking_server_url(
            TrackingServerName=self.name, SessionExpirationDurationInSeconds=session_seconds
        )
        return str(response.get("AuthorizedUrl"))

    def failure(self, reason: str) -> exceptions.WorkspaceError:
        return TrackingServerFailed(self.name, "It failed to start.", noun=self.noun)

    def is_wrong_status(self, code: str, message: str) -> bool:
        return code == "ValidationException" and "is currently in status" in message

    def arn(self, description: Mapping[str, Any]) -> str:
        return str(description.get("TrackingServerArn", ""))


class ConsoleLink(SageMakerConsoleLink):
    name = "Tracking server"
    key = "tracking_server_arn"

    def console_url(self, arn: str) -> str | None:
        return None


class TrackingServerTrigger(WorkspaceTrigger):
    kind = TrackingServer


class PresignedTrackingServerUrlOperator(PresignedUrlOperator):
    identifier_checks = {"tracking_server_name": str}
    console_link = ConsoleLink()
    template_fields = ("tracking_server_name", *PresignedUrlOperator.template_fields)

    def __init__(self, *, tracking_server_name: str, notifiers: Any, deferrable: bool = False, **kwargs: Any) -> None:
        super().__init__(
            identifiers={"tracking_server_name": tracking_server_name},
            notifiers=notifiers,
            session_expiration_duration=3600,
            recipient=None,
            landing=None,
            min_validity=timedelta(minutes=4),
            delivery_attempts=1,
            require="all",
            link="both",
            allowed_users="editors",
            launch_page_valid_for=timedelta(days=1),
            poll_interval=5,
            timeout=timedelta(hours=1),
            deferrable=deferrable,
            aws_conn_id=None,
            region_name="eu-central-1",
            verify=None,
            botocore_config=None,
            **kwargs,
        )

    def _kind(self) -> type[TrackingServer]:
        return TrackingServer

    def _trigger_class(self) -> type[WorkspaceTrigger]:
        return TrackingServerTrigger


# ---------------------------------------------------------------- and all that it goes through


class Sent(BaseNotifier):
    template_fields = ("text",)
    texts: list[str] = []

    def __init__(self) -> None:
        super().__init__()
        self.text = "{{ workspace.name }} {{ tracking_server.TrackingServerStatus }} {{ presigned_url.url }}"

    def notify(self, context: Any) -> None:
        self.texts.append(self.text)
        self.texts.append(link_message(context, note="", zone=UTC).subject)


class Aws:
    """A script of answers."""

    def __init__(self, stubber: Stubber) -> None:
        self.stubber = stubber
        self.name = {"TrackingServerName": "experiments"}

    def describe(self, *statuses: str) -> Aws:
        for second, status in enumerate(statuses):
            answer = {
                "TrackingServerName": "experiments",
                "TrackingServerArn": ARN,
                "TrackingServerStatus": status,
                "LastModifiedTime": datetime(2026, 3, 2, 7, 0, second, tzinfo=UTC),
            }
            self.stubber.add_response("describe_mlflow_tracking_server", answer, self.name)
        return self

    def start(self) -> Aws:
        self.stubber.add_response("start_mlflow_tracking_server", {}, self.name)
        return self

    def mint(self) -> Aws:
        asked = {**self.name, "SessionExpirationDurationInSeconds": 3600}
        self.stubber.add_response("create_presigned_mlflow_tracking_server_url", {"AuthorizedUrl": URL}, asked)
        return self

    def refuse(self, operation: str, code: str, message: str) -> Aws:
        self.stubber.add_client_error(operation, code, message)
        return self


@pytest.fixture
def tracking_hook(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> WorkspaceHook:
    monkeypatch.setattr("airflow_sagemaker_presign.compat.mask_secret", lambda *_: None, raising=False)
    monkeypatch.setattr(Sent, "texts", [])
    return scripted_hook(WorkspaceHook, clock, monkeypatch)


@pytest.fixture
def aws(tracking_hook: WorkspaceHook) -> Iterator[Aws]:
    with Stubber(tracking_hook.__dict__["conn"]) as stubber:
        yield Aws(stubber)
        stubber.assert_no_pending_responses()


@pytest.fixture
def make(tracking_hook: WorkspaceHook, clock: Clock) -> Callable[..., Any]:
    def make(**given: Any) -> Any:
        operator: Any = PresignedTrackingServerUrlOperator(
            task_id="open", tracking_server_name="experiments", notifiers=Sent(), **given
        )
        operator.__dict__["hook"] = tracking_hook
        operator._runtime = clock
        return operator

    return make


def test_the_worker_starts_it_waits_for_it_and_delivers(
    make: Callable[..., Any], aws: Aws, context: dict[str, Any]
) -> None:
    aws.describe("Stopped").start().describe("Starting", "Started").mint()
    receipt = make().execute(context)
    text, subject = Sent.texts
    assert text == f"experiments Started {URL}"
    assert subject.startswith("Tracking server experiments is ready: open it by ")
    assert receipt["tracking_server_name"] == "experiments"
    assert "authToken" not in repr(receipt)


@pytest.mark.parametrize("variable", ["tracking_server", "workspace_description"])
def test_a_template_with_its_description_is_not_rendered_before_it_runs(variable: str, context: dict[str, Any]) -> None:
    notifier = NotebookUrlSmtpNotifier(to="bob@example.com", note="{{ " + variable + ".TrackingServerStatus }}")
    assert not notifier.render_before_start("note", context)
    assert notifier.render_before_start("to", context)


@pytest.mark.parametrize(
    ("end", "kind"),
    [("StartFailed", TrackingServerFailed), ("Stopped", TrackingServerStopped), ("Deleting", TrackingServerNotFound)],
)
def test_its_errors_are_its_own(
    make: Callable[..., Any], aws: Aws, context: dict[str, Any], end: str, kind: type[Exception]
) -> None:
    aws.describe("Stopped").start().describe("Starting", end)
    with pytest.raises(kind, match="Tracking server 'experiments'") as raised:
        make().execute(context)
    message = failure_message({"exception": raised.value, "task": make()})
    assert ("Tracking server", "experiments") in message.facts


def test_a_name_that_is_not_there(make: Callable[..., Any], aws: Aws, context: dict[str, Any]) -> None:
    aws.refuse("describe_mlflow_tracking_server", "ResourceNotFound", "Tracking Server does not exist.")
    with pytest.raises(TrackingServerNotFound, match="No tracking server has this name"):
        make().execute(context)


def test_another_process_may_start_the_tracking_server_first(tracking_hook: WorkspaceHook, aws: Aws) -> None:
    refusal = f"Tracking Server with ARN {ARN} is currently in status STARTING, can't be started."
    aws.refuse("start_mlflow_tracking_server", "ValidationException", refusal)
    assert tracking_hook.start(TrackingServer("experiments")) is False


def test_the_triggerer_observes_many_one_by_one_and_the_operator_goes_on(
    make: Callable[..., Any],
    aws: Aws,
    context: dict[str, Any],
    clock: Clock,
    tracking_hook: WorkspaceHook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ClientKey, "connect", lambda _: tracking_hook)
    monkeypatch.setattr(TrackingServerTrigger, "_runtime", clock)
    aws.describe("Creating")
    with pytest.raises(TaskDeferred) as deferred:
        make(deferrable=True).execute(context)
    path, arguments = deferred.value.trigger.serialize()
    assert path.endswith("test_another_kind.TrackingServerTrigger")
    assert arguments["wait"]["workspace"] == {"tracking_server_name": "experiments"}
    aws.describe("Creating", "Creating", "Created")

    async def events() -> list[Any]:
        return [event.payload async for event in TrackingServerTrigger(**arguments).run()]

    (event,) = asyncio.run(events())
    assert event["status"] == "success"
    aws.describe("Created").mint()
    assert make(deferrable=True).execute_complete(context, event)["deliveries"][0]["attempts"] == 1


FIELDS = {
    "tracking_server_name": "experiments",
    "session_expiration_duration": 3600,
    "landing": None,
    "aws_conn_id": None,
    "region_name": "eu-central-1",
    "verify": None,
    "allowed_users": "editors",
    "launch_page_valid_for": 86400,
}


@pytest.fixture
def task() -> RenderedTask:
    now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    return rendered_task_of(TaskKey("dag", "run", "open"), FIELDS, try_number=1, began=now, now=now)


def test_the_launch_page_shows_it_starts_it_and_mints(
    task: RenderedTask, aws: Aws, tracking_hook: WorkspaceHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert task.workspace == TrackingServer("experiments")
    client = SageMakerClient()
    monkeypatch.setattr(client, "hook", lambda _: tracking_hook)
    aws.describe("Stopped").start().describe("Started").mint()
    now = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    stopped = page_state_of(task.workspace, client.describe(task), task.landing, now)
    assert (stopped.status, stopped.action) == ("Stopped", "start")
    client.start(task)
    ready = page_state_of(task.workspace, client.describe(task), task.landing, now)
    assert (ready.status, ready.button) == ("Started", "Open the tracking server")
    minted = client.mint(task)
    assert (minted.url, minted.single_use) == (URL, True)


def test_the_launch_page_says_what_is_wrong_with_it_and_its_form_is_its_own(task: RenderedTask) -> None:
    gone = page_state_of_error(TrackingServerNotFound("experiments", "No."), task.workspace)
    assert gone.headline == "There is no such tracking server"
    failed = page_state_of(task.workspace, {"TrackingServerStatus": "StartFailed"}, None, datetime.now(UTC))
    assert (failed.action, failed.problem) == ("start", "It failed to start.")
    tokens = CsrfTokens("secret")
    assert tokens.match_token(tokens.issue("ada", task), "ada", task) is TokenMatch.OF_THIS_PAGE
