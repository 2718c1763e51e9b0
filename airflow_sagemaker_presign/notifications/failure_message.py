"""The message about a failure, independent of the medium: why there is no link, or why a task or DAG run failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_sagemaker_presign.compat import IS_AIRFLOW_2, conf
from airflow_sagemaker_presign.delivery.send_errors import error_text
from airflow_sagemaker_presign.exceptions import SageMakerPresignError
from airflow_sagemaker_presign.minting.redaction import redact
from airflow_sagemaker_presign.notifications.failed_task import value_of
from airflow_sagemaker_presign.notifications.message_parts import (
    Fact,
    NextStep,
    facts_of,
    steps_of,
    task_page_url,
)
from airflow_sagemaker_presign.validation import is_template
from airflow_sagemaker_presign.wording import sentence_case
from airflow_sagemaker_presign.workspaces.base import Workspace
from airflow_sagemaker_presign.workspaces.kinds import kinds

MAX_REASON_LENGTH = 300

# https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/callbacks.html
_DAG_FAILURE_REASONS = {
    "task_failure": "At least one of its tasks failed.",
    "timed_out": "The run took longer than the DAG's dagrun_timeout allows, so Airflow ended it.",
    "all_tasks_deadlocked": "None of the remaining tasks can run, because their dependencies can no longer be met.",
}


@dataclass(frozen=True)
class FailureMessage:
    """The message that something failed, why, and what the reader can do about it."""

    title: str
    problem: str
    advice: str
    facts: tuple[Fact, ...]
    next_steps: tuple[NextStep, ...]

    @property
    def subject(self) -> str:
        """The title, for subject lines."""
        return self.title


def failure_message(context: Mapping[str, Any]) -> FailureMessage:
    """
    Write the message about the task or the DAG run that failed.

    :param context: what Airflow passes to an ``on_failure_callback``. For a DAG that is ``dag``, ``run_id``,
        ``reason`` and on some versions a task instance of the run, which need not be the one that failed.
    """
    return _dag_failure_message(context) if "reason" in context else _task_failure_message(context)


def _task_failure_message(context: Mapping[str, Any]) -> FailureMessage:
    error = context.get("exception")
    task_id = str(getattr(context.get("ti"), "task_id", "") or getattr(context.get("task"), "task_id", ""))
    dag_id = str(getattr(context.get("ti"), "dag_id", ""))
    name, noun = _failed_workspace(context)
    return FailureMessage(
        title=redact(_task_failure_title(context, name, task_id)),
        problem=redact(_task_failure_problem(error)),
        advice=redact(
            _text_of(error, "advice")
            or "Read the end of the task's log, fix the problem that it shows, then clear the task."
        ),
        facts=facts_of(
            (sentence_case(noun), name),
            ("Task", ".".join(filter(None, (dag_id, task_id)))),
            ("Run", str(context.get("run_id") or "")),
        ),
        next_steps=steps_of(("For its log, and to run it again:", "open the task in Airflow", task_page_url(context))),
    )


def _task_failure_title(context: Mapping[str, Any], name: str, task_id: str) -> str:
    sends_link = _sends_link(context.get("task"))
    if sends_link and bool(getattr(context.get("exception"), "delivered", ())):
        return f"Not everybody got the link to notebook {name}"
    if sends_link:
        return f"No link to notebook {name}" if name else "No notebook link"
    which = f"task {task_id}" if task_id else "a task"
    return f"Notebook {name}: {which} failed" if name else f"{sentence_case(which)} failed"


def _sends_link(task: object) -> bool:
    """Return whether a task sends a link: only then it has a session. One that warns of a stop has a recipient, too."""
    field = "session_expiration_duration"
    # A mapped task with a bad value in its row was never created, so only the names of its fields are known.
    names: tuple[str, ...] = getattr(task, "template_fields", ())
    return hasattr(task, field) or field in names


def _failed_workspace(context: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and noun of the failed task's workspace; the name is empty if it is not known."""
    error = context.get("exception")
    if isinstance(error, SageMakerPresignError) and (name := _text_of(error, "name")):
        return name, _text_of(error, "noun")
    for kind in kinds():
        values = {field: value_of(context, field) for field in kind.identifiers()}
        # A name of digits becomes a number when it is rendered as a native object.
        if all(isinstance(value, (str, int)) and not is_template(str(value)) for value in values.values()):
            return _name_of(kind, values), kind.noun
    return "", "notebook instance"


def _name_of(kind: type[Workspace], values: Mapping[str, Any]) -> str:
    try:
        return str(kind.from_fields(values).name)
    except (TypeError, ValueError):
        # AWS would refuse an identifier, which may be why the task failed: show what was written.
        return "/".join(map(str, values.values()))


def _task_failure_problem(error: object) -> str:
    if problem := _text_of(error, "problem"):
        return problem
    if error is None:
        return "The task ended without an error message; its process may have been killed."
    # Redact first, then cut: the redaction does not recognise half a token.
    reason = redact(error_text(error)).strip().partition("\n")[0].strip()
    if len(reason) > MAX_REASON_LENGTH:
        reason = reason[: MAX_REASON_LENGTH - 1] + "…"
    if isinstance(error, str):
        return reason or "The task failed."
    return f"{type(error).__name__}: {reason}" if reason else f"{type(error).__name__}."


def _text_of(owner: object, attribute: str) -> str:
    value = getattr(owner, attribute, None)
    return value if isinstance(value, str) else ""


def _dag_failure_message(context: Mapping[str, Any]) -> FailureMessage:
    dag_id = str(getattr(context.get("dag"), "dag_id", "") or getattr(context.get("ti"), "dag_id", ""))
    run_id = str(context.get("run_id") or getattr(context.get("dag_run"), "run_id", "") or "")
    return FailureMessage(
        title=redact(f"DAG {dag_id} failed" if dag_id else "A DAG failed"),
        problem=_dag_failure_problem(context.get("reason")),
        advice="Open the run in Airflow, fix the problem in the log of its failed task, then clear that task.",
        facts=facts_of(("DAG", dag_id), ("Run", run_id)),
        next_steps=steps_of(
            ("For its tasks, and to run them again:", "open the run in Airflow", _run_page_url(dag_id, run_id))
        ),
    )


def _dag_failure_problem(reason: object) -> str:
    # Redact first, then cut: the redaction does not recognise half a token.
    text = " ".join(redact(str(reason or "")).split())
    if not text:
        return "The run failed; Airflow gives no reason."
    if text in _DAG_FAILURE_REASONS:
        return _DAG_FAILURE_REASONS[text]
    return f"The run failed; Airflow's reason: {text}"[:MAX_REASON_LENGTH].rstrip(".") + "."


def _run_page_url(dag_id: str, run_id: str) -> str | None:
    base_url = conf.get("webserver" if IS_AIRFLOW_2 else "api", "base_url", fallback="") or ""
    if not dag_id or not run_id or not base_url.startswith(("http://", "https://")):
        return None
    dag, run = quote(dag_id, safe=""), quote(run_id, safe="")
    path = f"/dags/{dag}/grid?dag_run_id={run}" if IS_AIRFLOW_2 else f"/dags/{dag}/runs/{run}"
    return base_url.rstrip("/") + path
