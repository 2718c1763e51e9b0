"""
All errors of this package. Each says what happened, to which workspace, and what to do next. None ever holds a URL.

* SageMakerPresignError

  * WorkspaceError

    * SageMakerAccessDenied

      * AwsConnectionUnusable

    * SageMakerUnavailable

      * SageMakerOutOfReach

    * NotebookInstanceNotFound
    * NotebookInstanceDeleted
    * NotebookInstanceFailed

      * NotebookInstanceNoCapacity
      * NotebookInstanceLifecycleConfigFailed

    * NotebookInstanceQuotaExceeded
    * NotebookInstanceStopped
    * NotebookInstanceStartNotTaken
    * NotebookInstanceStopNotTaken
    * NotebookInstanceWaitTimeout

  * LinkDeliveryError
  * SendFailed, SendOutcomeUnknown, SentToSomeOnly (in :mod:`airflow_sagemaker_presign.delivery.send_errors`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from airflow_sagemaker_presign.compat import AirflowException
from airflow_sagemaker_presign.deprecation import renamed


class SageMakerPresignError(AirflowException):
    """Base of all errors of this package."""


class Named(Protocol):
    """Whatever an error is about; a workspace, as a rule."""

    @property
    def noun(self) -> str:
        """AWS's word for it."""

    @property
    def name(self) -> str:
        """What people call it."""


class WorkspaceError(SageMakerPresignError):
    """
    Something went wrong with a workspace.

    :param name: the workspace, such as the notebook instance's name.
    :param problem: what happened, as a sentence; with the words of AWS where there are any.
    :param advice: what the reader can do next; default: the class's own.
    :param noun: what kind of workspace it is.
    :param code: AWS's error code, where there was one.
    :param request_id: AWS's request id, where there was one: AWS support asks for it.
    """

    advice = "Look at it in the SageMaker console, then clear the task to try again."

    def __init__(
        self,
        name: str,
        problem: str,
        advice: str | None = None,
        *,
        noun: str = "notebook instance",
        code: str = "",
        request_id: str = "",
    ) -> None:
        self.name, self.noun = name, noun
        self.problem = problem
        self.code, self.request_id = code, request_id
        if advice is not None:
            self.advice = advice
        request = f" (AWS request id: {request_id})" if request_id else ""
        super().__init__(f"{noun[:1].upper()}{noun[1:]} {name!r}: {problem} {self.advice}{request}")

    @property
    def notebook_instance_name(self) -> str:
        """The workspace's name, as 0.1 called it."""
        return self.name

    def as_event(self) -> dict[str, str]:
        """Return the error as plain JSON values: the way from a trigger to its operator."""
        return {
            "error": type(self).__name__,
            "name": self.name,
            "noun": self.noun,
            "problem": self.problem,
            "advice": self.advice,
            "code": self.code,
            "request_id": self.request_id,
        }

    @staticmethod
    def from_event(event: Mapping[str, str]) -> WorkspaceError:
        """Read back what :meth:`as_event` wrote, as the class that it was. It may be of an older version."""
        wrote = event["error"]
        kinds = {kind.__name__: kind for kind in WorkspaceError.kinds()}
        kind = kinds.get(_RENAMED.get(wrote, wrote), WorkspaceError)
        return kind(
            event["name"] if "name" in event else event["notebook_instance_name"],
            event["problem"],
            event["advice"],
            **{key: event[key] for key in ("noun", "code", "request_id") if key in event},
        )

    @classmethod
    def kinds(cls) -> Iterator[type[WorkspaceError]]:
        """Return all classes below this one."""
        for kind in cls.__subclasses__():
            yield kind
            yield from kind.kinds()

    def about(self, workspace: Named, problem: str | None = None) -> Self:
        """Return the same error, about this workspace; with another problem, if one is given."""
        return type(self)(
            workspace.name,
            self.problem if problem is None else problem,
            self.advice,
            noun=workspace.noun,
            code=self.code,
            request_id=self.request_id,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.as_event())


def _rebuild(kind: type[WorkspaceError], event: Mapping[str, str]) -> WorkspaceError:
    values = {key: value for key, value in event.items() if key != "error"}
    return kind(values.pop("name"), values.pop("problem"), values.pop("advice"), **values)


class NotebookInstanceNotFound(WorkspaceError):
    """There is no notebook instance of this name in this account and region."""

    advice = (
        "Check the name, and that the connection's account and region are the notebook's; names are unique "
        "per account and region."
    )


class NotebookInstanceDeleted(WorkspaceError):
    """Somebody deletes, or deleted, the notebook instance."""

    advice = "Ask whoever manages the notebooks; a new one has to be created before the task can run."


class NotebookInstanceFailed(WorkspaceError):
    """The notebook instance went to Failed for a reason that has no class of its own."""


class NotebookInstanceNoCapacity(NotebookInstanceFailed):
    """AWS has no machine of this type free just now."""

    advice = "Try again later, or have the notebook instance changed to another instance type."


class NotebookInstanceLifecycleConfigFailed(NotebookInstanceFailed):
    """The lifecycle configuration's script failed or took longer than five minutes."""


