"""The launch page's SageMaker client: one hook for all tasks with equal arguments, and responses cached for seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from botocore.config import Config

from airflow_sagemaker_presign import validation
from airflow_sagemaker_presign.exceptions import SageMakerUnavailable, WorkspaceError
from airflow_sagemaker_presign.hooks import aws_errors
from airflow_sagemaker_presign.hooks.base import WorkspaceHook
from airflow_sagemaker_presign.hooks.transport_errors import without_passwords
from airflow_sagemaker_presign.launch_page import aws_identity
from airflow_sagemaker_presign.launch_page.aws_identity import UnusableConnection
from airflow_sagemaker_presign.launch_page.lru_dict import LruDict
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from airflow_sagemaker_presign.minting.presigned_url import PresignedUrl

if TYPE_CHECKING:
    from airflow.models.connection import Connection

THREADS_PER_CONNECTION = 10
"""
The number of concurrent requests to SageMaker per connection. Each connection has threads of its own, so that a
connection that hangs blocks neither Airflow's own pages nor other connections.
"""

CONNECTION_CACHE_SECONDS = 60
"""
Seconds until a changed connection takes effect. An unchanged connection keeps its client: a new one each minute would
cost a tenth of a second of CPU, and memory.
"""

RESPONSE_CACHE_SECONDS = 2
"""Seconds for which all pages of the same notebook share one Describe."""

ERROR_CACHE_SECONDS = 4
"""Seconds for which a failed request is not repeated."""

# A person waits, so fail early when SageMaker does not respond. The connection's own settings take precedence.
_SHORT_TIMEOUTS = Config(
    connect_timeout=5,
    read_timeout=10,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=THREADS_PER_CONNECTION,
)


class LaunchPageHook(WorkspaceHook):
    """
    A hook for a connection that has already been looked up.

    :param connection: the Airflow connection; ``None``: boto3's own credential chain on the api-server.
    """

    def __init__(self, connection: Connection | None, aws_conn_id: str | None, **arguments: Any) -> None:
        super().__init__(aws_conn_id if connection is not None else None, **arguments)
        self._connection = connection

    def get_connection(self, conn_id: str) -> Any:  # type: ignore[override]
        """Return the connection. The provider's own lookup would silently continue without one if it is missing."""
        return self._connection


@dataclass(frozen=True)
class _Access:
    """A hook, the settings of the connection that it was created from, and when these were last looked up."""

    hook: WorkspaceHook
    connection: object
    looked_up_at: float


@dataclass(frozen=True)
class _DescribeResult:
    """The result of a Describe: a description, or an error."""

    requested_at: float
    responded_at: float
    description: dict[str, Any] | None = None
    error: WorkspaceError | None = None

    def is_fresh(self, now: float, since: float | None) -> bool:
        """
        Return whether the result may be used without another request.

        :param since: the earliest time of the request; ``None``: a result from the cache is good enough.
        """
        if self.error is not None:
            return now - self.responded_at < ERROR_CACHE_SECONDS
        return now - self.responded_at < RESPONSE_CACHE_SECONDS if since is None else self.requested_at >= since


