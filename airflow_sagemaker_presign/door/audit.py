"""Each mint and start through the door is a row of Airflow's audit log, before it happens: no row, no URL."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from airflow_sagemaker_presign.door.rendered_task import RenderedTask
from airflow_sagemaker_presign.door.visitor import Visitor

OPEN = "open_sagemaker_notebook_instance"
START = "start_sagemaker_notebook_instance"
REFUSED = "{}_refused"
"""A second row, when SageMaker refused what the first one announced."""

MINTS = 6
"""How many URLs a person gets for a task instance ..."""
PER = timedelta(minutes=1)
"""... in this time."""


def record(event: str, task: RenderedTask, visitor: Visitor, session: Any, **more: str) -> None:
    """
    Write a row of the audit log, for good.

    https://airflow.apache.org/docs/apache-airflow/stable/security/audit_logs.html

    :param event: what is about to happen.
    :param task: the task instance whose notebook it is about.
    :param visitor: who does it.
    :param session: of Airflow's database.
    :param more: more to say.
    """
    from airflow.models.log import Log

    extra = {
        "notebook_instance_name": task.notebook_instance_name,
        "aws_conn_id": task.aws_conn_id,
        "region_name": task.region_name,
        "address": visitor.address,
        **more,
    }
    session.add(
        Log(
            event=event,
            owner=visitor.name,
            owner_display_name=visitor.name,
            extra=json.dumps(extra),
            dag_id=task.key.dag_id,
            run_id=task.key.run_id,
            task_id=task.key.task_id,
            map_index=task.key.map_index,
            try_number=task.try_number,
        )
    )
    session.commit()


def seconds_to_wait(task: RenderedTask, visitor: Visitor, now: datetime, session: Any) -> int:
    """
    Say for how many seconds a person has to wait for the next URL of a task instance; mostly 0.

    The audit log is the memory of it, so that it holds for all api-servers together.
    """
    from airflow.models.log import Log

    mints = session.scalars(
        select(Log.dttm)
        .where(
            Log.dag_id == task.key.dag_id,
            Log.task_id == task.key.task_id,
            Log.run_id == task.key.run_id,
            Log.map_index == task.key.map_index,
            Log.event == OPEN,
            Log.owner == visitor.name,
            Log.dttm > now - PER,
        )
        .order_by(Log.dttm.desc())
        .limit(MINTS)
    ).all()
    if len(mints) < MINTS:
        return 0
    oldest: datetime = mints[-1]
    return max(1, math.ceil((oldest + PER - now).total_seconds()))
