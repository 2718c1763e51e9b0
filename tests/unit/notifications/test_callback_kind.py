"""What a notifier was called for, with the context that each Airflow passes."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION, DAG, BaseOperator
from airflow_sagemaker_presign.notifications.callback_kind import has_link, nothing_to_send
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

ME, OTHER = object(), object()
ERROR = RuntimeError("no")


def ti(state: str | None = None, *, started: bool = True, tries: tuple[int, int] = (1, 0)) -> Any:
    """A task instance: Airflow 3's DAG processor knows neither its state nor its start."""
    start = {"start_date": "2026-01-01"} if started else {}
    return SimpleNamespace(state=state, try_number=tries[0], max_tries=tries[1], **start)


def task(**callbacks: Any) -> Any:
    return SimpleNamespace(**{"on_failure_callback": [], **callbacks})


ON_FAILURE = task(on_failure_callback=[ME])
ON_RETRY = task(on_retry_callback=[ME])
ON_SUCCESS = task(on_failure_callback=[OTHER], on_success_callback=[ME])
BOTH = task(on_failure_callback=[ME], on_retry_callback=[ME])
ALL = task(on_failure_callback=[ME], on_success_callback=[ME], on_execute_callback=[ME], on_skipped_callback=[ME])
KILLED: dict[str, Any] = {"ti": ti(started=False)}
KILLED_RETRIED: dict[str, Any] = {"ti": ti(started=False, tries=(1, 2))}


@pytest.mark.parametrize(
    ("context", "why"),
    [
        # A task's on_failure_callback: in the worker, on 2.11 with a text for a killed one, in 3's DAG processor.
        ({"exception": ERROR, "ti": ti("failed"), "task": ON_FAILURE}, ""),
        ({"exception": "killed", "ti": ti("failed"), "task": ON_FAILURE}, ""),
        ({"exception": None, "ti": ti("failed"), "task": ON_FAILURE}, ""),
        ({"exception": ERROR, "ti": ti("failed"), "task": ALL}, ""),
        ({**KILLED, "task": ON_FAILURE}, ""),
        ({**KILLED, "task": ALL}, ""),
        ({**KILLED, "task": BOTH}, ""),
        # Called by the DAG author's own callback.
        ({"exception": ERROR, "ti": ti("failed"), "task": task(on_failure_callback=[OTHER])}, ""),
        ({**KILLED, "task": task(on_failure_callback=[OTHER])}, ""),
        ({"exception": ERROR}, ""),
        # on_retry_callback
        ({"exception": ERROR, "ti": ti("up_for_retry"), "task": ON_RETRY}, "the task is up_for_retry"),
        ({"exception": ERROR, "ti": ti("up_for_retry"), "task": BOTH}, "the task is up_for_retry"),
        ({**KILLED_RETRIED, "task": ON_RETRY}, "the task will be retried"),
        ({**KILLED_RETRIED, "task": BOTH}, "the task will be retried"),
        ({**KILLED, "task": task(on_failure_callback=[OTHER], on_retry_callback=[ME])}, "the task will be retried"),
        # Among the callbacks of a killed task, but not as on_failure_callback, of which there may be none.
        ({**KILLED, "task": ON_SUCCESS}, "it is not in the task's on_failure_callback"),
        ({**KILLED, "task": task(on_success_callback=[OTHER])}, "it is not in the task's on_failure_callback"),
        ({"exception": None}, "the task ended without an error"),
        # on_success_callback, on_skipped_callback, on_execute_callback
        ({"exception": None, "ti": ti("success"), "task": ALL}, "the task is success"),
        ({"ti": ti("success"), "task": ALL}, "the task is success"),
        ({"exception": None, "ti": ti("skipped"), "task": ALL}, "the task is skipped"),
        ({"ti": ti("running"), "task": ALL}, "the task is still running"),
        ({"ti": ti(None), "task": ALL}, "the task is still running"),
        # `airflow dags test` on 2.11, where nothing has set the task instance's start.
        ({"ti": SimpleNamespace(state=None, start_date=None), "task": ALL}, "the task is still running"),
        # Waiting for a human's approval; the operator has the notifier as on_failure_callback, too.
        ({"ti": ti(None), "task": ON_FAILURE}, "the task is still running"),
        ({"ti": ti("running"), "task": ON_FAILURE}, "the task is still running"),
        # A deadline; an SLA on Airflow 2.
        ({"dag_run": {}, "deadline": {"id": "1"}}, "a deadline or an SLA was missed"),
        ({"blocking_tis": [], "task_list": "a"}, "a deadline or an SLA was missed"),
        ({}, "the context has no task that failed"),
        # A DAG's callbacks: 3.x without, the others with a task instance, in whatever state it is.
        ({"dag": ON_FAILURE, "run_id": "r", "reason": "task_failure"}, ""),
        ({"dag": ON_FAILURE, "reason": "timed_out", "ti": ti("success"), "task": ALL}, ""),
        ({"dag": ON_FAILURE, "reason": "all_tasks_deadlocked", "ti": ti(None, started=False)}, ""),
        ({"dag": ON_FAILURE, "reason": "brand_new"}, ""),
        ({"dag": ON_FAILURE, "reason": None}, ""),
        ({"dag": ALL, "reason": "success", "ti": ti("success")}, "the DAG run succeeded"),
        ({"dag": ON_FAILURE, "reason": "success"}, "the DAG run succeeded"),
        ({"dag": task(on_success_callback=ME), "reason": "brand_new"}, "the DAG run succeeded"),
    ],
)
def test_only_a_failure_counts_as_a_failure(context: dict[str, Any], why: str) -> None:
    assert nothing_to_send(context, ME) == why


