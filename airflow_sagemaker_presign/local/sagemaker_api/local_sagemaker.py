"""The local SageMaker: installs it in moto, scripts its faults, and records its requests."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import SageMakerModelBackend, sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.sagemaker_api.faults import CallError, SageMakerFaults
from airflow_sagemaker_presign.local.sagemaker_api.moto_patches import MotoPatches
from airflow_sagemaker_presign.local.sagemaker_api.notebook_operations import NotebookOperations
from airflow_sagemaker_presign.local.sagemaker_api.notebook_store import NotebookStore
from airflow_sagemaker_presign.local.sagemaker_api.presigned_tokens import PresignedTokens
from airflow_sagemaker_presign.local.sagemaker_api.status_timeline import NotebookState, Transition
from airflow_sagemaker_presign.local.sagemaker_api.training_jobs import TrainingJobs

DEFAULT_REGION = "us-east-1"
_CHANGING = tuple(f"{verb}NotebookInstance" for verb in ("Start", "Stop", "Update", "Delete"))


@dataclass(frozen=True)
class RecordedRequest:
    """
    One API call.

    :param operation: its name, for example ``StartNotebookInstance``.
    :param notebook: the notebook instance that it names, if any.
    :param at: the time of the response, in seconds since the epoch.
    :param error: the error code of the response; None when it succeeded.
    """

    operation: str
    notebook: str | None
    at: float
    error: str | None


class LocalSageMaker:
    """
    SageMaker notebook instances and training jobs on top of moto.

    Use it as a context manager inside ``mock_aws()`` or around a served moto; entering ``mock_aws`` empties
    moto, so enter that first.

    :param clock: the clock; advance it with ``clock.advance(seconds)``.
    :param start_seconds: how long a start takes.
    :param stop_seconds: how long a stop or a deletion takes.
    :param training_seconds: how long a training job takes.
    :param notebooks: notebook instances that exist, Stopped, in every region from the start.
    """

    def __init__(
        self,
        *,
        clock: LocalClock | None = None,
        start_seconds: float = 10,
        stop_seconds: float = 5,
        training_seconds: float = 2,
        notebooks: tuple[str, ...] = (),
    ) -> None:
        self.clock = clock or LocalClock()
        self.faults = SageMakerFaults()
        self.signing_key = secrets.token_bytes(32)
        self.tokens = PresignedTokens(self.signing_key, self.clock)
        self.requests: list[RecordedRequest] = []
        self._store = NotebookStore(self.clock, start_seconds, stop_seconds, notebooks)
        self._operations = NotebookOperations(self._store, self.faults, self.tokens)
        self._jobs = TrainingJobs(self.clock, training_seconds)
        self._patches = MotoPatches()
        self._listeners: list[Callable[[], None]] = []
        # Served moto answers each request in a thread of its own.
        self._lock = threading.RLock()

    def install(self) -> None:
        """Install it in moto."""
        self._patches.install(self._operations, self._jobs, self._before, self._after)

    def uninstall(self) -> None:
        """Restore moto: its SageMaker empty, for the next one in this process."""
        self._patches.uninstall()
        for backend in self._backends():
            backend.reset()

    def __enter__(self) -> LocalSageMaker:
        self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uninstall()

    def serve_notebooks_at(self, host_of: Callable[[str], str] | None) -> None:
        """
        Set the host to which presigned URLs lead.

        :param host_of: returns host and port of a notebook instance by its ARN. None: AWS's form, which opens
            nothing here.
        """
        self._store.host_of = host_of

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each event that may have changed a notebook instance's status."""
        self._listeners.append(listener)
        self.clock.on_advance(listener)

    def look_up(self, arn: str) -> NotebookState | None:
        """
        Return the current state of a notebook instance.

        :param arn: the notebook instance.
        :return: None when it does not exist.
        """
        _, _, _, region, account, resource = arn.split(":", 5)
        with self._lock:
            notebooks = self._store.all(sagemaker_backends[account][region])
            name = resource.rpartition("/")[2]
            found = [notebook for notebook in notebooks if notebook.notebook_instance_name == name]
            return self._store.timeline(found[0]).state(self.clock.now()) if found else None

    def create_notebook(
        self,
        name: str,
        status: str = "Stopped",
        *,
        start_seconds: float | None = None,
        stop_seconds: float | None = None,
        instance_type: str = "ml.t3.medium",
        failure_reason: str | None = None,
        region: str = DEFAULT_REGION,
    ) -> None:
        """
        Create a notebook instance at once, in any status.

        :param name: its name.
        :param status: its status from now on.
        :param start_seconds: how long its starts take. None: as all do.
        :param stop_seconds: how long its stops take. None: as all do.
        :param instance_type: its type.
        :param failure_reason: for status Failed.
        :param region: where.
        """
        with self._lock:
            backend = self._backend(region)
            notebook = self._store.add(
                backend, name, status, instance_type=instance_type, failure_reason=failure_reason
            )
            timeline = self._store.timeline(notebook)
            timeline.start_seconds = timeline.start_seconds if start_seconds is None else start_seconds
            timeline.stop_seconds = timeline.stop_seconds if stop_seconds is None else stop_seconds

    def set_status(self, name: str, status: str, failure_reason: str | None = None, region: str | None = None) -> None:
        """
        Set a status outright; it stays until a start or stop, or the next ``set_status``.

        :param name: the notebook instance.
        :param status: any string, including one that is unknown to AWS.
        :param failure_reason: for status Failed.
        :param region: only there. None: in every region where the notebook instance exists.
        """
        with self._lock:
            found = self._where(name, region)
            now = self.clock.now()
            for notebook in found:
                self._store.timeline(notebook).plan(now, Transition(now, status, failure_reason))
        self._notify_listeners()

    def status(self, name: str, region: str | None = None) -> str | None:
        """
        Return the current status; None when there is no such notebook instance.

        :param name: the notebook instance.
        :param region: where. None: the region where it changed last.
        """
        with self._lock:
            try:
                found = self._where(name, region)
            except LookupError:
                return None
            states = [self._store.timeline(notebook).at(self.clock.now()) for notebook in found]
            return max(states, key=lambda state: state.at).status

    def notebooks(self) -> list[dict[str, Any]]:
        """Return all notebook instances of all regions, as Describe returns them."""
        with self._lock:
            return [self._store.description(n) for b in self._backends() for n in self._store.all(b)]

    def requests_of(self, operation: str, notebook: str | None = None) -> list[RecordedRequest]:
        """Return the recorded requests of one operation, and of one notebook instance if given."""
        return [
            request
            for request in list(self.requests)
            if request.operation == operation and notebook in (None, request.notebook)
        ]

    def requests_as_json(self) -> list[dict[str, Any]]:
        """Return the recorded requests as plain data."""
        return [asdict(request) for request in list(self.requests)]

    def _where(self, name: str, region: str | None) -> list[Any]:
        backends = self._backends() if region is None else [self._backend(region)]
        found = [n for b in backends for n in self._store.all(b) if n.notebook_instance_name == name]
        if not found:
            raise LookupError(f"There is no notebook instance {name} in {region or 'any region'}.")
        return found

    def _backend(self, region: str) -> SageMakerModelBackend:
        backend: SageMakerModelBackend = sagemaker_backends[DEFAULT_ACCOUNT_ID][region]
        self._store.seed(backend)
        return backend

    def _backends(self) -> list[SageMakerModelBackend]:
        # Only backends that were used; moto creates one more for itself.
        every = [backend for account in list(sagemaker_backends.values()) for backend in account.values()]
        return [backend for backend in every if self._store.seeded(backend)] or [self._backend(DEFAULT_REGION)]

    def _before(self, response: SageMakerResponse, operation: str, notebook: str | None) -> CallError | None:
        with self._lock:
            self._store.seed(response.sagemaker_backend)
            return self.faults.take_error(operation, notebook)

    def _after(self, operation: str, notebook: str | None, error: str | None) -> None:
        # Never record the response: it may be a presigned URL.
        self.requests.append(RecordedRequest(operation, notebook, self.clock.now().timestamp(), error))
        if operation in _CHANGING:
            self._notify_listeners()

    def _notify_listeners(self) -> None:
        # Without the lock: listeners look up notebook instances in another thread.
        for listener in self._listeners:
            listener()
