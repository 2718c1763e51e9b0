"""The launch page's way to SageMaker: one client for each client key, and responses cached for a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from airflow_sagemaker_presign.exceptions import SageMakerUnavailable, WorkspaceError
from airflow_sagemaker_presign.hooks import aws_errors
from airflow_sagemaker_presign.hooks.base import WorkspaceHook
from airflow_sagemaker_presign.hooks.transport_errors import without_passwords
from airflow_sagemaker_presign.launch_page import aws_identity
from airflow_sagemaker_presign.launch_page.aws_identity import UnusableConnection
from airflow_sagemaker_presign.launch_page.key_locks import KeyLocks
from airflow_sagemaker_presign.launch_page.lru_dict import LruDict
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl

if TYPE_CHECKING:
    from airflow.models.connection import Connection

THREADS_PER_CONNECTION = 10
"""How many requests may talk to SageMaker at once over one connection. They have threads of their own: when SageMaker
hangs there, neither Airflow's own pages nor those of other connections do."""

CONNECTION_CACHE_SECONDS = 60
"""Seconds until a changed connection takes effect. One that has not changed keeps its client: a new one each minute
costs a tenth of a second of CPU, and more memory than all that the launch page does with it."""

RESPONSE_CACHE_SECONDS = 2
"""Seconds for which all who follow the same start share one Describe."""

ERROR_CACHE_SECONDS = 4
"""Seconds for which nobody asks again what just failed."""

# A person waits: rather say soon that SageMaker does not answer. The connection's own settings come first.
_SHORT_TIMEOUTS = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=THREADS_PER_CONNECTION,
)


class LaunchPageHook(WorkspaceHook):
    """
    The hook of a connection that has been looked up already, as the task would have.

    :param connection: Airflow's; ``None``: what the api-server's machine has.
    """

    def __init__(self, connection: Connection | None, aws_conn_id: str | None, **arguments: Any) -> None:
        super().__init__(aws_conn_id if connection is not None else None, **arguments)
        self._connection = connection

    def get_connection(self, conn_id: str) -> Any:  # type: ignore[override]
        """Return the connection. The provider's own look-up goes on without one where it finds none."""
        return self._connection


@dataclass(frozen=True)
class _Access:
    """A hook, what the connection that it was made from said, and when that was looked up last."""

    hook: WorkspaceHook
    connection: object
    looked_up_at: float


@dataclass(frozen=True)
class _Answer:
    """What came of a Describe: a description, or an error."""

    asked_at: float
    answered_at: float
    description: dict[str, Any] | None = None
    error: WorkspaceError | None = None

    def is_good(self, now: float, since: float | None) -> bool:
        """
        Return whether nobody has to ask again.

        :param now: the time.
        :param since: only answers to what was asked since then; ``None``: those of a moment ago will do.
        """
        if self.error is not None:
            return now - self.answered_at < ERROR_CACHE_SECONDS
        return now - self.answered_at < RESPONSE_CACHE_SECONDS if since is None else self.asked_at >= since


