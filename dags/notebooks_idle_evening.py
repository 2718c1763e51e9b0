"""
Every evening, all running notebooks with a tag: idle ones are stopped after a warning, those in use are left.

The owner of a notebook (its tag `owner`, an e-mail address) is warned before the stop, and can keep it running. Of
notebooks that are in use, or of which nobody knows, each owner gets one mail. A notebook without an owner can be kept
by whoever may edit the DAG's tasks.

It looks at one notebook after another, which takes about a second each, and 10 to 20 for one that cannot be reached.
Airflow maps at most 1,024 notebooks ([core] max_map_length): above that, make one DAG for each value of a tag.
"""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import Any

import pendulum
from airflow.providers.smtp.operators.smtp import EmailOperator

from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerStopNotebookInstanceOperator

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow.decorators import task  # type: ignore[attr-defined]
    from airflow.models.dag import DAG

TAGS = {"team": "research"}
IDLE_FOR = timedelta(hours=1)
WARN_BEFORE = timedelta(minutes=15)
WITHOUT_OWNER = "data-platform@example.com"


def stops(found: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return the arguments of the stop of each notebook that is idle."""
    idle = [notebook for notebook in found if not notebook["in_use"]]
    return [
        {
            "notebook_instance_name": notebook["name"],
            "recipient": notebook["owner"],
            "allowed_users": "editors" if notebook["owner"] == WITHOUT_OWNER else [notebook["owner"]],
        }
        for notebook in idle
    ]


def mails(found: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return one mail for each owner of notebooks that are in use."""
    lines: dict[str, list[str]] = {}
    for notebook in found:
        if notebook["in_use"]:
            line = f"<li><b>{escape(notebook['name'])}</b>: {escape(notebook['in_use'])}</li>"
            lines.setdefault(notebook["owner"], []).append(line)
    return [
        {"to": owner, "html_content": f"<p>These notebooks keep running tonight:</p><ul>{''.join(items)}</ul>"}
        for owner, items in lines.items()
    ]


with DAG(
    dag_id="notebooks_idle_evening",
    description="Stop idle notebooks, report those in use to their owners",
    schedule="0 20 * * *",
    start_date=pendulum.datetime(2025, 1, 1, tz="Europe/Berlin"),
    catchup=False,
    max_active_runs=1,
    # A notebook that is used all night keeps running (its task is skipped then), and is looked at the next evening.
    dagrun_timeout=timedelta(hours=23),
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
) as dag:

    @task(retries=2)
    def look() -> list[dict[str, Any]]:
        """Ask each notebook whether it is in use."""
        from airflow_sagemaker_presign.exceptions import WorkspaceError
        from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook

        hook = SageMakerNotebookInstanceHook()
        found = []
        for row in hook.list_notebook_instances(tags=TAGS, status="InService"):
            name, owner = row["NotebookInstanceName"], row["Tags"].get("owner", "")
            try:
                usage = hook.notebook_instance_usage(name)
                recently = f"used at {usage.last_active_at:%H:%M} UTC" if usage.in_use(IDLE_FOR) else ""
                in_use = usage.running or recently
            except WorkspaceError as error:
                in_use = f"nobody knows whether it is in use: {error.problem}"
            found.append({"name": name, "owner": owner if "@" in owner else WITHOUT_OWNER, "in_use": in_use})
        return found

    found: Any = look()
    SageMakerStopNotebookInstanceOperator.partial(
        task_id="stop",
        idle_for=IDLE_FOR,
        warn_before=WARN_BEFORE,
        notifiers=[NotebookUrlSmtpNotifier(to="{{ recipient }}", timezone="Europe/Berlin")],
        deferrable=True,
        map_index_template="{{ task.notebook_instance_name }}",
    ).expand_kwargs(task(task_id="stops")(stops)(found))
    EmailOperator.partial(
        task_id="report", subject="Notebooks in use this evening", conn_id="smtp_default"
    ).expand_kwargs(task(task_id="mails")(mails)(found))
