"""Moto's notebook instances, each with a timeline of statuses that is read at the clock's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.sagemaker.models import FakeSagemakerNotebookInstance, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from airflow_sagemaker_presign.local.clock import LocalClock
from airflow_sagemaker_presign.local.sagemaker_api.input_constraints import validation_error
from airflow_sagemaker_presign.local.sagemaker_api.status_timeline import GONE, Timeline, Transition

# On moto's own objects, so that whatever resets moto resets this too.
_TIMELINE = "local_timeline"
_SEEDED = "local_seeded"
_LOCAL_ROLE = "arn:aws:iam::123456789012:role/local-notebook"
_MOST_SECONDS = 365 * 86400
# What UpdateNotebookInstance changes: its parameter, and the attribute of moto's notebook instance.
_UPDATES = {
    "InstanceType": "instance_type",
    "RoleArn": "role_arn",
    "LifecycleConfigName": "lifecycle_config_name",
    "VolumeSizeInGB": "volume_size_in_gb",
    "DefaultCodeRepository": "default_code_repository",
    "AdditionalCodeRepositories": "additional_code_repositories",
    "AcceleratorTypes": "accelerator_types",
    "RootAccess": "root_access",
}
_REMOVALS = {
    "DisassociateLifecycleConfig": "lifecycle_config_name",
    "DisassociateDefaultCodeRepository": "default_code_repository",
    "DisassociateAdditionalCodeRepositories": "additional_code_repositories",
    "DisassociateAcceleratorTypes": "accelerator_types",
}
_SUMMARY = (
    "NotebookInstanceName",
    "NotebookInstanceArn",
    "NotebookInstanceStatus",
    "Url",
    "InstanceType",
    "CreationTime",
    "LastModifiedTime",
    "NotebookInstanceLifecycleConfigName",
    "DefaultCodeRepository",
    "AdditionalCodeRepositories",
)


class NotebookStore:
    """
    Finds notebook instances in a moto backend, with their current status.

    :param clock: the clock.
    :param start_seconds: how long a start takes, unless a notebook instance's tags define it.
    :param stop_seconds: how long a stop takes, likewise.
    :param existing: names that exist, Stopped, in every account and region from the start.
    """

    def __init__(self, clock: LocalClock, start_seconds: float, stop_seconds: float, existing: tuple[str, ...]) -> None:
        self.clock = clock
        self.start_seconds = start_seconds
        self.stop_seconds = stop_seconds
        self.existing = existing
        self.host_of: Callable[[str], str] | None = None
        """Returns the host and port of a notebook by its ARN, for Describe's ``Url``; None: AWS's form of it."""

    def now(self) -> Any:
        """Return the clock's time."""
        return self.clock.now()

    def seeded(self, backend: SageMakerModelBackend) -> bool:
        """Return whether this account and region have been used."""
        return _SEEDED in vars(backend)

    def seed(self, backend: SageMakerModelBackend) -> None:
        """Create the notebook instances that exist from the start, once per account and region."""
        if not self.seeded(backend):
            vars(backend)[_SEEDED] = True
            for name in self.existing:
                self.add(backend, name, "Stopped")

    def add(
        self,
        backend: SageMakerModelBackend,
        name: str,
        status: str,
        *,
        instance_type: str = "ml.t3.medium",
        failure_reason: str | None = None,
    ) -> FakeSagemakerNotebookInstance:
        """Create a notebook instance in a given status."""
        notebook = backend.create_notebook_instance(name, instance_type, _LOCAL_ROLE)
        now = self.now()
        self.timeline(notebook).plan(now, Transition(now, status, failure_reason))
        return notebook

    def create(self, response: SageMakerResponse) -> FakeSagemakerNotebookInstance:
        """Create a notebook instance from a request; a deleted one of the same name is replaced."""
        backend = response.sagemaker_backend
        # Checked first, since a rejected notebook instance must not exist.
        _times({tag["Key"]: tag["Value"] for tag in response._get_param("Tags") or []}, self)
        self._drop_if_gone(backend, response._get_param("NotebookInstanceName"))
        return backend.create_notebook_instance(
            notebook_instance_name=response._get_param("NotebookInstanceName"),
            instance_type=response._get_param("InstanceType"),
            subnet_id=response._get_param("SubnetId"),
            security_group_ids=response._get_param("SecurityGroupIds"),
            role_arn=response._get_param("RoleArn"),
            kms_key_id=response._get_param("KmsKeyId"),
            tags=response._get_param("Tags"),
            lifecycle_config_name=response._get_param("LifecycleConfigName"),
            direct_internet_access=response._get_param("DirectInternetAccess"),
            volume_size_in_gb=response._get_param("VolumeSizeInGB"),
            accelerator_types=response._get_param("AcceleratorTypes"),
            default_code_repository=response._get_param("DefaultCodeRepository"),
            additional_code_repositories=response._get_param("AdditionalCodeRepositories"),
            root_access=response._get_param("RootAccess"),
        )

    def update(self, notebook: FakeSagemakerNotebookInstance, param: Callable[[str], Any]) -> None:
        """
        Change what UpdateNotebookInstance names.

        :param notebook: the notebook instance.
        :param param: reads a parameter of the request.
        """
        for name, attribute in _UPDATES.items():
            if param(name) is not None:
                setattr(notebook, attribute, param(name))
        for name, attribute in _REMOVALS.items():
            if param(name):
                setattr(notebook, attribute, None)

    def find(self, backend: SageMakerModelBackend, name: str) -> FakeSagemakerNotebookInstance:
        """
        Return a notebook instance by its name.

        :raises SagemakerClientError: ValidationException with ``RecordNotFound``, as AWS returns it.
        """
        self._drop_if_gone(backend, name)
        notebook = backend.notebook_instances.get(name)
        if notebook is None:
            raise validation_error("RecordNotFound")
        return notebook

    def all(self, backend: SageMakerModelBackend) -> list[FakeSagemakerNotebookInstance]:
        """All that exist in this account and region."""
        for name in list(backend.notebook_instances):
            self._drop_if_gone(backend, name)
        return list(backend.notebook_instances.values())

    def timeline(self, notebook: FakeSagemakerNotebookInstance) -> Timeline:
        """Return a notebook instance's timeline, and create it for one that moto created in another way."""
        held: Timeline | None = vars(notebook).get(_TIMELINE)
        if held is None:
            tags = {tag["Key"]: tag["Value"] for tag in notebook.tags}
            held = Timeline(*_times(tags, self), [Transition(self.now(), "InService")])
            vars(notebook)[_TIMELINE] = held
        return held

    def description(self, notebook: FakeSagemakerNotebookInstance) -> dict[str, Any]:
        """Return the current response of DescribeNotebookInstance."""
        timeline = self.timeline(notebook)
        state = timeline.at(self.now())
        described = notebook.to_dict() | {
            "NotebookInstanceStatus": state.status,
            "CreationTime": timeline.transitions[0].at,
            "LastModifiedTime": state.at,
            "FailureReason": state.failure_reason,
        }
        if self.host_of is not None:
            described["Url"] = self.host_of(notebook.arn)
        return {key: value for key, value in described.items() if value is not None}

    def summary(self, notebook: FakeSagemakerNotebookInstance) -> dict[str, Any]:
        """Return the current response of ListNotebookInstances: no FailureReason among it."""
        described = self.description(notebook)
        return {key: described[key] for key in _SUMMARY if key in described}

    def _drop_if_gone(self, backend: SageMakerModelBackend, name: str) -> None:
        notebook = backend.notebook_instances.get(name)
        if notebook is not None and self.timeline(notebook).at(self.now()).status == GONE:
            backend.notebook_instances.pop(name, None)


def _times(tags: dict[str, str], store: NotebookStore) -> tuple[float, float]:
    return (
        _seconds(tags, "local:start-seconds", store.start_seconds),
        _seconds(tags, "local:stop-seconds", store.stop_seconds),
    )


def _seconds(tags: dict[str, str], key: str, default: float) -> float:
    try:
        seconds = float(tags.get(key, default))
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _MOST_SECONDS:
        raise validation_error(f"Tag {key} must be a number of seconds, not '{tags[key]}'")
    return seconds
