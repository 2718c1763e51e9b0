"""Notifications of failures: of a task that was never created or rendered, and of a whole DAG run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import DAG
from airflow_sagemaker_presign.delivery.send_errors import SendFailed
from airflow_sagemaker_presign.notifications.base import NotebookUrlNotifier
from airflow_sagemaker_presign.notifications.failed_task import value_of
from airflow_sagemaker_presign.notifications.failure_message import FailureMessage, failure_message
from airflow_sagemaker_presign.notifications.link_message import LinkMessage
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator


class Recorder(NotebookUrlNotifier):
    """Records what it would have sent."""

    template_fields = (*NotebookUrlNotifier.template_fields, "to")
    recipient_fields = ("to",)

    def __init__(self, sent: list[tuple[Any, FailureMessage]], to: str = "{{ recipient }}") -> None:
        super().__init__()
        self.to, self.sent = to, sent

    def send_link(self, message: LinkMessage) -> None:
        raise AssertionError

    def send_failure(self, message: FailureMessage) -> None:
        self.check_recipient()
        self.sent.append((self.to, message))

    def check_recipient(self) -> None:
        if self.to in (None, "None"):
            raise ValueError(f"to={self.to!r}: must be known.")

    def load_provider(self) -> None:
        pass


def ti(**fields: Any) -> Any:
    return SimpleNamespace(**{"dag_id": "team", "task_id": "link", "run_id": "r", "map_index": -1, **fields})


def mapped(rows: Any, **partial: Any) -> tuple[Any, dict[str, Any]]:
    """A mapped task, and the context of its second row's callback."""
    with DAG("team", schedule=None) as dag:
        task = SageMakerPresignedNotebookUrlOperator.partial(
            task_id="link", notifiers=[NotebookUrlSlackNotifier(channel="#a")], **partial
        ).expand_kwargs(rows)
    context = {
        "task": task,
        "ti": ti(map_index=1, state="failed"),
        "dag": dag,
        "run_id": "r",
        "params": {"boss": "boss@example.com"},
        "exception": ValueError("landing='labs': must be 'lab'"),
    }
    return task, context


ROWS = [
    {"notebook_instance_name": "research-ada", "recipient": "ada@example.com", "landing": "lab"},
    {"notebook_instance_name": "research-bob", "recipient": "bob@example.com", "landing": "labs"},
]


def test_a_bad_mapped_row_notifies_the_recipient_in_the_row() -> None:
    task, context = mapped(ROWS)
    with pytest.raises(ValueError, match="landing='labs'"):
        task.render_template_fields({**context})
    sent: list[Any] = []
    Recorder(sent)(context)
    ((to, message),) = sent
    assert to == "bob@example.com"
    assert message.title == "No link to notebook research-bob"
    assert "landing='labs'" in message.problem


def test_a_template_that_all_rows_share_is_rendered_for_the_row_that_is_bad() -> None:
    rows = [{"notebook_instance_name": "a"}, {"notebook_instance_name": "b", "landing": "labs"}]
    sent: list[Any] = []
    Recorder(sent)(mapped(rows, recipient="{{ params.boss }}")[1])
    assert sent[0][0] == "boss@example.com"


def test_user_input_in_a_row_is_not_rendered() -> None:
    _, context = mapped(ROWS)
    row = {"notebook_instance_name": "b", "recipient": "{{ 7 * 7 }}", "landing": "labs"}
    context["task"] = SimpleNamespace(
        task_id="link",
        partial_kwargs={},
        _expand_mapped_kwargs=lambda context: (row, {id(value) for value in row.values()}),
        render_template=lambda value, context, environment, seen: value if id(value) in seen else "49",
        get_template_env=lambda: None,
    )
    assert value_of(context, "recipient") is None
    assert value_of(context, "notebook_instance_name") == "b"


def single(**arguments: Any) -> tuple[Any, dict[str, Any]]:
    """A task as the DAG file has it, and the context of its callback."""
    with DAG("team", schedule=None) as dag:
        task = SageMakerPresignedNotebookUrlOperator(
            task_id="link",
            notifiers=[NotebookUrlSlackNotifier(channel="#a")],
            on_failure_callback=[print],
            **{"notebook_instance_name": "research", **arguments},
        )
    return task, {
        "task": task,
        "ti": ti(),
        "dag": dag,
        "run_id": "r",
        "params": {"who": "ada@example.com", "evil": "{{ 7 * 7 }}"},
    }


def test_a_task_killed_before_it_was_rendered_notifies_its_rendered_recipient() -> None:
    sent: list[Any] = []
    Recorder(sent)(single(recipient="{{ params.who }}", notebook_instance_name="n-{{ params.who[:3] }}")[1])
    ((to, message),) = sent
    assert to == "ada@example.com"
    assert message.title == "No link to notebook n-ada"


def test_another_field_that_cannot_be_rendered_does_not_hide_the_recipient() -> None:
    task, context = single(recipient="{{ params.who }}", notebook_instance_name="{{ params.nothing.at_all }}")
    running = task.prepare_for_execution()
    with pytest.raises(Exception, match="nothing"):
        running.render_template_fields(context)
    sent: list[Any] = []
    Recorder(sent)({**context, "task": running, "ti": ti(state="failed"), "exception": ValueError("no")})
    ((to, message),) = sent
    assert to == "ada@example.com"
    assert message.title == "No notebook link"


