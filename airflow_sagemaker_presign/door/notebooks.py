"""The door's way to SageMaker: one client for each account view, kept for a while, and answers kept for a moment."""

from __future__ import annotations

import threading
from typing import Any

from botocore.config import Config
from cachetools import TTLCache

from airflow_sagemaker_presign.door.rendered_task import RenderedTask
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookHook
from airflow_sagemaker_presign.presigned_url import PresignedNotebookUrl

THREADS = 20
"""How many requests may talk to SageMaker at once. They have threads of their own: when SageMaker hangs, Airflow's own
pages do not."""

HOOK_LIFE = 60
"""Seconds until a changed connection takes effect."""

ANSWER_LIFE = 2
"""Seconds for which all who follow the same start share one Describe."""

# A person waits: rather say soon that SageMaker does not answer. The connection's own settings come first.
_IMPATIENT = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=THREADS,
)


class Notebooks:
    """Describes, starts and mints with the connections that the tasks rendered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooks: TTLCache[Any, SageMakerNotebookHook] = TTLCache(maxsize=64, ttl=HOOK_LIFE)
        self._answers: TTLCache[Any, dict[str, Any]] = TTLCache(maxsize=1024, ttl=ANSWER_LIFE)

    def describe(self, task: RenderedTask, *, afresh: bool = False) -> dict[str, Any]:
        """
        Answer what AWS says of the task's notebook instance.

        :param task: which.
        :param afresh: not what AWS said a moment ago.
        """
        key = _notebook(task)
        with self._lock:
            known = None if afresh else self._answers.get(key)
        if known is None:
            known = self.hook(task).describe_notebook_instance(task.notebook_instance_name)
            with self._lock:
                self._answers[key] = known
        return known

    def start(self, task: RenderedTask) -> None:
        """Start the task's notebook instance; from now on nobody is told how it was before."""
        self.hook(task).start_notebook_instance(task.notebook_instance_name)
        with self._lock:
            self._answers.pop(_notebook(task), None)

    def mint(self, task: RenderedTask) -> PresignedNotebookUrl:
        """Mint as the task would have."""
        return self.hook(task).create_presigned_url(
            task.notebook_instance_name, task.session_expiration_duration, task.landing
        )

    def hook(self, task: RenderedTask) -> SageMakerNotebookHook:
        """Answer the hook of the task's connection."""
        key = _account_view(task)
        with self._lock:
            hook = self._hooks.get(key)
        if hook is None:
            hook = _hook(*key)
            with self._lock:
                hook = self._hooks.setdefault(key, hook)
        return hook


def _account_view(task: RenderedTask) -> tuple[str | None, str | None, bool | str | None]:
    return task.aws_conn_id, task.region_name, task.verify


def _notebook(task: RenderedTask) -> tuple[Any, ...]:
    return *_account_view(task), task.notebook_instance_name


def _hook(aws_conn_id: str | None, region_name: str | None, verify: bool | str | None) -> SageMakerNotebookHook:
    theirs = SageMakerNotebookHook(aws_conn_id, region_name=region_name, verify=verify).conn_config.botocore_config
    config = _IMPATIENT.merge(theirs) if theirs else _IMPATIENT
    return SageMakerNotebookHook(aws_conn_id, region_name=region_name, verify=verify, config=config)
