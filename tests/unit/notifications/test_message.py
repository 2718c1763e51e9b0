from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.minting.redaction import redacted
from airflow_sagemaker_presign.notifications.failure_message import failure_message
from airflow_sagemaker_presign.notifications.link_message import link_message
from airflow_sagemaker_presign.validation import reject
from airflow_sagemaker_presign.workspaces.base import Workspace

URL = "https://research.notebook.eu-central-1.sagemaker.aws?authToken=secret-a.b&view=lab"
TASK_PAGE = "https://airflow.example.com/dags/mornings/tasks/notebook_link"


def test_the_link_message_says_what_the_reader_has_to_know(link_context: dict[str, Any]) -> None:
    message = link_message(link_context, note=" Model: s3://m \n", zone=ZoneInfo("Europe/Berlin"))

    assert message.title == "Notebook research is ready"
    assert message.lead == "Open it by 09:35 CET (Europe/Berlin). The link works for five minutes only."
    assert message.subject == "Notebook research is ready: open it by 09:35 CET (Europe/Berlin)"
    assert [tuple(fact) for fact in message.facts] == [
        ("Notebook instance", "research"),
        ("Region", "eu-central-1"),
        ("Link works until", "09:35 CET (Europe/Berlin)"),
        ("Session lasts", "8 hours from when you open it"),
    ]
    assert message.note == "Model: s3://m"
    assert message.url == URL
    assert "personal" in message.warning
    assert "not forward" in message.warning
    console, task = message.next_steps
    assert console.url.startswith("https://eu-central-1.console.aws.amazon.com/sagemaker/home?region=eu-central-1#")
    assert console.url.endswith("/openNotebook/research?view=lab")
    assert task.url == TASK_PAGE


def test_a_name_with_capitals_is_that_in_the_console_too(link_context: dict[str, Any]) -> None:
    # SageMaker's answer: the ARN in lower case.
    described = {**link_context["notebook_instance"], "NotebookInstanceName": "ReSearch"}
    console, _ = link_message({**link_context, "notebook_instance": described}, note="", zone=UTC).next_steps
    assert console.url.endswith("/openNotebook/ReSearch?view=lab")


def test_no_repr_of_a_message_shows_the_url(link_context: dict[str, Any]) -> None:
    message = link_message(link_context, note=f"here: {URL}", zone=UTC)
    assert "secret" not in repr(message)


class TaskWithoutPage:
    dag_id, task_id = "mornings", "notebook_link"

    @property
    def log_url(self) -> str:
        raise RuntimeError("no base_url")


@pytest.mark.parametrize("ti", [TaskWithoutPage(), SimpleNamespace(log_url="javascript:alert(1)"), None])
@pytest.mark.parametrize("notebook_instance", [{}, None, {"NotebookInstanceArn": "arn:aws-iso:sagemaker:x"}])
def test_unknown_facts_are_omitted(
    link_context: dict[str, Any], ti: object, notebook_instance: dict[str, str] | None
) -> None:
    context = {**link_context, "ti": ti, "notebook_instance": notebook_instance}
    message = link_message(context, note="", zone=UTC)
    assert message.next_steps == ()
    assert "Region" not in dict(message.facts)


CLASSES = [
    getattr(exceptions, name)
    for name in dir(exceptions)
    if name.startswith("NotebookInstance") and name != "WorkspaceError"
]


@pytest.mark.parametrize("error_class", CLASSES)
def test_a_failure_says_what_went_wrong_and_what_to_do(
    airflow_context: dict[str, Any], error_class: type[exceptions.WorkspaceError]
) -> None:
    error = error_class("churn", "It went wrong.")
    message = failure_message({**airflow_context, "exception": error})
    assert message.title == message.subject == "No link to notebook churn"
    assert message.problem == "It went wrong."
    assert message.advice == error.advice
    assert dict(message.facts) == {
        "Notebook instance": "churn",
        "Task": "mornings.notebook_link",
        "Run": "manual__1",
    }
    assert [step.url for step in message.next_steps] == [TASK_PAGE]


def test_a_failed_delivery_names_who_did_not_get_the_link(airflow_context: dict[str, Any]) -> None:
    error = exceptions.LinkDeliveryError("research", {"Smtp to ada": "refused"}, ("Slack to bob",))
    message = failure_message({**airflow_context, "exception": error})
    assert message.title == "Not everybody got the link to notebook research"
    assert "Smtp to ada: refused" in message.problem

    error = exceptions.LinkDeliveryError("research", {"Smtp to ada": "refused"})
    assert failure_message({**airflow_context, "exception": error}).title == "No link to notebook research"


class Mute(Exception):
    """An error whose ``__str__`` raises, as in some libraries if a field is missing."""

    def __str__(self) -> str:
        raise AttributeError("message")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ValueError("no such thing\nwith details"), "ValueError: no such thing"),
        (KeyError(), "KeyError."),
        ("Task received SIGTERM signal", "Task received SIGTERM signal"),
        ("", "The task failed."),
        (None, "The task ended without an error message; its process may have been killed."),
        (RuntimeError("x" * 500), f"RuntimeError: {'x' * 299}…"),
        (Mute(), "Mute."),
    ],
)
def test_any_other_error_is_shown_by_its_first_line(
    airflow_context: dict[str, Any], error: object, problem: str
) -> None:
    message = failure_message({**airflow_context, "exception": error})
    assert message.problem == problem
    assert message.title == "No link to notebook research"
    assert "clear the task" in message.advice