def test_user_input_in_params_is_rendered_once() -> None:
    task, context = single(recipient="{{ params.evil }}")
    running = task.prepare_for_execution()
    running.render_template_fields(context)
    assert running.recipient == "{{ 7 * 7 }}"
    assert value_of({**context, "task": running}, "recipient") is None
    assert value_of(context, "recipient") is None


def test_a_name_of_digits_is_shown_unchanged() -> None:
    context = {
        "task": SimpleNamespace(task_id="t", notebook_instance_name=2026, recipient=0, session_expiration_duration=1800)
    }
    assert value_of(context, "recipient") == 0
    sent: list[Any] = []
    Recorder(sent)({**context, "exception": ValueError("no"), "dag": None})
    ((to, message),) = sent
    assert (to, message.title) == ("0", "No link to notebook 2026")


def test_an_unknown_recipient_is_an_error_that_says_what_to_do() -> None:
    _, context = single(recipient="{{ params.nothing.at_all }}")
    with pytest.raises(SendFailed) as raised:
        Recorder([])(context)
    assert str(raised.value).startswith(
        "Nobody was notified of “No link to notebook research”: to='None': must be known. "
    )
    assert "Give the notifier in on_failure_callback a fixed recipient" in str(raised.value)


def test_a_recipient_field_that_cannot_be_rendered_is_named() -> None:
    _, context = single()
    with pytest.raises(SendFailed, match=r"to='\{\{ nothing\.at_all \}\}' cannot be rendered \(UndefinedError\)"):
        Recorder([], to="{{ nothing.at_all }}")(context)


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("task_failure", "At least one of its tasks failed."),
        ("timed_out", "The run took longer than the DAG's dagrun_timeout allows, so Airflow ended it."),
        ("all_tasks_deadlocked", "None of the remaining tasks can run"),
        ("brand_new_reason", "The run failed; Airflow's reason: brand_new_reason."),
        ("x" * 500, "The run failed; Airflow's reason: xxx"),
        (None, "The run failed; Airflow gives no reason."),
    ],
)
def test_a_dags_failure_names_dag_run_and_reason(reason: Any, problem: str) -> None:
    sent: list[Any] = []
    dag = DAG("mornings", schedule=None)
    Recorder(sent, to="ops@example.com")({"dag": dag, "run_id": "manual__1", "reason": reason})
    ((to, message),) = sent
    assert to == "ops@example.com"
    assert message.title == message.subject == "DAG mornings failed"
    assert message.problem.startswith(problem)
    assert len(message.problem) <= 301
    assert dict(message.facts) == {"DAG": "mornings", "Run": "manual__1"}


@pytest.mark.parametrize("to", ["ops@example.com", "{{ reason }}@example.com", "{{ params.who }}"])
def test_a_dag_from_the_database_is_enough_for_a_dags_failure(to: str) -> None:
    """``airflow dags test`` passes one to the callback; it does not have its own Jinja environment."""
    sent: list[Any] = []
    context = {"dag": SimpleNamespace(dag_id="mornings"), "run_id": "r", "reason": "timed_out", "params": {"who": "x"}}
    Recorder(sent, to=to)(context)
    assert sent[0][0] == {"{{ reason }}@example.com": "timed_out@example.com", "{{ params.who }}": "x"}.get(to, to)


def test_a_dags_failure_does_not_blame_the_task_that_airflow_happens_to_name() -> None:
    _, context = single(recipient="{{ params.who }}")
    sent: list[Any] = []
    Recorder(sent)({**context, "reason": "timed_out"})
    ((to, message),) = sent
    assert to == "ada@example.com"
    assert message.title == "DAG team failed"
    assert "link" not in repr(message.facts)


def test_a_dags_failure_without_a_recipient_is_an_error_that_says_so() -> None:
    with pytest.raises(SendFailed, match=r"Nobody was notified of “DAG mornings failed”: .* a whole DAG run fails"):
        Recorder([])({"dag": DAG("mornings", schedule=None), "run_id": "r", "reason": "task_failure"})


def test_a_dags_message_links_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for section in ("API", "WEBSERVER"):
        monkeypatch.setenv(f"AIRFLOW__{section}__BASE_URL", "https://airflow.example.com/")
    context = {"dag": SimpleNamespace(dag_id="a b"), "run_id": "manual__2026-01-01T00:00:00+00:00", "reason": ""}
    (step,) = failure_message(context).next_steps
    assert step.url.startswith("https://airflow.example.com/dags/a%20b/")
    assert step.url.endswith("manual__2026-01-01T00%3A00%3A00%2B00%3A00")


def test_a_dags_reason_shows_no_token() -> None:
    message = failure_message({"reason": "https://x.example?authToken=secret-a.b"})
    assert "secret" not in repr(message)
    # The name of a token may be on the other side of the cut from the token.
    for length in range(230, 260):
        message = failure_message({"reason": "x" * length + "&authToken=secret-a.b"})
        assert "sec" not in repr(message)
    assert message.title == "A DAG failed"
