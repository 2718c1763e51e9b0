"""Base of the kinds of workspaces: identifiers, phases, and the AWS calls to observe, start, stop and open one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from airflow_sagemaker_presign.exceptions import WorkspaceError
from airflow_sagemaker_presign.validation import reject


class Phase(StrEnum):
    """The meaning of a status for a wait, independent of AWS's names."""

    READY = "ready"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CHANGING = "changing"
    """Under maintenance, or in an update, which ends in STOPPED."""
    FAILED = "failed"
    GONE = "gone"
    """Being deleted."""
    UNKNOWN = "unknown"
    """A status that AWS has added: keep waiting."""


CAN_START = frozenset({Phase.STOPPED, Phase.FAILED})
CAN_STOP = frozenset({Phase.READY})


class Observation(NamedTuple):
    """
    The status of a workspace at one moment.

    :param status: the status in AWS's words.
    :param phase: the phase of this status.
    :param reason: AWS's reason for a failure; always empty in rows of a list.
    :param changed_at: when the status changed, in UTC, as text that sorts by time; empty where AWS does not report it.
    """

    status: str
    phase: Phase
    reason: str = ""
    changed_at: str = ""


class WorkspaceErrors(NamedTuple):
    """The error classes of one kind of workspace."""

    not_found: type[WorkspaceError]
    deleted: type[WorkspaceError]
    stopped: type[WorkspaceError]
    start_not_taken: type[WorkspaceError]
    stop_not_taken: type[WorkspaceError]
    wait_timeout: type[WorkspaceError]
    quota_exceeded: type[WorkspaceError]


class Page(NamedTuple):
    """
    One page of a list: observations by name, without reasons.

    :param responded_at: AWS's time, in whole seconds since the epoch; ``None``: the response has no ``Date``.
    """

    observations: Mapping[str, Observation]
    next_token: str | None = None
    responded_at: float | None = None


class Workspace(ABC):
    """
    A workspace, as a value that fits into a trigger's arguments: a subclass is a frozen dataclass of identifiers.

    All calls take a boto3 SageMaker client and raise botocore's errors, which the hook translates.
    """

    noun: ClassVar[str]
    """AWS's noun, for errors, such as ``notebook instance``."""
    title: ClassVar[str]
    """The noun in a headline, such as ``Notebook``."""
    errors: ClassVar[WorkspaceErrors]
    """The error classes of this kind."""
    single_use: ClassVar[bool] = False
    """Whether a presigned URL works only once."""
    transient_statuses: ClassVar[tuple[str, ...]] = ()
    """Statuses that few workspaces have at a time, so that their list is short. Used with :meth:`list_page` only."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The display name; unique within its kind, account and region."""

    def __str__(self) -> str:
        return f"{self.noun} {self.name}"

    @classmethod
    def description_variable(cls) -> str:
        """Return the variable of the notifiers' templates with AWS's description, such as ``notebook_instance``."""
        return cls.noun.lower().replace(" ", "_")

    def as_dict(self) -> dict[str, Any]:
        """Return the identifiers as plain JSON values."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_fields(cls, values: Mapping[str, Any]) -> Self:
        """
        Create a workspace from a mapping that holds its identifiers, such as an operator's rendered fields.

        :raises KeyError: when one is missing.
        :raises ValueError: when AWS would refuse one.
        """
        return cls(**{field: values[field] for field in cls.identifiers()})

    @classmethod
    def identifiers(cls) -> tuple[str, ...]:
        """Return the names of the identifiers, which are also the operator's parameters."""
        return tuple(field.name for field in fields(cls))  # type: ignore[arg-type]

    @classmethod
    @abstractmethod
    def phase_of(cls, status: str) -> Phase:
        """Return the phase of a status."""

    @abstractmethod
    def describe(self, client: Any) -> dict[str, Any]:
        """Return AWS's description, which :meth:`observation_of` reads."""

    @classmethod
    @abstractmethod
    def observation_of(cls, description: Mapping[str, Any]) -> Observation:
        """
        Return the observation in the result of :meth:`describe`.

        :raises KeyError: when there is no status.
        :raises TypeError: when the status is not a string.
        """

    @abstractmethod
    def start(self, client: Any) -> None:
        """Start the workspace."""

    @abstractmethod
    def stop(self, client: Any) -> None:
        """Stop the workspace."""

    @abstractmethod
    def mint(self, client: Any, session_seconds: int, landing: str | None) -> str:
        """
        Return a presigned URL.

        :param session_seconds: how long the session lasts once opened.
        :param landing: the page that the workspace opens with, as :meth:`landing_of` returns it.
        """

    @classmethod
    def list_page(
        cls, client: Any, *, changed_after: datetime | None, status: str | None, next_token: str | None
    ) -> Page:
        """
        Return a page of the list of all workspaces of this kind, if AWS can list them by the time of their last change.

        :param changed_after: list only workspaces that changed after this time on AWS's clock.
        :param status: list only workspaces with this status.
        :param next_token: the previous page's token; the other arguments must be the same.
        :raises NotImplementedError: when AWS has no such list; each workspace is then described in turn.
        """
        raise NotImplementedError

    @classmethod
    def has_list(cls) -> bool:
        """Return whether AWS can list this kind by the time of the last change."""
        return cls.list_page.__func__ is not Workspace.list_page.__func__  # type: ignore[attr-defined]

    @abstractmethod
    def failure(self, reason: str) -> WorkspaceError:
        """Create the error for a failed start with this reason."""

    def is_not_found(self, code: str, message: str) -> bool:
        """Return whether an error response means that the workspace does not exist."""
        return code in ("ResourceNotFound", "ResourceNotFoundException")

    def is_wrong_status(self, code: str, message: str) -> bool:
        """Return whether AWS refused a start or stop because of the workspace's status: it is already in transition."""
        return False

    def arn(self, description: Mapping[str, Any]) -> str:
        """Return the ARN in a description; empty if there is none."""
        return ""

    def arn_in(self, partition: str, region: str) -> str:
        """Return the ARN without the account, for the console page; empty if there is none."""
        return ""

    def console_open_url(self, arn: str) -> str | None:
        """Return the console's own link to open the workspace, which uses the clicking user's IAM session."""
        return None

    @classmethod
    def landing_of(cls, value: object) -> str | None:
        """
        Check the page that the workspace opens with.

        :raises ValueError: when this kind of workspace does not have such a page.
        """
        return None if value is None else reject("landing", value, "None")

    def open_button(self, landing: str | None) -> str:
        """Return the label of the launch page's button."""
        return f"Open the {self.title.lower()}"


def in_utc(moment: Any) -> str:
    """Return a time as text in UTC, so that worker and triggerer can compare what the other stored."""
    return str(moment.astimezone(UTC) if isinstance(moment, datetime) else moment)


def responded_at(response: Mapping[str, Any]) -> float | None:
    """Return the ``Date`` of a response of AWS, in seconds since the epoch."""
    from email.utils import parsedate_to_datetime

    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
