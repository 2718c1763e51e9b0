"""
SageMaker notebook instances: their statuses, failure reasons, calls and console pages.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeNotebookInstance.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.links import console_open_url
from airflow_sagemaker_presign.validation import NOTEBOOK_LANDINGS, notebook_instance_name_of, one_of
from airflow_sagemaker_presign.workspaces.base import (
    Observation,
    Page,
    Phase,
    Workspace,
    WorkspaceErrors,
    in_utc,
    responded_at,
)

MAX_RESULTS = 100
"""The maximum number of notebook instances in one page of a list."""


class Status(StrEnum):
    """The known statuses; AWS may add more."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    DELETING = "Deleting"
    UPDATING = "Updating"
    PENDING_MAINTENANCE = "PendingMaintenance"
    IN_MAINTENANCE = "InMaintenance"


PHASES: dict[str, Phase] = {
    Status.PENDING: Phase.STARTING,
    Status.IN_SERVICE: Phase.READY,
    Status.STOPPING: Phase.STOPPING,
    Status.STOPPED: Phase.STOPPED,
    Status.FAILED: Phase.FAILED,
    Status.DELETING: Phase.GONE,
    Status.UPDATING: Phase.CHANGING,
    Status.PENDING_MAINTENANCE: Phase.CHANGING,
    Status.IN_MAINTENANCE: Phase.CHANGING,
}
"""To support a status that AWS adds, add a line here. Until then it is ``UNKNOWN``, and waits continue through it."""

# Failure reasons, in any case. Texts, since a DAG's parse should not compile them.
_LIFECYCLE_CONFIG = "lifecycle config"
_NO_CAPACITY = (
    r"(insufficient|not (have )?(enough|sufficient))\s+((notebook|instance|ml\.\S+)\s+)*capacity|"
    "InsufficientInstanceCapacity"
)
_QUOTA = r"service limit|account limit|quota|limit exceeded|exceed\w*[^.]*\blimit|maximum number"
_OF_NOTEBOOKS = r"\bml\.[a-z0-9-]+\.\w+|notebook instance usage|notebook instances\b"
_OF_SOMETHING_ELSE = (
    r"network interface|\bENI|\bIP address|subnet|security group|\bVPC|\bgit|repositor|code ?commit|\bdisk|volume|"
    r"\bEBS|storage|\bKMS|\bS3\b|elastic inference|accelerator|\bmemory|inode|\bEFS|file ?system|\bEIP|log group|"
    "secret|vCPU"
)
"""Quotas that are not on the Service Quotas page for notebook instances."""

_BUTTONS: dict[str | None, str] = {"lab": "Open JupyterLab", "classic": "Open Jupyter", None: "Open the notebook"}