class NotebookInstanceQuotaExceeded(WorkspaceError):
    """The account's quota for running notebook instances of this type is used up."""

    advice = (
        "Stop a notebook instance of this type that nobody needs, or ask for a higher quota in the Service Quotas "
        "console."
    )


class NotebookInstanceStopped(WorkspaceError):
    """Somebody stopped the notebook instance while the task waited for it."""

    advice = (
        "Ask who stopped it (CloudTrail has the StopNotebookInstance event; an idle-shutdown script may be it), "
        "then clear the task to start it again."
    )


class NotebookInstanceStartNotTaken(WorkspaceError):
    """AWS accepted the start, twice, and the notebook instance did not move."""

    advice = "Start it once in the SageMaker console: if that works, clear the task; if not, ask AWS support."


class NotebookInstanceStopNotTaken(WorkspaceError):
    """AWS accepted the stop, twice, and the notebook instance did not move."""

    advice = "Stop it in the SageMaker console, since it costs money while it runs; if that fails, ask AWS support."


class SageMakerAccessDenied(WorkspaceError):
    """The connection's AWS identity may not do what the task needs."""

    advice = (
        "Allow the action to the connection's role or user (the README has a least-privilege policy), "
        "and check its IP or VPC conditions against the worker's address."
    )


class AwsConnectionUnusable(SageMakerAccessDenied):
    """
    No request can reach AWS with the connection and the parameters as they are, and no waiting changes that.

    Credentials, a role, a profile, a region, an endpoint, a proxy, a certificate or botocore's configuration is missing
    or wrong.
    """

    advice = (
        "Fix the connection, or the operator's `region_name`, `verify` and `botocore_config`; the README says what "
        "goes in them. Then clear the task."
    )


class SageMakerUnavailable(WorkspaceError):
    """AWS throttles, has a fault of its own, or is out of reach. A wait goes on through it until its deadline."""

    advice = (
        "It usually passes: clear the task in a minute. If not, check the worker's network and the AWS Health "
        "Dashboard."
    )


class SageMakerOutOfReach(SageMakerUnavailable):
    """No request gets through to AWS, or no answer back. It may pass; a wait that AWS never answered ends early."""

    advice = (
        "Check that the endpoint, the region and the proxy are right, and that the machine of the worker (or of the "
        "triggerer, if the task is deferred) may connect to them; then clear the task."
    )


class NotebookInstanceWaitTimeout(WorkspaceError):
    """The deadline passed before the notebook instance was where it should be."""

    advice = (
        "Clear the task to wait on; if its starts are always that slow, give the operator a longer `timeout` "
        "or shorten the lifecycle configuration."
    )


class LinkDeliveryError(SageMakerPresignError):
    """
    At least one notifier did not deliver a link that still works.

    :param name: the workspace, such as the notebook instance's name.
    :param failures: for each notifier that failed, its name and why.
    :param delivered: the names of the notifiers that did deliver.
    :param advice_for: for each notifier that failed, what to do about it; default: what helps mostly.
    :param noun: what kind of workspace it is.
    """

    advice = "Fix the notifier's recipient or connection, then clear the task."
    consequence = "Clearing the task sends a link to everybody, also to those who have one."

    def __init__(
        self,
        name: str,
        failures: Mapping[str, str],
        delivered: tuple[str, ...] = (),
        advice_for: Mapping[str, str] | None = None,
        noun: str = "notebook instance",
    ) -> None:
        self.name, self.noun = name, noun
        self.failures = dict(failures)
        self.delivered = delivered
        self.advice_for = {notifier: advice for notifier, advice in (advice_for or {}).items() if advice}
        self.advice = f"{_together(self.advice_for) or self.advice} {self.consequence}"
        reasons = "; ".join(f"{notifier}: {reason}" for notifier, reason in failures.items())
        others = f" Delivered by: {', '.join(delivered)}." if delivered else ""
        self.problem = f"The link was not delivered in time by {len(failures)} notifier(s). {reasons}.{others}"
        super().__init__(f"{noun[:1].upper()}{noun[1:]} {name!r}: {self.problem} {self.advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.failures, self.delivered, self.advice_for, self.noun)


@dataclass(frozen=True)
class WorkspaceErrors:
    """The errors that a kind of workspace has of its own."""

    not_found: type[WorkspaceError]
    deleted: type[WorkspaceError]
    stopped: type[WorkspaceError]
    start_not_taken: type[WorkspaceError]
    stop_not_taken: type[WorkspaceError]
    wait_timeout: type[WorkspaceError]
    quota_exceeded: type[WorkspaceError]


def _together(advice_for: Mapping[str, str]) -> str:
    """Return what several notifiers' failures need, each thing once, with the notifiers it is for where they differ."""
    notifiers: dict[str, list[str]] = {}
    for name, advice in advice_for.items():
        notifiers.setdefault(advice, []).append(name)
    if len(notifiers) < 2:
        return "".join(notifiers)
    return " ".join(f"{', '.join(names)}: {advice}" for advice, names in notifiers.items())


_RENAMED = {
    "NotebookInstanceError": "WorkspaceError",
    "NotebookInstanceAccessDenied": "SageMakerAccessDenied",
    "NotebookUrlDeliveryError": "LinkDeliveryError",
}

__getattr__ = renamed(__name__, _RENAMED)
