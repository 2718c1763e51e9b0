"""
All errors of this package. Each states what happened, to which workspace, and what to do next; none contains a URL.

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
    * NotebookInstanceUsageUnknown
    * NotebookInstanceWaitTimeout

  * LinkDeliveryError

    * StopWarningDeliveryError

  * SendFailed, SendOutcomeUnknown, SentToSomeOnly (in :mod:`airflow_sagemaker_presign.delivery.send_errors`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Protocol, Self

from airflow_sagemaker_presign.compat import AirflowException
from airflow_sagemaker_presign.deprecation import renamed

__all__ = [
    "AwsConnectionUnusable",
    "LinkDeliveryError",
    "NotebookInstanceDeleted",
    "NotebookInstanceFailed",
    "NotebookInstanceLifecycleConfigFailed",
    "NotebookInstanceNoCapacity",
    "NotebookInstanceNotFound",
    "NotebookInstanceQuotaExceeded",
    "NotebookInstanceStartNotTaken",
    "NotebookInstanceStopNotTaken",
    "NotebookInstanceStopped",
    "NotebookInstanceUsageUnknown",
    "NotebookInstanceWaitTimeout",
    "SageMakerAccessDenied",
    "SageMakerOutOfReach",
    "SageMakerPresignError",
    "SageMakerUnavailable",
    "StopWarningDeliveryError",
    "WorkspaceError",
]


class SageMakerPresignError(AirflowException):
    """Base of all errors of this package."""


class Named(Protocol):
    """The subject of an error: a workspace, or another error about it."""

    @property
    def noun(self) -> str:
        """AWS's noun for the kind."""

    @property
    def name(self) -> str:
        """The display name."""


def _subject(noun: str, name: str) -> str:
    return f"{noun[:1].upper()}{noun[1:]} {name!r}"


