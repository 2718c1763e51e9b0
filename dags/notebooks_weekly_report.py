"""
What notebooks cost, and how much of that was used: each hour a sample, each Monday a table by mail.

A sample counts each running notebook, and whether it was used within the last hour. The counts of this week and the
last one are in the Airflow Variable `sagemaker_notebook_hours`. An hour whose sample fails is not counted.

It looks at one notebook after another, which takes about a second each, and 10 to 20 for one that cannot be reached: a
sample that takes longer than an hour takes the place of the next one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from typing import Any

import pendulum
from airflow.providers.smtp.operators.smtp import EmailOperator

try:
    from airflow.sdk import DAG, Variable, task
except ImportError:  # Airflow 2
    from airflow.decorators import task  # type: ignore[attr-defined]
    from airflow.models import Variable
    from airflow.models.dag import DAG

TIMEZONE = "Europe/Berlin"
TO = "data-platform@example.com"
PRICES = {"ml.t3.medium": 0.05, "ml.g5.xlarge": 1.41}
"""What an hour costs, by instance type; without a price, the table has no cost."""
HOURS = "sagemaker_notebook_hours"
START = pendulum.datetime(2025, 1, 1, tz=TIMEZONE)

Weeks = dict[str, dict[str, dict[str, Any]]]


def week_of(moment: datetime) -> str:
    """Return the ISO week of a moment, such as ``2026-W48``."""
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02}"


def with_sample(weeks: Weeks, sample: list[dict[str, str]], now: datetime) -> Weeks:
    """Add a sample to the counts of its week; only this week and the last one are kept."""
    kept = {week: weeks.get(week, {}) for week in (week_of(now - timedelta(days=7)), week_of(now))}
    counts = {name: dict(count) for name, count in kept[week_of(now)].items()}
    for notebook in sample:
        # Apart for each instance type, since the price may have changed in between.
        key = f"{notebook['name']} ({notebook['type']})"
        nothing = {"name": notebook["name"], "type": notebook["type"], "running": 0, "in use": 0, "unknown": 0}
        count = counts.setdefault(key, nothing)
        count["running"] += 1
        if notebook["use"] != "idle":
            count[notebook["use"]] += 1
    return {**kept, week_of(now): counts}


def table(counts: dict[str, dict[str, Any]]) -> str:
    """Return the counts of a week as an HTML table, the most expensive notebook first."""
    rows: list[tuple[float | None, list[Any]]] = []
    for count in counts.values():
        price = PRICES.get(count["type"])
        cost = None if price is None else price * count["running"]
        cells = [count["name"], count["type"], count["running"], count["in use"], count["unknown"]]
        rows.append((cost, [*cells, "-" if cost is None else f"{cost:.2f}"]))
    head = ("Notebook", "Instance type", "Hours running", "Hours in use", "Hours unknown", "Cost")
    lines = [cells for _, cells in sorted(rows, key=lambda row: -(row[0] or 0))]
    total = _total([cost for cost, _ in rows])
    lines.append(["Total", "", *(sum(line[column] for line in lines) for column in (2, 3, 4)), total])
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table border=1><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>{body}</table>"


def _total(costs: list[float | None]) -> str:
    """Return the sum of the costs that are known."""
    known = [cost for cost in costs if cost is not None]
    if costs and not known:
        return "-"
    return f"{'' if len(known) == len(costs) else 'at least '}{sum(known):.2f}"


with DAG(
    dag_id="notebook_hours",
    description="Count running notebooks, and those in use",
    schedule="0 * * * *",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
):

    @task
    def sample(prev_start_date_success: datetime | None = None) -> None:
        """Ask each running notebook whether it was used within the last hour."""
        from airflow_sagemaker_presign.exceptions import WorkspaceError
        from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook

        hook = SageMakerNotebookInstanceHook()
        found = []
        for row in hook.list_notebook_instances(status="InService"):
            try:
                usage = hook.notebook_instance_usage(row["NotebookInstanceName"])
                use = "in use" if usage.in_use(timedelta(hours=1)) else "idle"
            except WorkspaceError:
                use = "unknown"
            found.append({"name": row["NotebookInstanceName"], "type": row["InstanceType"], "use": use})
        # Not by its identity, since Airflow passes a proxy of the time, or of None.
        if prev_start_date_success:
            # Without a default: where Airflow cannot read a Variable, it says that there is none.
            weeks = Variable.get(HOURS, deserialize_json=True)
        else:
            weeks = Variable.get(HOURS, {}, deserialize_json=True)
        Variable.set(HOURS, with_sample(weeks, found, pendulum.now(TIMEZONE)), serialize_json=True)

    sample()

with DAG(
    dag_id="notebooks_weekly_report",
    description="Mail last week's hours and costs of notebooks",
    schedule="0 8 * * 1",
    start_date=START,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["sagemaker", "notebook"],
):

    @task(retries=2)
    def report() -> str:
        """Return last week's table."""
        last_week = week_of(pendulum.now(TIMEZONE) - timedelta(days=7))
        return f"<p>Week {last_week}</p>{table(Variable.get(HOURS, deserialize_json=True).get(last_week, {}))}"

    html: Any = report()
    EmailOperator(task_id="send", to=TO, subject="Notebooks last week", html_content=html, conn_id="smtp_default")
