"""The latest version of a task's DAG: whether the task still exists, and which users may open its notebook."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from airflow_sagemaker_presign import validation
from airflow_sagemaker_presign.launch_page.http_errors import gone
from airflow_sagemaker_presign.launch_page.lru_dict import LruDict
from airflow_sagemaker_presign.validation import EDITORS

AllowedUsers = tuple[str, ...] | None
"""Exactly these users; ``None``: all who may edit the task."""

_DAGS = 256
_ASK_THE_AUTHOR = "Ask the author of the DAG for a new link."

_Rules = dict[str, tuple[AllowedUsers, ...]]

# For each DAG: the identity of its latest version, and each task's rules, so that not every request reads the DAG.
_known: LruDict[str, tuple[object, _Rules]] = LruDict(_DAGS)
_lock = threading.Lock()


def allowed_now(dag_id: str, task_id: str, session: Any) -> tuple[AllowedUsers, ...]:
    """
    Return the users whom the latest version of a DAG allows to open a task's notebook.

    :return: the rule; empty where only a run can determine it, since templates or other tasks name the users.
    :raises HttpError: 410 when the DAG or its task no longer exists.
    """
    from airflow.models.dag import DagModel
    from airflow.models.serialized_dag import SerializedDagModel

    is_stale = session.scalar(select(DagModel.is_stale).where(DagModel.dag_id == dag_id))
    latest = session.execute(
        select(SerializedDagModel.id, SerializedDagModel.dag_hash)
        .where(SerializedDagModel.dag_id == dag_id)
        .order_by(SerializedDagModel.created_at.desc(), SerializedDagModel.id.desc())
        .limit(1)
    ).one_or_none()
    if is_stale is not False or latest is None:
        raise gone("Airflow no longer has the DAG of this link, or cannot read its file just now.", _ASK_THE_AUTHOR)
    with _lock:
        found, tasks = _known.get(dag_id) or (None, {})
    if found != tuple(latest):
        serialized = session.get(SerializedDagModel, latest.id)
        tasks = {} if serialized is None else tasks_of(serialized.data)
        with _lock:
            _known[dag_id] = (tuple(latest), tasks)
    if task_id not in tasks:
        raise gone("Airflow no longer has the task of this link, in the latest version of its DAG.", _ASK_THE_AUTHOR)
    return tasks[task_id]


def tasks_of(serialized_dag: Mapping[str, Any]) -> _Rules:
    """
    Return each task's rule from a serialized DAG; empty for a task whose users are a template.

    https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/dag-serialization.html
    """
    dag = serialized_dag["dag"]
    tasks = (task["__var"] for task in dag["tasks"])
    return {task["task_id"]: _rule_of(task, dag) for task in tasks}


def _rule_of(task: Mapping[str, Any], dag: Mapping[str, Any]) -> tuple[AllowedUsers, ...]:
    if "allowed_users" not in task.get("template_fields", ()):
        return ()
    if task.get("_is_mapped"):
        # An argument that the task is mapped over differs between its instances.
        named_for_all = task.get("partial_kwargs", {})
        if "allowed_users" not in named_for_all:
            is_in_group = task["task_id"] not in dag.get("task_group", {}).get("children", ())
            # Airflow stores the DAG's default_args, not a group's, and applies them to a mapped task at run time only.
            if is_in_group or _may_be_mapped_over(task.get("expand_input", {})):
                return ()
            named_for_all = _decoded(dag.get("default_args")) or {}
        task = named_for_all
    # Missing or None: an earlier release wrote "editors" like that.
    users = _decoded(task.get("allowed_users"))
    if users is None or users == EDITORS:
        return (None,)
    if isinstance(users, list) and all(isinstance(user, str) and not validation.is_template(user) for user in users):
        return (tuple(users),)
    return ()


def _decoded(value: Any) -> Any:
    """Return a value without the wrapper that Airflow's serialization adds to tuples and dicts."""
    return value["__var"] if isinstance(value, Mapping) and "__var" in value else value


def _may_be_mapped_over(expand_input: Mapping[str, Any]) -> bool:
    names = _decoded(expand_input.get("value"))
    return expand_input.get("type") != "dict-of-lists" or not isinstance(names, Mapping) or "allowed_users" in names
