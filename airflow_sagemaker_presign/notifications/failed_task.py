"""What can be known of a task that failed before its template fields were rendered, or before it was even made."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping
from typing import Any

from airflow_sagemaker_presign.validation import is_template

log = logging.getLogger(__name__)


def value_of(context: Mapping[str, Any], name: str) -> Any:
    """
    Find the value of a failed task's template field.

    A field is not rendered when an earlier one could not be, or when the task's process was killed: Airflow then calls
    back with the task as the DAG file has it. A mapped task whose row has a bad value was never made: its row is read
    again here. What a person typed is never rendered.

    :param context: what Airflow gives a callback.
    :param name: the field.
    :return: its value; ``None`` where it cannot be known.
    """
    task = context.get("task")
    try:
        return None if task is None else _value_of(context, task, name)
    except Exception as error:
        log.warning(
            "The %s of task %s is not known: %s. %s",
            name,
            getattr(task, "task_id", ""),
            type(error).__name__,
            "Its template cannot be rendered here.",
        )
        return None


def _value_of(context: Mapping[str, Any], task: Any, name: str) -> Any:
    if _is_mapped(task):
        written, not_to_render = _as_written(task, context, name)
        source = task
    else:
        value = getattr(task, name, None)
        if not is_template(value):
            return value
        source = _in_the_dag_file(context, task)
        if source is None:
            return None
        written, not_to_render = _as_written(source, context, name)
        if value != written:
            # It has been rendered, to what a person typed.
            return None
    if not is_template(written):
        return written
    rendered = source.render_template(written, {**context}, source.get_template_env(), set(not_to_render))
    return None if is_template(rendered) else rendered


def _in_the_dag_file(context: Mapping[str, Any], task: Any) -> Any:
    """Find the task as it was written: what runs is a copy of it."""
    dag = context.get("dag")
    return None if dag is None else dag.get_task(task.task_id)


def _is_mapped(task: Any) -> bool:
    return hasattr(task, "_expand_mapped_kwargs") and hasattr(task, "partial_kwargs")


def _as_written(task: Any, context: Mapping[str, Any], name: str) -> tuple[Any, set[int]]:
    """Read a parameter before it was rendered, and which values (by ``id``) Airflow would not render."""
    if not _is_mapped(task):
        return getattr(task, name, None), set()
    row, not_to_render = _row_of(task, context)
    return {**task.partial_kwargs, **row}.get(name), not_to_render


def _row_of(task: Any, context: Mapping[str, Any]) -> tuple[Mapping[str, Any], set[int]]:
    """Read the row of a mapped task again; the method's signature is another on Airflow 2."""
    if "session" not in inspect.signature(task._expand_mapped_kwargs).parameters:
        row, ids = task._expand_mapped_kwargs(context)
        return row, ids
    from airflow.utils.session import create_session

    with create_session() as session:
        row, ids = task._expand_mapped_kwargs(context, session, include_xcom=True)
        return row, ids
