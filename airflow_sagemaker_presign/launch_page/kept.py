"""When somebody last kept a notebook running: an XCom of the task instance that watches it, which the task reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select

from airflow_sagemaker_presign.launch_page.rendered_task import TaskKey
from airflow_sagemaker_presign.usage.stop_warning import KEEP_KEY


def read(key: TaskKey, session: Any) -> datetime | None:
    """Return the time (aware); ``None`` if there is none, or whoever may write XComs wrote something else."""
    from airflow.models.xcom import XComModel

    value = session.scalar(select(XComModel.value).where(*key.matches(XComModel), XComModel.key == KEEP_KEY))
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def write(key: TaskKey, now: datetime, session: Any) -> None:
    """
    Write and commit the time; a second one replaces the first.

    As the execution API writes a worker's XComs: ``XComModel.set`` would encode the text as JSON once more, which it
    cannot be told not to before Airflow 3.2, and the worker would pull a text with quotes.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.xcom import XComModel

    of_run = DagRun.dag_id == key.dag_id, DagRun.run_id == key.run_id
    dag_run_id = session.scalars(select(DagRun.id).where(*of_run)).one()
    session.execute(delete(XComModel).where(*key.matches(XComModel), XComModel.key == KEEP_KEY))
    value = now.astimezone(UTC).isoformat()
    session.add(XComModel(**vars(key), dag_run_id=dag_run_id, key=KEEP_KEY, value=value))
    session.commit()