class SageMakerClient:
    """
    Describes, starts and mints with the connections of the tasks.

    :param monotonic: counts seconds; for tests.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.now = monotonic
        self._lock = threading.Lock()
        self._locks = KeyLocks()
        self._accesses: LruDict[Any, _Access] = LruDict(64)
        self._answers: LruDict[Any, _Answer] = LruDict(1024)
        self._out_of_reach: LruDict[Any, _Answer] = LruDict(64)

    def describe(self, task: RenderedTask, *, since: float | None = None) -> dict[str, Any]:
        """
        Return what AWS says of the task's notebook instance. All who want to know share one request.

        :param task: which.
        :param since: not what AWS was asked before then; default: what it said a moment ago will do.
        :raises WorkspaceError: when AWS does not say, or did not a moment ago.
        """
        with self._locks.hold("describe", _notebook(task)):
            answer = self._known_answer(task, since) or self._ask(task)
        if answer.error is not None:
            raise answer.error.with_traceback(None)
        return answer.description or {}

    def hold_start_lock(self, task: RenderedTask) -> AbstractContextManager[None]:
        """Wait until nobody else is about to start the task's notebook instance."""
        return self._locks.hold("start", _notebook(task))

    def start(self, task: RenderedTask) -> None:
        """Start the task's notebook instance; from now on nobody is told how it was before."""
        with _in_words(task):
            self.hook(task).start(task.workspace)
        # Whoever asked before the start has had the answer by then.
        with self._locks.hold("describe", _notebook(task)), self._lock:
            self._answers.pop(_notebook(task), None)

    def mint(self, task: RenderedTask) -> PresignedUrl:
        """Mint as the task would have."""
        with _in_words(task):
            return self.hook(task).mint(task.workspace, task.session_expiration_duration, task.landing)

    def hook(self, task: RenderedTask) -> WorkspaceHook:
        """
        Return the hook of the task's connection.

        :raises WorkspaceError: when the connection is not usable.
        """
        key = client_key(task)
        with self._locks.hold("connection", key), _in_words(task):
            with self._lock:
                known = self._accesses.get(key)
            if known is not None and self.now() - known.looked_up_at < CONNECTION_CACHE_SECONDS:
                return known.hook
            connection = aws_identity.find_connection(task.aws_conn_id, task.team_name, task.workspace.name)
            said = _what_counts(connection)
            hook = known.hook if known is not None and known.connection == said else _hook(connection, task)
            with self._lock:
                self._accesses[key] = _Access(hook, said, self.now())
        return hook

    def _known_answer(self, task: RenderedTask, since: float | None) -> _Answer | None:
        with self._lock:
            known = self._answers.get(_notebook(task)), self._out_of_reach.get(client_key(task))
        return next((answer for answer in known if answer is not None and answer.is_good(self.now(), since)), None)

    def _ask(self, task: RenderedTask) -> _Answer:
        asked_at = self.now()
        try:
            with _in_words(task):
                description = self.hook(task).describe(task.workspace)
        except WorkspaceError as error:
            answer = _Answer(asked_at, self.now(), error=error)
        else:
            answer = _Answer(asked_at, self.now(), description)
        with self._lock:
            self._answers[_notebook(task)] = answer
            if isinstance(answer.error, SageMakerUnavailable) and not answer.error.code:
                # Not even a refusal: what hangs for one notebook would hang for the next one.
                self._out_of_reach[client_key(task)] = answer
        return answer


def client_key(task: RenderedTask) -> tuple[str | None, str | None, str | None, bool | str | None]:
    """Return what decides how AWS is reached for a task."""
    return task.team_name, task.aws_conn_id, task.region_name, task.verify


def _notebook(task: RenderedTask) -> tuple[Any, ...]:
    return *client_key(task), task.workspace


def _what_counts(connection: Connection | None) -> object:
    """Return what of an Airflow connection, and of Airflow's configuration, decides how AWS is reached."""
    own_identity = aws_identity.own_identity_is_allowed()
    if connection is None:
        return own_identity
    said = (connection.conn_type, connection.host, connection.login, connection.password, connection.extra)
    return own_identity, *said


def _hook(connection: Connection | None, task: RenderedTask) -> WorkspaceHook:
    where = {"region_name": task.region_name, "verify": task.verify}
    plain = LaunchPageHook(connection, task.aws_conn_id, **where)
    theirs = plain.conn_config.botocore_config
    aws_identity.check_identity(plain.conn_config, task.aws_conn_id, task.workspace.name, plain.get_session)
    config = _SHORT_TIMEOUTS.merge(theirs) if theirs else _SHORT_TIMEOUTS
    hook = LaunchPageHook(connection, task.aws_conn_id, **where, config=config)
    # Made here, where what is wrong with the connection is said of the connection.
    _ = hook.conn
    return hook


@contextmanager
def _in_words(task: RenderedTask) -> Iterator[None]:
    """Say of the connection what neither AWS nor the hook says of the notebook instance."""
    try:
        yield
    except WorkspaceError:
        raise
    # Whatever Airflow, the provider and botocore raise at values that they do not expect, or cannot decrypt, or for a
    # package that is not installed: it has no end.
    except Exception as error:
        translated = aws_errors.translate(error, task.workspace, "reach")
        if translated is None:
            said = without_passwords(" ".join(str(error).split())).rstrip(".")
            what = f"{type(error).__name__}: {said}" if said else type(error).__name__
            problem = f"The AWS connection {task.aws_conn_id!r} is not usable: {what}."
            translated = UnusableConnection(task.workspace.name, problem)
        raise translated from None
