"""The fields of a task that failed before its templates were rendered, or before it was even created."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_sagemaker_presign.compat import is_mapped, mapped_row_of
from airflow_sagemaker_presign.validation import is_template

log = logging.getLogger(__name__)


def value_of(context: Mapping[str, Any], name: str) -> Any:
    """
    Return the value of a failed task's template field; ``None`` if it is not known.

    A field is not rendered if an earlier one could not be, or if the task's process was killed: Airflow then calls
    back with the task as it is in the DAG file. A mapped task with a bad value in its row was never created: its row is
    read again here. What a person typed is never rendered.
    """
    task = context.get("task")
    try:
        return None if task is None else _value_of(context, task, name)
    except Exception as error:
        log.warning(
            "The %s of task %s is not known, because its template cannot be rendered here: %s.",
            name,
            getattr(task, "task_id", ""),
            type(error).__name__,
        )
        return None


def _value_of(context: Mapping[str, Any], task: Any, name: str) -> Any:
    if is_mapped(task):
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
            # It has been rendered already: what looks like a template is what a person typed.
            return None
    if not is_template(written):
        return written
    rendered = source.render_template(written, {**context}, source.get_template_env(), set(not_to_render))
    return None if is_template(rendered) else rendered


def _in_the_dag_file(context: Mapping[str, Any], task: Any) -> Any:
    """Return the task as it was written: the one that runs is a copy."""
    dag = context.get("dag")
    return None if dag is None else dag.get_task(task.task_id)


def _as_written(task: Any, context: Mapping[str, Any], name: str) -> tuple[Any, set[int]]:
    """Return a field before it was rendered, and the ``id`` of each value that Airflow would not render."""
    if not is_mapped(task):
        return getattr(task, name, None), set()
    row, not_to_render = mapped_row_of(task, context)
    return {**task.partial_kwargs, **row}.get(name), not_to_render