class SageMakerClient:
    """Describes, starts and mints with the connections of the tasks."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.now = monotonic
        self._lock = threading.Lock()
        # Each exists as long as a thread holds it or waits for it.
        self._locks: WeakValueDictionary[Hashable, threading.Lock] = WeakValueDictionary()
        self._accesses: LruDict[Any, _Access] = LruDict(64)
        self._results: LruDict[Any, _DescribeResult] = LruDict(1024)
        self._out_of_reach: LruDict[Any, _DescribeResult] = LruDict(64)

    def describe(self, task: RenderedTask, *, since: float | None = None) -> dict[str, Any]:
        """
        Return the description of the task's workspace. Concurrent callers share one request.

        :param since: the earliest time of the request; default: a response from the cache is good enough.
        :raises WorkspaceError: when the request fails, or failed a moment ago.
        """
        with self._hold("describe", _notebook(task)):
            result = self._cached_result(task, since) or self._request_description(task)
        if result.error is not None:
            raise result.error.with_traceback(None)
        return result.description or {}

    def hold_start_lock(self, task: RenderedTask) -> AbstractContextManager[None]:
        """Hold the lock of the task's workspace, so that only one thread starts it."""
        return self._hold("start", _notebook(task))

    def start(self, task: RenderedTask) -> None:
        """Start the task's workspace, and drop its cached description."""
        with _connection_errors(task):
            self.hook(task).start(task.workspace)
        # With the lock, so that a response from before the start is not cached after it.
        with self._hold("describe", _notebook(task)), self._lock:
            self._results.pop(_notebook(task), None)

    def mint(self, task: RenderedTask) -> PresignedUrl:
        """Mint a URL with the parameters of the task, which must not be one that watches."""
        session = validation.session_expiration_duration_of(task.session_expiration_duration)
        with _connection_errors(task):
            return self.hook(task).mint(task.workspace, session, task.landing)

    def hook(self, task: RenderedTask) -> WorkspaceHook:
        """Return the hook of the task's connection."""
        key = _hook_key(task)
        with self._hold("connection", key), _connection_errors(task):
            with self._lock:
                known = self._accesses.get(key)
            if known is not None and self.now() - known.looked_up_at < CONNECTION_CACHE_SECONDS:
                return known.hook
            connection = aws_identity.find_connection(task.aws_conn_id, task.team_name, task.workspace.name)
            settings = _relevant_settings(connection)
            hook = known.hook if known is not None and known.connection == settings else _hook(connection, task)
            with self._lock:
                self._accesses[key] = _Access(hook, settings, self.now())
        return hook

    @contextmanager
    def _hold(self, *key: Hashable) -> Iterator[None]:
        """Hold the lock of a key, so that threads which need the same resource wait for one of them to fetch it."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield

    def _cached_result(self, task: RenderedTask, since: float | None) -> _DescribeResult | None:
        with self._lock:
            known = self._results.get(_notebook(task)), self._out_of_reach.get(_hook_key(task))
        return next((result for result in known if result is not None and result.is_fresh(self.now(), since)), None)

    def _request_description(self, task: RenderedTask) -> _DescribeResult:
        requested_at = self.now()
        try:
            with _connection_errors(task):
                description = self.hook(task).describe(task.workspace)
        except WorkspaceError as error:
            result = _DescribeResult(requested_at, self.now(), error=error)
        else:
            result = _DescribeResult(requested_at, self.now(), description)
        with self._lock:
            self._results[_notebook(task)] = result
            if isinstance(result.error, SageMakerUnavailable) and not result.error.code:
                # Without any response from AWS, requests for other notebooks over this connection would hang, too.
                self._out_of_reach[_hook_key(task)] = result
        return result


def _hook_key(task: RenderedTask) -> tuple[str | None, str | None, str | None, bool | str | None]:
    """Return the arguments of the AWS client for a task; tasks with equal ones share a client."""
    return task.team_name, task.aws_conn_id, task.region_name, task.verify


def _notebook(task: RenderedTask) -> tuple[Any, ...]:
    return *_hook_key(task), task.workspace


def _relevant_settings(connection: Connection | None) -> object:
    """Return the settings of the connection, and of Airflow, whose change requires a new client."""
    own_identity = aws_identity.own_identity_is_allowed()
    if connection is None:
        return own_identity
    values = (connection.conn_type, connection.host, connection.login, connection.password, connection.extra)
    return own_identity, *values


def _hook(connection: Connection | None, task: RenderedTask) -> WorkspaceHook:
    where = {"region_name": task.region_name, "verify": task.verify}
    plain = LaunchPageHook(connection, task.aws_conn_id, **where)
    theirs = plain.conn_config.botocore_config
    aws_identity.check_identity(plain.conn_config, task.aws_conn_id, task.workspace.name, plain.get_session)
    config = _SHORT_TIMEOUTS.merge(theirs) if theirs else _SHORT_TIMEOUTS
    hook = LaunchPageHook(connection, task.aws_conn_id, **where, config=config)
    # Create the client here, where an error is reported as one of the connection.
    _ = hook.conn
    return hook


@contextmanager
def _connection_errors(task: RenderedTask) -> Iterator[None]:
    """Turn errors that are neither AWS's nor the hook's into errors about the connection."""
    try:
        yield
    except WorkspaceError:
        raise
    # Airflow, the provider and botocore raise all kinds of errors for values that they do not expect or cannot decrypt,
    # and for packages that are not installed.
    except Exception as error:
        translated = aws_errors.translate(error, task.workspace, "reach")
        if translated is None:
            text = without_passwords(" ".join(str(error).split())).rstrip(".")
            what = f"{type(error).__name__}: {text}" if text else type(error).__name__
            problem = f"The AWS connection {task.aws_conn_id!r} is not usable: {what}."
            translated = UnusableConnection(task.workspace.name, problem)
        raise translated from None