@dataclass(frozen=True)
class NotebookInstance(Workspace):
    """
    A notebook instance.

    :param notebook_instance_name: the name, unique within its account and region.
    :raises ValueError: when AWS would refuse the name.
    """

    notebook_instance_name: str

    noun = "notebook instance"
    title = "Notebook"
    errors = WorkspaceErrors(
        not_found=exceptions.NotebookInstanceNotFound,
        deleted=exceptions.NotebookInstanceDeleted,
        stopped=exceptions.NotebookInstanceStopped,
        start_not_taken=exceptions.NotebookInstanceStartNotTaken,
        stop_not_taken=exceptions.NotebookInstanceStopNotTaken,
        wait_timeout=exceptions.NotebookInstanceWaitTimeout,
        quota_exceeded=exceptions.NotebookInstanceQuotaExceeded,
    )
    transient_statuses = (Status.PENDING, Status.STOPPING, Status.UPDATING)

    def __post_init__(self) -> None:
        # With render_template_as_native_obj, a name of digits is rendered as a number.
        object.__setattr__(self, "notebook_instance_name", notebook_instance_name_of(self.notebook_instance_name))

    @property
    def name(self) -> str:
        """The notebook instance's name."""
        return self.notebook_instance_name

    @classmethod
    def phase_of(cls, status: str) -> Phase:
        """Return the phase of a status."""
        return PHASES.get(status, Phase.UNKNOWN)

    def describe(self, client: Any) -> dict[str, Any]:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeNotebookInstance.html"""
        description: dict[str, Any] = client.describe_notebook_instance(NotebookInstanceName=self.name)
        return description

    @classmethod
    def observation_of(cls, description: Mapping[str, Any]) -> Observation:
        """Return the observation in a description, or in a row of a list."""
        status = description["NotebookInstanceStatus"]
        if not isinstance(status, str):
            raise TypeError(f"A status must be a string, not {type(status).__name__}.")
        return Observation(
            status=status,
            phase=cls.phase_of(status),
            reason=description.get("FailureReason", ""),
            changed_at=in_utc(description.get("LastModifiedTime", "")),
        )

    def start(self, client: Any) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StartNotebookInstance.html"""
        client.start_notebook_instance(NotebookInstanceName=self.name)

    def stop(self, client: Any) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopNotebookInstance.html"""
        client.stop_notebook_instance(NotebookInstanceName=self.name)

    def mint(self, client: Any, session_seconds: int, landing: str | None) -> str:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePresignedNotebookInstanceUrl.html"""
        response = client.create_presigned_notebook_instance_url(
            NotebookInstanceName=self.name, SessionExpirationDurationInSeconds=session_seconds
        )
        url = response.get("AuthorizedUrl")
        return _with_landing(url, landing) if isinstance(url, str) else ""

    @classmethod
    def list_page(
        cls, client: Any, *, changed_after: datetime | None, status: str | None, next_token: str | None
    ) -> Page:
        """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ListNotebookInstances.html"""
        arguments = {
            "LastModifiedTimeAfter": changed_after,
            "StatusEquals": status,
            "NextToken": next_token,
            "MaxResults": MAX_RESULTS,
        }
        response = client.list_notebook_instances(**{key: value for key, value in arguments.items() if value})
        rows = response["NotebookInstances"]
        return Page(
            observations={row["NotebookInstanceName"]: cls.observation_of(row) for row in rows},
            next_token=response.get("NextToken") or None,
            responded_at=responded_at(response),
        )

    def failure(self, reason: str) -> exceptions.WorkspaceError:
        """Create the error for a ``FailureReason``."""
        problem = f"It failed to start. AWS's reason: {reason or '(no reason given)'}"
        if _has(reason, _LIFECYCLE_CONFIG):
            return exceptions.NotebookInstanceLifecycleConfigFailed(
                self.name,
                problem,
                "Its output is in CloudWatch Logs, log group /aws/sagemaker/NotebookInstances, log stream "
                f"{self.name}/LifecycleConfigOnStart (LifecycleConfigOnCreate for a first start); "
                "fix the script, or let it do its work in the background, then clear the task.",
            )
        if _has(reason, _NO_CAPACITY):
            return exceptions.NotebookInstanceNoCapacity(self.name, problem)
        if _has(reason, _QUOTA) and _has(reason, _OF_NOTEBOOKS) and not _has(reason, _OF_SOMETHING_ELSE):
            return exceptions.NotebookInstanceQuotaExceeded(self.name, problem)
        return exceptions.NotebookInstanceFailed(self.name, problem)

    def is_not_found(self, code: str, message: str) -> bool:
        """Return whether an error response means that the notebook instance does not exist."""
        return "RecordNotFound" in message or super().is_not_found(code, message)

    def is_wrong_status(self, code: str, message: str) -> bool:
        """Return whether AWS refused because of the status, as in ``Status (Pending) not in ([InService])``."""
        return code == "ValidationException" and "not in ([" in message

    def arn(self, description: Mapping[str, Any]) -> str:
        """Return the ARN, with the name in its original case, which SageMaker's ARN does not keep."""
        head, _, last = (description.get("NotebookInstanceArn") or "").rpartition("/")
        return f"{head}/{description.get('NotebookInstanceName') or last}" if head else ""

    def arn_in(self, partition: str, region: str) -> str:
        """Return the ARN without the account."""
        return f"arn:{partition}:sagemaker:{region}::notebook-instance/{self.name}"

    def console_open_url(self, arn: str) -> str | None:
        """Return the URL of the console's "Open JupyterLab"."""
        return console_open_url(arn)

    @classmethod
    def landing_of(cls, value: object) -> str | None:
        """Check the page that the notebook opens with: JupyterLab, the classic page, or AWS's default."""
        landing: str | None = one_of("landing", value, NOTEBOOK_LANDINGS)
        return landing

    def open_button(self, landing: str | None) -> str:
        """Return the label of the launch page's button."""
        return _BUTTONS[landing]


def _with_landing(url: str, landing: str | None) -> str:
    """Set ``view`` in the query. The rest stays byte for byte, since re-quoting could break the token."""
    if landing is None:
        return url
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if pair and not pair.startswith("view=")]
    return urlunsplit(parts._replace(query="&".join([*kept, f"view={landing}"])))


def _has(reason: str, pattern: str) -> bool:
    return re.search(pattern, reason, re.IGNORECASE) is not None
