"""
Differences between Airflow versions: import locations and features. Only this module checks Airflow's version.

Each name is looked up when it is first used, in the newest module first. ``tests/unit/test_compat.py`` looks up all of
them, on every version.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow import __version__
from packaging.version import Version

if TYPE_CHECKING:
    from airflow.sdk import (
        DAG as DAG,
        BaseHook as BaseHook,
        BaseNotifier as BaseNotifier,
        BaseOperator as BaseOperator,
        BaseOperatorLink as BaseOperatorLink,
        Connection as Connection,
        Context as Context,
        TaskGroup as TaskGroup,
    )
    from airflow.sdk.configuration import conf as conf
    from airflow.sdk.exceptions import (
        AirflowException as AirflowException,
        AirflowNotFoundException as AirflowNotFoundException,
        AirflowSkipException as AirflowSkipException,
        TaskDeferred as TaskDeferred,
    )
    from airflow.sdk.execution_time.xcom import XCom as XCom
    from airflow.sdk.log import mask_secret as mask_secret
    from airflow.sdk.plugins_manager import AirflowPlugin as AirflowPlugin
    from airflow.sdk.types import TaskInstanceKey as TaskInstanceKey

AIRFLOW_VERSION = Version(__version__).release
"""Airflow's version, for example ``(3, 1, 8)``."""

IS_AIRFLOW_2 = AIRFLOW_VERSION < (3,)

HAS_LAUNCH_PAGE = AIRFLOW_VERSION >= (3, 1, 1)
"""
Whether Airflow can require its own login for a plugin's page. Before 3.1 this is not possible; 3.1.0 does not accept
the cookie of a browser.
"""

_EXCEPTIONS = ("airflow.sdk.exceptions", "airflow.exceptions")
_MODULES = {
    "AirflowException": _EXCEPTIONS,
    "AirflowNotFoundException": _EXCEPTIONS,
    "AirflowPlugin": ("airflow.sdk.plugins_manager", "airflow.plugins_manager"),
    "AirflowSkipException": _EXCEPTIONS,
    "BaseHook": ("airflow.sdk", "airflow.hooks.base"),
    "BaseNotifier": ("airflow.sdk", "airflow.sdk.bases.notifier", "airflow.notifications.basenotifier"),
    "BaseOperator": ("airflow.sdk", "airflow.models.baseoperator"),
    "BaseOperatorLink": ("airflow.sdk", "airflow.models.baseoperatorlink"),
    "Connection": ("airflow.sdk", "airflow.models.connection"),
    "Context": ("airflow.sdk", "airflow.utils.context"),
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "Stats": ("airflow.sdk.observability.stats", "airflow.observability.stats", "airflow.stats"),
    "TaskDeferred": _EXCEPTIONS,
    "TaskGroup": ("airflow.sdk", "airflow.utils.task_group"),
    "TaskInstanceKey": ("airflow.sdk.types", "airflow.models.taskinstancekey"),
    "XCom": ("airflow.sdk.execution_time.xcom", "airflow.models.xcom"),
    "conf": ("airflow.sdk.configuration", "airflow.configuration"),
    "mask_secret": ("airflow.sdk.log", "airflow.sdk.execution_time.secrets_masker", "airflow.utils.log.secrets_masker"),
}


def is_created_from_mapped(task: Any) -> bool:
    """
    Return whether Airflow created a task from a mapped one, which it does when a mapped task instance runs.

    Airflow has no public name for this. It sets the attribute before it calls the task's ``__init__``.

    :param task: the task, complete or still in its ``__init__``.
    """
    return bool(getattr(task, "_BaseOperator__from_mapped", False))


def is_async_only(notifier: Any) -> bool:
    """
    Return whether a notifier implements ``async_notify``, which Airflow 3.1 added, but not ``notify``.

    :param notifier: an instance of a subclass of ``BaseNotifier``.
    """
    base, kind = __getattr__("BaseNotifier"), type(notifier)
    return kind.notify is base.notify and getattr(kind, "async_notify", None) is not getattr(base, "async_notify", None)


def is_mapped(task: Any) -> bool:
    """
    Return whether a task is a mapped one, from which Airflow creates a task for each map index.

    :param task: a task of a DAG.
    """
    return hasattr(task, "_expand_mapped_kwargs") and hasattr(task, "partial_kwargs")


def mapped_row_of(task: Any, context: Mapping[str, Any]) -> tuple[Mapping[str, Any], set[int]]:
    """
    Return the row of a mapped task that a context belongs to, as written, and the ``id`` of each value not to render.

    Airflow has no public name for this. Airflow 2 reads other tasks' output from the database, so its method has one
    more parameter: the session.

    :param task: the mapped task.
    :param context: the context of the row's task instance.
    """
    if "session" not in inspect.signature(task._expand_mapped_kwargs).parameters:
        row, ids = task._expand_mapped_kwargs(context)
        return row, ids
    from airflow.utils.session import create_session

    with create_session() as session:
        row, ids = task._expand_mapped_kwargs(context, session, include_xcom=True)
        return row, ids


def __getattr__(name: str) -> Any:
    for place in _MODULES.get(name, ()):
        try:
            found = getattr(import_module(place), name)
        except (ImportError, AttributeError):
            continue
        globals()[name] = found
        return found
    if name in _MODULES:
        raise ImportError(f"Airflow {__version__} does not have {name} in any of {', '.join(_MODULES[name])}.")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