@pytest.mark.parametrize(
    "leak",
    [URL, "x" * 250 + URL, URL.replace("=", "%3D").replace("&", "%26"), URL.replace("&", "&amp;"), "secret-a.b"],
)
@pytest.mark.parametrize("how", ["exception", "problem", "text"])
def test_no_failure_shows_a_presigned_url(airflow_context: dict[str, Any], leak: str, how: str) -> None:
    errors: dict[str, object] = {
        "exception": RuntimeError(f"could not send {leak}"),
        "problem": exceptions.NotebookInstanceFailed("research", f"could not send {leak}"),
        "text": f"could not send {leak}",
    }
    with redacted(URL):
        message = failure_message({**airflow_context, "exception": errors[how]})
    assert "secret" not in repr(message)


@pytest.mark.parametrize("leak", [URL, URL.replace("=", "%3D"), "x" * 275 + "authToken=secret-a.b"])
def test_no_failure_shows_a_token_even_if_it_was_not_registered(airflow_context: dict[str, Any], leak: str) -> None:
    message = failure_message({**airflow_context, "exception": RuntimeError(leak)})
    assert "secret" not in repr(message)


def test_a_failed_stop_is_not_reported_as_a_missing_link(airflow_context: dict[str, Any]) -> None:
    task = SimpleNamespace(task_id="stop", notebook_instance_name="research", recipient="ada@example.com")
    context = {**airflow_context, "task": task, "ti": None, "exception": RuntimeError("no")}
    assert failure_message(context).title == "Notebook research: task stop failed"


def test_an_undelivered_stop_warning_is_not_reported_as_a_missing_link(airflow_context: dict[str, Any]) -> None:
    task = SimpleNamespace(task_id="stop", notebook_instance_name="research", recipient="ada@example.com")
    for delivered in ((), ("Slack to bob",)):
        error = exceptions.LinkDeliveryError("research", {"Smtp to ada": "refused"}, delivered)
        context = {**airflow_context, "task": task, "ti": None, "exception": error}
        assert failure_message(context).title == "Notebook research: task stop failed"


def test_a_mapped_stop_task_that_was_never_created_is_not_reported_as_a_missing_link(
    airflow_context: dict[str, Any],
) -> None:
    task = SimpleNamespace(task_id="stop", template_fields=("notebook_instance_name", "idle_for", "recipient"))
    context = {**airflow_context, "task": task, "ti": None, "exception": RuntimeError("no")}
    assert failure_message(context).title == "Task stop failed"


def test_a_task_without_a_notebook_is_named_itself(airflow_context: dict[str, Any]) -> None:
    context = {**airflow_context, "task": SimpleNamespace(task_id="train"), "ti": None}
    message = failure_message(context)
    assert message.title == "Task train failed"
    assert dict(message.facts) == {"Task": "train", "Run": "manual__1"}


@dataclass(frozen=True)
class StudioSpace(Workspace):
    """A kind with two identifiers, of which neither is the name by itself, or the first is, or the last."""

    space_name: str
    domain_id: str

    noun = "Studio space"

    def __post_init__(self) -> None:
        if " " in self.space_name:
            reject("space_name", self.space_name, "a name")

    @property
    def name(self) -> str:
        return f"{self.space_name} of {self.domain_id}" if self.domain_id.startswith("d-") else self.space_name


StudioSpace.__abstractmethods__ = frozenset()


@pytest.mark.parametrize(
    ("space_name", "domain_id", "name"),
    [
        ("ada", "other", "ada"),
        ("ada", "d-123", "ada of d-123"),
        # What AWS would refuse, or is of another type: as it was written.
        ("a b", "d-123", "a b/d-123"),
        (2026, 1, "2026/1"),
    ],
)
def test_a_kind_with_several_identifiers_is_called_by_its_own_name(
    airflow_context: dict[str, Any], space_name: Any, domain_id: Any, name: str
) -> None:
    task = SimpleNamespace(
        task_id="space", space_name=space_name, domain_id=domain_id, session_expiration_duration=28800
    )
    message = failure_message({**airflow_context, "task": task})
    assert message.title == f"No link to notebook {name}"
    assert message.facts[0] == ("Studio space", name)


def test_a_notebooks_name_that_aws_would_refuse_is_shown_as_it_was_written(airflow_context: dict[str, Any]) -> None:
    airflow_context["task"].notebook_instance_name = "my_notebook"
    assert failure_message(airflow_context).title == "No link to notebook my_notebook"


def test_a_notebooks_name_that_is_still_a_template_is_left_out(airflow_context: dict[str, Any]) -> None:
    airflow_context["task"].notebook_instance_name = "{{ params.notebook }}"
    message = failure_message(airflow_context)
    assert message.title == "No notebook link"
    assert "{{" not in repr(message)


def test_an_empty_context_still_makes_a_message() -> None:
    message = failure_message({})
    assert message.title == "A task failed"
    assert message.facts == ()
    assert message.next_steps == ()
