from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.compat import DAG, HAS_LAUNCH_PAGE, AirflowSkipException, BaseNotifier, TaskDeferred
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.links import (
    SageMakerNotebookConsoleLink,
    SageMakerNotebookLaunchLink,
    console_open_url,
    console_page_url,
    launch_url,
)
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator as Link,
    SageMakerStopNotebookInstanceOperator as Stop,
)
from airflow_sagemaker_presign.triggers.sagemaker_notebook import SageMakerNotebookInstanceTrigger
from airflow_sagemaker_presign.workspaces.base import Workspace
from tests.helpers.scripted_sagemaker import ARN, URL, Clock, Script, TaskInstance


class Recorder(BaseNotifier):
    template_fields = ("text",)
    sent: list[str] = []

    def __init__(
        self, text: str = "{{ recipient }} {{ presigned_url.url }} {{ notebook_instance.NotebookInstanceArn }}"
    ):
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


@pytest.fixture(autouse=True)
def nothing_sent_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "sent", [])


@pytest.fixture
def make(hook: SageMakerNotebookInstanceHook, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make an operator that talks to the script."""

    def make(kind: type = Link, **kwargs: Any) -> Any:
        if kind is Link:
            kwargs.setdefault("notifiers", [Recorder()])
        operator = kind(task_id="notebook", **{"notebook_instance_name": "research", "deferrable": False, **kwargs})
        operator.__dict__["hook"] = hook
        operator._runtime = clock
        return operator

    monkeypatch.setattr("airflow_sagemaker_presign.compat.mask_secret", lambda *_: None, raising=False)
    return make


@pytest.fixture(autouse=True)
def real_time(clock: Clock) -> None:
    clock.now = datetime.now(UTC)


def test_a_notebook_in_service_is_delivered_at_once(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    sagemaker.describe("InService").mint(28800)
    operator = make(session_expiration_duration=timedelta(hours=8), recipient="ada@example.com", deferrable=True)
    receipt = operator.execute(context)
    assert Recorder.sent == [f"ada@example.com {URL}&view=lab {ARN}"]
    assert receipt["notebook_instance_name"] == "research"
    assert receipt["session_expiration_duration"] == 28800
    assert 240 <= receipt["deliveries"][0]["validity_left"] <= 300
    assert receipt["session_ends_by"] == receipt["deliveries"][0]["session_ends_by"]
    assert "authToken" not in repr(receipt)
    xcoms = {key: value for key, value in context["ti"].xcoms.items() if not key.startswith("_link_")}
    assert xcoms == {SageMakerNotebookConsoleLink.key: ARN.replace("123456789012", "")}
    assert "authToken" not in repr(context["ti"].xcoms)


@pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="Airflow 2 asks the links themselves; Airflow 3.0 has no launch page")
def test_the_buttons_are_there_before_the_wait(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    sagemaker.refuse("describe_notebook_instance", "ValidationException", "RecordNotFound")
    with pytest.raises(exceptions.NotebookInstanceNotFound):
        make().execute(context)
    console, launch_page = SageMakerNotebookConsoleLink().xcom_key, SageMakerNotebookLaunchLink().xcom_key
    assert context["ti"].xcoms[console] == console_page_url(ARN)
    ti = context["ti"]
    assert context["ti"].xcoms[launch_page] == launch_url(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)


def test_a_stopped_notebook_is_started_and_waited_for_in_the_worker(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    sagemaker.describe("Stopped").start().describe("Pending", modified=1).describe("InService", modified=2)
    sagemaker.mint()
    make().execute(context)
    assert len(Recorder.sent) == 1


def test_a_stopping_notebook_is_waited_for_and_then_started(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    sagemaker.describe("Stopping").describe("Stopping").describe("Stopped").start()
    sagemaker.describe("Pending").describe("InService").mint()
    make().execute(context)
    assert len(Recorder.sent) == 1


def test_a_deferrable_task_hands_all_that_it_knows_to_the_trigger(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    sagemaker.describe("Stopped").start()
    with pytest.raises(TaskDeferred) as deferred:
        make(deferrable=True, poll_interval=2, timeout=600, region_name="eu-central-1").execute(context)
    trigger = deferred.value.trigger
    assert isinstance(trigger, SageMakerNotebookInstanceTrigger)
    path, arguments = trigger.serialize()
    assert path == "airflow_sagemaker_presign.triggers.sagemaker_notebook.SageMakerNotebookInstanceTrigger"
    assert arguments["wait"]["sends"] == 1
    assert arguments["wait"]["deadline"] - arguments["wait"]["began_at"] == 600
    assert (arguments["poll_interval"], arguments["region_name"]) == (2.0, "eu-central-1")
    assert deferred.value.method_name == "execute_complete"
    assert SageMakerNotebookInstanceTrigger(**arguments).serialize() == (path, arguments)


def test_a_resumed_task_delivers(make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]) -> None:
    sagemaker.describe("InService").mint()
    make(deferrable=True).execute_complete(context, {"status": "success", "notebook_instance_status": "InService"})
    assert len(Recorder.sent) == 1


def test_a_resumed_task_raises_what_the_trigger_found(make: Callable[..., Any], context: dict[str, Any]) -> None:
    error = exceptions.NotebookInstanceNoCapacity("research", "No machines.")
    with pytest.raises(exceptions.NotebookInstanceNoCapacity, match="No machines"):
        make(deferrable=True).execute_complete(context, {"status": "error", **error.as_event()})


@pytest.mark.parametrize(
    ("status", "calls"),
    [
        ("Stopped", ()),
        ("Failed", ()),
        ("Deleting", ()),
        ("InService", ("stop", "Stopping", "Stopped")),
        ("Stopping", ("Stopped",)),
        ("Pending", ("InService", "stop", "Stopping", "Stopped")),
        ("Updating", ("Stopped",)),
        ("PendingMaintenance", ("InMaintenance", "InService", "stop", "Stopping", "Stopped")),
        ("InMaintenance", ("Stopped",)),
        ("SomethingNew", ("Stopped",)),
    ],
)
def test_the_stop_is_safe_in_each_status(
    make: Callable[..., Any],
    sagemaker: Script,
    context: dict[str, Any],
    status: str,
    calls: tuple[str, ...],
) -> None:
    sagemaker.describe(status)
    for call in calls:
        _ = sagemaker.stop() if call == "stop" else sagemaker.describe(call)
    assert make(Stop).execute(context) == (calls[-1] if calls else status)


def test_a_stop_that_is_not_waited_for_ends_when_it_is_under_way(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    sagemaker.describe("InService").stop().describe("Stopping")
    assert make(Stop, wait_for_completion=False).execute(context) == "Stopping"


def test_a_clean_up_leaves_alone_what_ran_before_the_run(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    context["dag_run"] = SimpleNamespace(start_date=datetime(2026, 3, 2, 7, 0, 30, tzinfo=UTC))
    sagemaker.describe("InService", modified=10)
    with pytest.raises(AirflowSkipException, match="was InService before this run began"):
        make(Stop, only_if_started_in_run=True).execute(context)
    sagemaker.describe("InService", modified=40).describe("InService").stop().describe("Stopped")
    assert make(Stop, only_if_started_in_run=True).execute(context) == "Stopped"


@pytest.mark.parametrize(("begun", "skipped"), [([None], True), ([ARN], False)])
def test_a_clean_up_after_a_task_that_never_began_leaves_the_notebook_alone(
    hook: SageMakerNotebookInstanceHook,
    clock: Clock,
    sagemaker: Script,
    context: dict[str, Any],
    begun: list[str | None],
    skipped: bool,
) -> None:
    with DAG("after_training", schedule=None):
        link = Link(task_id="link", notebook_instance_name="research", notifiers=[Recorder()])
        stop = Stop(task_id="stop", notebook_instance_name="research", only_if_started_in_run=True, deferrable=False)
        link >> stop
    stop.__dict__["hook"] = hook
    stop._runtime = clock
    context["dag_run"] = SimpleNamespace(start_date=datetime(2026, 3, 2, 7, 0, tzinfo=UTC))
    context["ti"].xcom_pull = lambda task_ids, key: begun
    if skipped:
        with pytest.raises(AirflowSkipException, match="No task of this run has started"):
            stop.execute(context)  # type: ignore[arg-type]
    else:
        sagemaker.describe("InService", modified=1).describe("InService").stop()
        sagemaker.describe("Stopped")
        assert stop.execute(context) == "Stopped"  # type: ignore[arg-type]


def test_a_resumed_stop_takes_the_triggers_word(make: Callable[..., Any], context: dict[str, Any]) -> None:
    event = {"status": "success", "notebook_instance_status": "Stopped"}
    assert make(Stop).execute_complete(context, event) == "Stopped"
    with pytest.raises(exceptions.WorkspaceError, match="without an event"):
        make(Stop).execute_complete(context, None)


def test_the_stop_can_be_a_teardown() -> None:
    assert Stop(task_id="stop", notebook_instance_name="research").as_teardown().is_teardown


WRONG = [
    ({"notebook_instance_name": "a" * 64}, r"notebook_instance_name='a+': must be 1 to 63"),
    ({"notebook_instance_name": "my_notebook"}, r"notebook_instance_name='my_notebook': must be"),
    ({"notebook_instance_name": None}, r"notebook_instance_name=None: must be"),
    (
        {"session_expiration_duration": 1799},
        r"session_expiration_duration=1799: must be 1800 to 43200 .* or its digits\.$",
    ),
    ({"session_expiration_duration": 43201}, r"session_expiration_duration=43201: must be"),
    ({"session_expiration_duration": "8h"}, r"session_expiration_duration='8h': must be"),
    ({"session_expiration_duration": timedelta(days=1)}, r"session_expiration_duration=.*: must be"),
    ({"notifiers": []}, r"notifiers=\[\]: must be at least one notifier"),
    ({"notifiers": None}, r"notifiers\[0\]=None: must be an instance of a subclass of Airflow's BaseNotifier"),
    ({"notifiers": "mail"}, r"notifiers='mail': must be"),
    ({"notifiers": [print]}, r"notifiers\[0\]=<built-in function print>: must be"),
    ({"notifiers": [Recorder]}, r"notifiers\[0\]=.*: must be an instance"),
    ({"landing": "desktop"}, r"landing='desktop': must be 'lab' or 'classic' or None"),
    ({"min_validity": timedelta(minutes=6)}, r"min_validity=.*: must be above 0 and below 5 minutes"),
    ({"min_validity": 300}, r"min_validity=300: must be"),
    ({"min_validity": -1}, r"min_validity=-1: must be"),
    ({"delivery_attempts": 0}, r"delivery_attempts=0: must be a whole number, 1 or more"),
    ({"require": "most"}, r"require='most': must be 'all' or 'any'"),
    ({"poll_interval": 0}, r"poll_interval=0: must be a timedelta, or a number of seconds, above 0"),
    ({"poll_interval": "5"}, r"poll_interval='5': must be"),
    ({"timeout": -60}, r"timeout=-60: must be"),
    ({"timeout": timedelta(hours=-1)}, r"timeout=.*: must be"),
    ({"timeout": float("nan")}, r"timeout=nan: must be"),
    ({"timeout": timedelta.max}, r"timeout=.*: must be .* above 0 and at most 365 days\.$"),
    ({"poll_interval": 366 * 24 * 3600}, r"poll_interval=31622400: must be .* at most 365 days\.$"),
    ({"deferrable": "yes"}, r"deferrable='yes': must be True or False"),
    ({"botocore_config": "x"}, r"botocore_config='x': must be a dict"),
]


@pytest.mark.parametrize(("kwargs", "message"), WRONG)
def test_wrong_input_is_refused_when_the_dag_is_parsed(
    make: Callable[..., Any], kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(**kwargs)


@pytest.mark.parametrize(
    ("field", "template", "rendered", "message"),
    [
        ("notebook_instance_name", "{{ params.name }}", "my_notebook", "notebook_instance_name='my_notebook'"),
        ("session_expiration_duration", "{{ params.hours }}", "1799", "session_expiration_duration='1799'"),
        ("session_expiration_duration", "{{ params.hours }}", "8h", "session_expiration_duration='8h'"),
        ("session_expiration_duration", "{{ params.hours }}", None, "session_expiration_duration=None"),
    ],
)
def test_wrong_input_from_a_template_is_refused_before_the_first_aws_call(
    make: Callable[..., Any],
    sagemaker: Script,
    context: dict[str, Any],
    field: str,
    template: str,
    rendered: Any,
    message: str,
) -> None:
    operator = make(**{field: template})
    setattr(operator, field, rendered)
    with pytest.raises(ValueError, match=message):
        operator.execute(context)


@pytest.mark.parametrize(
    "given", ["3600", "3600.0", " 3600. ", 3600.0, Decimal(3600), Fraction(3600), Fraction(7200, 2)]
)
def test_a_session_is_taken_as_any_number_of_whole_seconds_and_as_its_digits(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any], given: Any
) -> None:
    sagemaker.describe("InService").mint(3600)
    assert make(session_expiration_duration=given).execute(context)["session_expiration_duration"] == 3600


@pytest.mark.parametrize("given", ["3600.5", "1e4", "0x1000", "-3600", "+3600", "36_00", "inf", Decimal("nan"), 3600j])
def test_a_session_that_is_no_number_of_seconds_is_not_guessed(make: Callable[..., Any], given: Any) -> None:
    with pytest.raises(ValueError, match=r"session_expiration_duration=.*: must be 1800 to 43200"):
        make(session_expiration_duration=given)


def test_a_name_of_digits_that_native_rendering_made_a_number_is_that_name(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    operator = make(notebook_instance_name="{{ params.name }}", aws_conn_id="{{ params.connection }}")
    operator.notebook_instance_name, operator.aws_conn_id = 20260302, 7
    sagemaker.name["NotebookInstanceName"] = "20260302"
    sagemaker.describe("InService").mint()
    assert operator.execute(context)["notebook_instance_name"] == "20260302"
    assert operator.aws_conn_id == "7"


@pytest.mark.parametrize(
    ("field", "rendered", "message"),
    [
        ("notebook_instance_name", 1.5, r"is of type float: with render_template_as_native_obj=True"),
        ("notebook_instance_name", True, r"is of type bool: with render_template_as_native_obj=True"),
        ("aws_conn_id", ["a"], r"aws_conn_id=\['a'\]: must be a string or None \(this is of type list"),
        ("region_name", 1.0, r"region_name=1.0: must be a string or None \(this is of type float"),
        ("region_name", "None", r"region_name='None': .* a missing value that a template rendered"),
        ("verify", 0, r"verify=0: must be True, False, the path of .* \(this is of type int"),
        ("session_expiration_duration", [1], r"is of type list: with render_template_as_native_obj=True"),
    ],
)
def test_a_type_changed_by_native_rendering_raises_an_error_with_the_reason(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any], field: str, rendered: Any, message: str
) -> None:
    operator = make(**{field: "{{ params.value }}"})
    setattr(operator, field, rendered)
    with pytest.raises(ValueError, match=message):
        operator.execute(context)


class NoSuchButton(TaskInstance):
    """Airflow cannot keep what belongs to a button."""

    def xcom_push(self, key: str, value: Any) -> None:
        raise RuntimeError("The database is away.")


def test_a_button_that_cannot_be_kept_fails_no_task(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    context["ti"] = NoSuchButton()
    sagemaker.describe("Stopped")
    assert make(Stop).execute(context) == "Stopped"


def test_a_button_without_a_client_is_shown_once_aws_has_responded(
    make: Callable[..., Any],
    hook: SageMakerNotebookInstanceHook,
    sagemaker: Script,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors = [exceptions.SageMakerUnavailable("research", "Rate exceeded")]
    arn_without_account = hook.arn_without_account

    def throttled_once(workspace: Workspace) -> str:
        if errors:
            raise errors.pop()
        return arn_without_account(workspace)

    monkeypatch.setattr(hook, "arn_without_account", throttled_once)
    sagemaker.describe("Stopped")
    assert make(Stop).execute(context) == "Stopped"
    assert SageMakerNotebookConsoleLink.key in context["ti"].xcoms


def test_the_log_has_the_observed_status_before_the_request(
    make: Callable[..., Any],
    sagemaker: Script,
    context: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sagemaker.describe("Stopped").start().describe("Stopped").describe("Pending", modified=1)
    sagemaker.describe("InService", modified=2).mint()
    with caplog.at_level("INFO"):
        make().execute(context)
    # Airflow 3 logs to the console, past what caplog sees; Airflow 2 to both.
    lines = (caplog.text if "research" in caplog.text else capsys.readouterr().out).splitlines()
    what = ["Sent a start" if "Sent a start" in line else line for line in lines if "research" in line]
    was, sent, *later = [line for line in what if "research is" in line or line == "Sent a start"]
    assert "is Stopped" in was
    assert sent == "Sent a start"
    assert not any("is Stopped" in line for line in later)


@pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="no launch page before Airflow 3.1.1")
@pytest.mark.parametrize("status", ["Stopped", "Stopping", "Deleting", "Failed"])
def test_a_message_without_a_presigned_url_is_not_sent_for_a_notebook_that_does_not_run_any_more(
    make: Callable[..., Any],
    sagemaker: Script,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    operator = make(link="launch_page", notifiers=[Recorder("{{ launch_url }}")], deferrable=True)
    sagemaker.describe(status)
    with pytest.raises(exceptions.WorkspaceError, match="research"):
        operator.execute_complete(context, {"status": "success", "notebook_instance_status": "InService"})
    assert Recorder.sent == []


@pytest.mark.parametrize(
    ("arn", "page"),
    [
        (
            ARN,
            "https://eu-central-1.console.aws.amazon.com/sagemaker/home?region=eu-central-1#/notebook-instances/",
        ),
        (
            "arn:aws-cn:sagemaker:cn-north-1:1:notebook-instance/research",
            "https://cn-north-1.console.amazonaws.cn/sagemaker/home?region=cn-north-1#/notebook-instances/",
        ),
    ],
)
def test_the_console_links_are_the_consoles_own(arn: str, page: str) -> None:
    assert console_page_url(arn) == f"{page}research"
    assert console_open_url(arn) == f"{page}openNotebook/research?view=lab"


def test_an_unknown_partition_has_no_console_link() -> None:
    assert console_page_url("arn:aws-moon:sagemaker:x:1:notebook-instance/research") is None
    assert console_open_url("nonsense") is None


class Unreadable:
    """A connection that Airflow cannot read for the first few times."""

    def __init__(self, hook: Any, error: exceptions.WorkspaceError, times: int) -> None:
        self._hook, self._error, self._times = hook, error, times

    def __getattr__(self, name: str) -> Any:
        if name in ("has_connection", "arn_without_account") and self._times:
            self._times -= 1
            raise self._error
        return getattr(self._hook, name)


def test_a_connection_that_cannot_be_read_for_the_moment_defers_with_it(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    operator = make(deferrable=True, aws_conn_id="team")
    error = exceptions.SageMakerUnavailable("*", "The secrets backend has an outage.")
    operator.__dict__["hook"] = Unreadable(operator.hook, error, times=9)
    sagemaker.describe("Pending")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert deferred.value.trigger.aws_conn_id == "team"


def test_a_connection_that_is_not_usable_says_so_for_this_notebook(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    operator = make(deferrable=True)
    error = exceptions.AwsConnectionUnusable("*", "Its extra is not JSON.")
    operator.__dict__["hook"] = Unreadable(operator.hook, error, times=9)
    sagemaker.describe("Pending")
    with pytest.raises(exceptions.AwsConnectionUnusable, match="'research': Its extra is not JSON"):
        operator.execute(context)


def test_a_clean_up_waits_for_a_connection_that_cannot_be_read_for_the_moment(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any]
) -> None:
    operator = make(Stop, only_if_started_in_run=True)
    error = exceptions.SageMakerUnavailable("*", "The secrets backend has an outage.")
    operator.__dict__["hook"] = Unreadable(operator.hook, error, times=1)
    context["dag_run"] = SimpleNamespace(start_date=datetime(2026, 3, 2, 7, 0, tzinfo=UTC))
    sagemaker.describe("InService", modified=1).describe("InService", modified=1).describe("InService").stop()
    sagemaker.describe("Stopped")
    assert operator.execute(context) == "Stopped"


def test_a_description_without_an_arn_costs_no_receipt(
    make: Callable[..., Any], sagemaker: Script, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker.describe("InService").mint()
    operator = make()
    describe = operator.hook.describe

    def without_arn(workspace: Workspace) -> dict[str, Any]:
        return {key: value for key, value in describe(workspace).items() if key != "NotebookInstanceArn"}

    monkeypatch.setattr(operator.hook, "describe", without_arn)
    operator.notifiers = (Recorder("{{ presigned_url.url }}"),)
    assert operator.execute(context)["notebook_instance_arn"] == ""
    assert len(Recorder.sent) == 1
