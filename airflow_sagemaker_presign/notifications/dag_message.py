"""The message that says why a whole DAG's run failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from airflow_sagemaker_presign.notifications.message import MAX_REASON_LENGTH, Fact, FailureMessage, NextStep

# https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/logging-monitoring/callbacks.html
_REASONS = {
    "task_failure": "At least one of its tasks failed.",
    "timed_out": "The run took longer than the DAG's dagrun_timeout allows, so Airflow ended it.",
    "all_tasks_deadlocked": (
        "None of the tasks that are left can run: each waits for something that will never be done."
    ),
}


def dag_failure_message(context: Mapping[str, Any]) -> FailureMessage:
    """
    Write the message about a DAG's run that failed.

    :param context: what Airflow gives a DAG's ``on_failure_callback``: ``dag``, ``run_id``, ``reason``; on some
        versions a task instance of the run, too, which need not be the one that failed.
    """
    from airflow_sagemaker_presign.minting.redaction import redact

    dag_id = str(getattr(context.get("dag"), "dag_id", "") or getattr(context.get("ti"), "dag_id", ""))
    run_id = str(context.get("run_id") or getattr(context.get("dag_run"), "run_id", "") or "")
    facts = (("DAG", dag_id), ("Run", run_id))
    return FailureMessage(
        title=redact(f"DAG {dag_id} failed" if dag_id else "A DAG failed"),
        problem=_problem(context.get("reason")),
        advice="Open the run in Airflow, fix what the log of its failed task says, then clear that task.",
        facts=tuple(Fact(label, value) for label, value in facts if value),
        next_steps=_next_steps(dag_id, run_id),
    )


def _problem(reason: object) -> str:
    from airflow_sagemaker_presign.minting.redaction import redact

    # Redacted in whole before it is cut: half a token would not be known as one.
    text = " ".join(redact(str(reason or "")).split())
    if not text:
        return "The run failed; Airflow does not say why."
    if text in _REASONS:
        return _REASONS[text]
    return f"The run failed; Airflow's reason: {text}"[:MAX_REASON_LENGTH].rstrip(".") + "."


def _next_steps(dag_id: str, run_id: str) -> tuple[NextStep, ...]:
    from airflow_sagemaker_presign.compat import IS_AIRFLOW_2, conf

    base_url = conf.get("webserver" if IS_AIRFLOW_2 else "api", "base_url", fallback="") or ""
    if not dag_id or not run_id or not base_url.startswith(("http://", "https://")):
        return ()
    dag, run = quote(dag_id, safe=""), quote(run_id, safe="")
    path = f"/dags/{dag}/grid?dag_run_id={run}" if IS_AIRFLOW_2 else f"/dags/{dag}/runs/{run}"
    return (NextStep("For its tasks, and to run them again:", "open the run in Airflow", base_url.rstrip("/") + path),)