class WorkspaceError(SageMakerPresignError):
    """
    An error about a workspace.

    :param name: the workspace's name, such as the notebook instance's.
    :param problem: what happened, as a sentence; with AWS's own message if there is one.
    :param advice: what the reader can do next; default: the advice of the class.
    :param noun: AWS's noun for the kind of workspace.
    :param code: AWS's error code; empty: none.
    :param request_id: AWS's request id, which AWS support asks for; empty: none.
    """

    advice = "Check it in the SageMaker console, then clear the task to try again."

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
        super().__init__(f"{_subject(noun, name)}: {problem} {self.advice}{request}")

    @property
    def notebook_instance_name(self) -> str:
        """The workspace's name, under the name of version 0.1."""
        return self.name

    def as_event(self) -> dict[str, str]:
        """Return the error as plain JSON values, for the event from a trigger to its operator."""
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
        """Return the error that :meth:`as_event` of this or an older version wrote."""
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
        """Yield all subclasses of this class."""
        for kind in cls.__subclasses__():
            yield kind
            yield from kind.kinds()

    def about(self, workspace: Named, problem: str | None = None) -> Self:
        """Return a copy of this error about a workspace, optionally with another problem."""
        return type(self)(
            workspace.name,
            self.problem if problem is None else problem,
            self.advice,
            noun=workspace.noun,
            code=self.code,
            request_id=self.request_id,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild = partial(type(self), noun=self.noun, code=self.code, request_id=self.request_id)
        return rebuild, (self.name, self.problem, self.advice)


class NotebookInstanceNotFound(WorkspaceError):
    """There is no notebook instance of this name in this account and region."""

    advice = (
        "Check the name, and that the connection's account and region are the notebook's: names are unique "
        "within an account and region."
    )


class NotebookInstanceDeleted(WorkspaceError):
    """The notebook instance was deleted, or is being deleted."""

    advice = "Ask the person who manages the notebooks; a new one must be created before the task can run."


class NotebookInstanceFailed(WorkspaceError):
    """The notebook instance is Failed, for a reason that has no class of its own."""


class NotebookInstanceNoCapacity(NotebookInstanceFailed):
    """AWS has no capacity for this instance type at present."""

    advice = "Try again later, or change the notebook instance to another instance type."


class NotebookInstanceLifecycleConfigFailed(NotebookInstanceFailed):
    """The lifecycle configuration's script failed or took longer than five minutes."""


class NotebookInstanceQuotaExceeded(WorkspaceError):
    """The account's quota for running notebook instances of this type is used up."""

    advice = (
        "Stop a notebook instance of this type that nobody needs, or ask for a higher quota in the Service Quotas "
        "console."
    )


class NotebookInstanceStopped(WorkspaceError):
    """The notebook instance was stopped while the task waited for it."""

    advice = (
        "Find out who stopped it (CloudTrail has the StopNotebookInstance event; it may be an idle-shutdown script), "
        "then clear the task to start it again."
    )


class NotebookInstanceStartNotTaken(WorkspaceError):
    """AWS accepted the start twice, and the status did not change."""

    advice = "Start it once in the SageMaker console: if that works, clear the task; if not, ask AWS support."


class NotebookInstanceStopNotTaken(WorkspaceError):
    """AWS accepted the stop twice, and the status did not change."""

    advice = "Stop it in the SageMaker console, since it costs money while it runs; if that fails, ask AWS support."


class SageMakerAccessDenied(WorkspaceError):
    """The connection's AWS identity lacks a permission that the task needs."""

    advice = (
        "Allow the action for the connection's role or user (the documentation has a least-privilege policy), "
        "and check its IP or VPC conditions against the worker's address."
    )


class AwsConnectionUnusable(SageMakerAccessDenied):
    """
    No request can reach AWS with this connection and these parameters, and waiting does not help.

    Credentials, a role, a profile, a region, an endpoint, a proxy, a certificate or botocore's configuration is missing
    or invalid.
    """

    advice = (
        "Fix the connection, or the operator's `region_name`, `verify` and `botocore_config`, as the documentation "
        "describes. Then clear the task."
    )


class SageMakerUnavailable(WorkspaceError):
    """AWS throttles requests, has an internal error, or is out of reach. A wait continues until its deadline."""

    advice = (
        "This is usually transient: clear the task in a minute. If not, check the worker's network and the AWS Health "
        "Dashboard."
    )


class SageMakerOutOfReach(SageMakerUnavailable):
    """AWS does not respond. This may be transient; a wait that never got a response ends before its deadline."""

    advice = (
        "Check that the endpoint, the region and the proxy are right, and that the machine of the worker (or of the "
        "triggerer, if the task is deferred) may connect to them; then clear the task."
    )


class NotebookInstanceWaitTimeout(WorkspaceError):
    """The deadline passed before the notebook instance reached the goal."""

    advice = (
        "Clear the task to wait again; if starts always take that long, give the operator a longer `timeout` "
        "or shorten the lifecycle configuration."
    )


class NotebookInstanceUsageUnknown(WorkspaceError):
    """Nobody knows whether the notebook instance is in use, since its Jupyter server cannot be asked."""

    advice = (
        "Check that the workers and triggerers may connect to the notebook's address (network, proxy, and the policy's "
        "`aws:SourceIp`), and that Jupyter responds when you open the notebook; then clear the task. The notebook was "
        "not stopped."
    )


class LinkDeliveryError(SageMakerPresignError):
    """
    At least one notifier did not deliver a valid link.

    :param name: the workspace's name, such as the notebook instance's.
    :param failures: the reason for each notifier that failed, by its name.
    :param delivered: the names of the notifiers that delivered.
    :param advice_for: what to do, for each notifier that failed; default: the advice of the class.
    :param noun: AWS's noun for the kind of workspace.
    """

    advice = "Fix the notifier's recipient or connection, then clear the task."
    consequence = "Clearing the task sends a link to everybody, also to those who have one."
    what = "The link"

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
        self.advice = f"{_combined_advice(self.advice_for) or self.advice} {self.consequence}"
        reasons = "; ".join(f"{notifier}: {reason}" for notifier, reason in failures.items())
        others = f" Delivered by: {', '.join(delivered)}." if delivered else ""
        self.problem = f"{self.what} was not delivered in time by {len(failures)} notifier(s). {reasons}.{others}"
        super().__init__(f"{_subject(noun, name)}: {self.problem} {self.advice}")

    @property
    def notebook_instance_name(self) -> str:
        """The workspace's name, under the name of version 0.1."""
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, self.failures, self.delivered, self.advice_for, self.noun)


class StopWarningDeliveryError(LinkDeliveryError):
    """At least one notifier did not deliver the warning of a stop, so the workspace was not stopped."""

    consequence = "Clearing the task watches the workspace again, and warns everybody."
    what = "The warning of the stop"


def _combined_advice(advice_for: Mapping[str, str]) -> str:
    """Return the advice for several notifiers as one text, naming the notifiers only where their advice differs."""
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
