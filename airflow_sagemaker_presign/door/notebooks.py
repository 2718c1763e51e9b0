"""The door's way to SageMaker: one client for each account view, and answers that are kept for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from botocore.config import Config
from cachetools import LRUCache, TTLCache

from airflow_sagemaker_presign.door.rendered_task import RenderedTask
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookHook
from airflow_sagemaker_presign.presigned_url import PresignedNotebookUrl

THREADS = 20
"""How many requests may talk to SageMaker at once. They have threads of their own: when SageMaker hangs, Airflow's own
pages do not."""

CONNECTION_LIFE = 60
"""Seconds until a changed connection takes effect. One that has not changed keeps its client: a new one each minute
costs a tenth of a second of CPU, and more memory than all that the door does with it."""

ANSWER_LIFE = 2
"""Seconds for which all who follow the same start share one Describe."""

# A person waits: rather say soon that SageMaker does not answer. The connection's own settings come first.
_IMPATIENT = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=THREADS,
)


@dataclass(frozen=True)
class _Access:
    """A hook, the connection that it was made from, and when that was looked up last."""

    hook: SageMakerNotebookHook
    connection: object
    looked_up_at: float


class Notebooks:
    """
    Describes, starts and mints with the connections that the tasks rendered.

    :param monotonic: counts seconds; for tests.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._accesses: LRUCache[Any, _Access] = LRUCache(maxsize=64)
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
        key, now = _account_view(task), self._monotonic()
        if (known := self._known(key)) is not None and now - known.looked_up_at < CONNECTION_LIFE:
            return known.hook
        connection = _connection(task.aws_conn_id)
        fresh = None if known is not None and known.connection == connection else _hook(*key)
        with self._lock:
            # Many may come here at once; all are to have the same client.
            latest = self._accesses.get(key)
            if latest is None or latest.connection != connection:
                latest = _Access(fresh or _hook(*key), connection, now)
            self._accesses[key] = _Access(latest.hook, connection, now)
        return latest.hook

    def _known(self, key: tuple[Any, ...]) -> _Access | None:
        with self._lock:
            return self._accesses.get(key)


def _account_view(task: RenderedTask) -> tuple[str | None, str | None, bool | str | None]:
    return task.aws_conn_id, task.region_name, task.verify


def _notebook(task: RenderedTask) -> tuple[Any, ...]:
    return *_account_view(task), task.notebook_instance_name


def _connection(aws_conn_id: str | None) -> object:
    """Answer what of an Airflow connection decides how AWS is reached; ``None`` for none."""
    if aws_conn_id is None:
        return None
    try:
        connection = SageMakerNotebookHook.get_connection(aws_conn_id)
    except AirflowNotFoundException:
        return None
    return connection.conn_type, connection.host, connection.login, connection.password, connection.extra


def _hook(aws_conn_id: str | None, region_name: str | None, verify: bool | str | None) -> SageMakerNotebookHook:
    theirs = SageMakerNotebookHook(aws_conn_id, region_name=region_name, verify=verify).conn_config.botocore_config
    config = _IMPATIENT.merge(theirs) if theirs else _IMPATIENT
    return SageMakerNotebookHook(aws_conn_id, region_name=region_name, verify=verify, config=config)