@pytest.mark.parametrize(
    ("context", "is_there"),
    [
        # The operator's delivery, also of a task with the notifier among its callbacks.
        ({"presigned_url": object(), "ti": ti(), "task": ON_FAILURE}, True),
        ({"launch_url": "https://a.example", "presigned_url": None}, True),
        ({"launch_url": "", "presigned_url": None}, False),
        ({"exception": ERROR, "ti": ti("failed"), "task": ON_FAILURE}, False),
    ],
)
def test_a_link_is_a_presigned_url_or_a_launch_url(context: dict[str, Any], is_there: bool) -> None:
    assert has_link(context) is is_there


@pytest.mark.parametrize(
    "name", ["on_success_callback", "on_execute_callback", "on_skipped_callback", "on_retry_callback"]
)
@pytest.mark.parametrize(
    "make", [lambda: NotebookUrlSlackNotifier(channel="#a"), lambda: NotebookUrlSmtpNotifier(to="a@x.org")]
)
@pytest.mark.parametrize("as_list", [True, False])
def test_another_callback_is_an_error_at_the_parse_of_the_dag_file(name: str, make: Any, as_list: bool) -> None:
    notifier = make()
    arguments: dict[str, Any] = {name: [print, notifier] if as_list else notifier}
    with pytest.raises(ValueError, match=rf"^{name}='NotebookUrl\w+': must be .* on_failure_callback only"):
        SageMakerPresignedNotebookUrlOperator(
            task_id="t", notebook_instance_name="research", notifiers=notifier, **arguments
        )
    with pytest.raises(ValueError, match=rf"^{name}="):
        SageMakerStopNotebookInstanceOperator(task_id="t", notebook_instance_name="research", **arguments)


def test_a_dags_on_success_callback_and_default_args_are_checked_too() -> None:
    notifier = NotebookUrlSlackNotifier(channel="#a")
    with (
        DAG("a", schedule=None, on_success_callback=notifier),
        pytest.raises(ValueError, match=r"^DAG\.on_success_callback="),
    ):
        SageMakerStopNotebookInstanceOperator(task_id="t", notebook_instance_name="research")
    with (
        DAG("b", schedule=None, default_args={"on_retry_callback": [notifier]}),
        pytest.raises(ValueError, match=r"^on_retry_callback="),
    ):
        SageMakerStopNotebookInstanceOperator(task_id="t", notebook_instance_name="research")


def test_failure_callbacks_and_other_peoples_callbacks_are_fine() -> None:
    notifier = NotebookUrlSlackNotifier(channel="#a")
    with DAG("c", schedule=None, on_failure_callback=notifier, on_success_callback=[print]):
        operator = SageMakerPresignedNotebookUrlOperator(
            task_id="t",
            notebook_instance_name="research",
            notifiers=notifier,
            on_failure_callback=notifier,
            on_success_callback=print,
            on_retry_callback=[print],
        )
    assert operator.notifiers == (notifier,)


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 1), reason="this Airflow has no deadlines")
def test_a_deadline_does_not_accept_a_ready_made_notifier() -> None:
    callback = import_module(f"airflow.sdk.definitions.{'callback' if AIRFLOW_VERSION >= (3, 2) else 'deadline'}")
    with pytest.raises(AttributeError, match="not awaitable"):
        callback.AsyncCallback(NotebookUrlSlackNotifier, kwargs={"channel": "#a"})


class Bash(BaseOperator):
    """Any other operator, whose callbacks are not checked at the parse of the DAG file."""


@pytest.mark.parametrize("extra", [{"exception": None}, {}])
def test_called_for_anything_else_it_sends_nothing_and_logs_why(
    caplog: pytest.LogCaptureFixture, extra: dict[str, Any]
) -> None:
    notifier = NotebookUrlSlackNotifier(channel="#a", slack_conn_id="there_is_none")
    other = Bash(task_id="other", on_success_callback=[notifier])
    notifier({"task": other, "ti": ti("success" if extra else "running"), "dag": None, **extra})
    assert "NotebookUrlSlackNotifier sent nothing: it is for links and failures only, and " in caplog.text
    assert "Use it as on_failure_callback only." in caplog.text


def test_an_sla_that_was_missed_sends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    NotebookUrlSlackNotifier(channel="#a", slack_conn_id="there_is_none")(None, "tasks", "blocking", [], [])
    assert "a deadline or an SLA was missed" in caplog.text
