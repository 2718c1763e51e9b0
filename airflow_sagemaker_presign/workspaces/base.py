"""What every kind of workspace has: a name, a phase, and ways to observe, start, stop and open it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from airflow_sagemaker_presign.exceptions import WorkspaceError, WorkspaceErrors
from airflow_sagemaker_presign.validation import reject


class Phase(StrEnum):
    """What a status means for a wait, whatever AWS calls it."""

    READY = "ready"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    CHANGING = "changing"
    """Under maintenance or an update, which ends in STOPPED."""
    FAILED = "failed"
    GONE = "gone"
    """Being deleted."""
    UNKNOWN = "unknown"
    """AWS may add statuses: keep waiting."""


CAN_START = frozenset({Phase.STOPPED, Phase.FAILED})
CAN_STOP = frozenset({Phase.READY})


class Observation(NamedTuple):
    """
    What AWS said about a workspace at one moment.

    :param status: the status in AWS's words.
    :param phase: what it means.
    :param reason: why it failed; a list has none.
    :param changed_at: when the status changed, in UTC, as text that sorts by time; empty where AWS does not say.
    """

    status: str
    phase: Phase
    reason: str = ""
    changed_at: str = ""


class Page(NamedTuple):
    """
    One page of a list.

    :param observations: by name; without a reason.
    :param next_token: asks for the next page; ``None``: this is the last one.
    :param answered_at: AWS's own time, in whole seconds since the epoch; ``None``: the response has no ``Date``.
    """

    observations: Mapping[str, Observation]
    next_token: str | None = None
    answered_at: float | None = None


class Workspace(ABC):
    """
    One workspace, as a value that fits into a trigger's arguments: a subclass is a frozen dataclass of identifiers.

    All calls take a boto3 SageMaker client and let botocore's errors out; the hook translates them.
    """

    noun: ClassVar[str]
    """AWS's word for it, for errors: ``notebook instance``."""
    title: ClassVar[str]
    """The word for it in a headline: ``Notebook``."""
    errors: ClassVar[WorkspaceErrors]
    """The classes of the errors that a wait for it ends with."""
    single_use: ClassVar[bool] = False
    """Whether a presigned URL of it works once only."""
    transient_statuses: ClassVar[tuple[str, ...]] = ()
    """Statuses that few have at once, so that a list of them is short. Only used with :meth:`list_page`."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call it; unique among its kind in an account and region."""

    def as_dict(self) -> dict[str, Any]:
        """Return the identifiers as plain JSON values."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_fields(cls, values: Mapping[str, Any]) -> Self:
        """
        Take the identifiers from among other values, such as an operator's rendered fields.

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
        """Return what a status means."""

    @abstractmethod
    def describe(self, client: Any) -> dict[str, Any]:
        """Ask AWS about it; the answer has to be one that :meth:`observation_of` can read."""

    @classmethod
    @abstractmethod
    def observation_of(cls, description: Mapping[str, Any]) -> Observation:
        """
        Read an answer of :meth:`describe`.

        :raises KeyError: when it has no status.
        :raises TypeError: when the status is not a text.
        """

    @abstractmethod
    def start(self, client: Any) -> None:
        """Start it."""

    @abstractmethod
    def stop(self, client: Any) -> None:
        """Stop it."""

    @abstractmethod
    def mint(self, client: Any, session_seconds: int, landing: str | None) -> str:
        """
        Return a presigned URL.

        :param session_seconds: how long the session lasts once opened.
        :param landing: what opens first; what this kind of workspace allows.
        """

    @classmethod
    def list_page(
        cls, client: Any, *, changed_after: datetime | None, status: str | None, next_token: str | None
    ) -> Page:
        """
        Return a page of all workspaces of this kind, where AWS lists them by the time of their last change.

        :param changed_after: only what changed after this moment of AWS's clock.
        :param status: only what has this status.
        :param next_token: the previous page's; the other arguments have to be the same.
        :raises NotImplementedError: when AWS has no such list: each is described in turn.
        """
        raise NotImplementedError

    @classmethod
    def has_list(cls) -> bool:
        """Return whether AWS lists this kind by the time of the last change."""
        return cls.list_page.__func__ is not Workspace.list_page.__func__  # type: ignore[attr-defined]

    @abstractmethod
    def failure(self, reason: str) -> WorkspaceError:
        """Return the error for a failed start with this reason."""

    def is_not_found(self, code: str, message: str) -> bool:
        """Return whether an error response says that there is no such workspace."""
        return code in ("ResourceNotFound", "ResourceNotFoundException")

    def is_wrong_status(self, code: str, message: str) -> bool:
        """Return whether AWS refused a start or stop for the status that it has: somebody else was first."""
        return False

    def arn(self, description: Mapping[str, Any]) -> str:
        """Return its ARN as a description has it; empty where it has none."""
        return ""

    def arn_in(self, partition: str, region: str) -> str:
        """Return its ARN without the account, for its console page; empty where it has none."""
        return ""

    def console_url(self, arn: str) -> str | None:
        """Return its page in the AWS console; ``None`` where there is none."""
        return None

    def console_open_url(self, arn: str) -> str | None:
        """Return the console's own link that opens it, with the permissions of whoever clicks: no credential."""
        return None

    @classmethod
    def landing_of(cls, value: object) -> str | None:
        """
        Check what is to open first.

        :raises ValueError: when this kind of workspace does not have it.
        """
        return None if value is None else reject("landing", value, "None")

    def open_button(self, landing: str | None) -> str:
        """Return the words of the launch page's button."""
        return f"Open the {self.title.lower()}"


def in_utc(moment: Any) -> str:
    """Return a time as text that sorts: worker and triggerer compare what they write, in whatever zone they are."""
    return str(moment.astimezone(UTC) if isinstance(moment, datetime) else moment)


def answered_at(response: Mapping[str, Any]) -> float | None:
    """Return the ``Date`` of a response of AWS, in seconds since the epoch."""
    from email.utils import parsedate_to_datetime

    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
