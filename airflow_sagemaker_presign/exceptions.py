"""What can go wrong, one small class each, with what to do next. No message ever holds a presigned URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

from airflow_sagemaker_presign.compat import AirflowException


class NotebookInstanceError(AirflowException):
    """
    Something went wrong with a notebook instance.

    :param notebook_instance_name: the notebook instance.
    :param problem: what happened, as a sentence; with the words of AWS where there are any.
    :param advice: what the reader can do next; default: the class's own.
    """

    advice = "Look at the notebook instance in the SageMaker console, then clear the task to try again."
    code = ""
    """The error code of AWS, where there was one; not part of the event."""

    def __init__(self, notebook_instance_name: str, problem: str, advice: str | None = None) -> None:
        self.notebook_instance_name = notebook_instance_name
        self.problem = problem
        if advice is not None:
            self.advice = advice
        super().__init__(f"Notebook instance {notebook_instance_name!r}: {problem} {self.advice}")

    def as_event(self) -> dict[str, str]:
        """Return the error as plain JSON values: the way from a trigger to its operator."""
        return {
            "error": type(self).__name__,
            "notebook_instance_name": self.notebook_instance_name,
            "problem": self.problem,
            "advice": self.advice,
        }

    @staticmethod
    def from_event(event: Mapping[str, str]) -> NotebookInstanceError:
        """Read back what :meth:`as_event` wrote, as the class that it was."""
        kinds = {kind.__name__: kind for kind in NotebookInstanceError.kinds()}
        kind = kinds.get(event["error"], NotebookInstanceError)
        return kind(event["notebook_instance_name"], event["problem"], event["advice"])

    @classmethod
    def kinds(cls) -> Iterator[type[NotebookInstanceError]]:
        """Name all classes below this one."""
        for kind in cls.__subclasses__():
            yield kind
            yield from kind.kinds()

    def about(self, notebook_instance_name: str) -> Self:
        """Return the same error, about this notebook instance."""
        error = type(self)(notebook_instance_name, self.problem, self.advice)
        error.code = self.code
        return error

    def __reduce__(self) -> tuple[type[NotebookInstanceError], tuple[str, str, str]]:
        return type(self), (self.notebook_instance_name, self.problem, self.advice)


class NotebookInstanceNotFound(NotebookInstanceError):
    """There is no notebook instance of this name in this account and region."""

    advice = (
        "Check the name, and that the connection's account and region are the notebook's; names are unique "
        "per account and region."
    )


class NotebookInstanceDeleted(NotebookInstanceError):
    """Somebody deletes, or deleted, the notebook instance."""

    advice = "Ask whoever manages the notebooks; a new one has to be created before the task can run."


class NotebookInstanceNoCapacity(NotebookInstanceError):
    """AWS has no machine of this type free just now."""

    advice = "Try again later, or have the notebook instance changed to another instance type."


class NotebookInstanceLifecycleConfigFailed(NotebookInstanceError):
    """The lifecycle configuration's script failed or took longer than five minutes."""


class NotebookInstanceQuotaExceeded(NotebookInstanceError):
    """The account's quota for running notebook instances of this type is used up."""

    advice = (
        "Stop a notebook instance of this type that nobody needs, or ask for a higher quota in the Service Quotas "
        "console."
    )


class NotebookInstanceStopped(NotebookInstanceError):
    """Somebody stopped the notebook instance while the task waited for it."""

    advice = (
        "Ask who stopped it (CloudTrail has the StopNotebookInstance event; an idle-shutdown script may be it), "
        "then clear the task to start it again."
    )


class NotebookInstanceStartNotTaken(NotebookInstanceError):
    """AWS accepted the start, twice, and the notebook instance did not move."""

    advice = "Start it once in the SageMaker console: if that works, clear the task; if not, ask AWS support."


class NotebookInstanceStopNotTaken(NotebookInstanceError):
    """AWS accepted the stop, twice, and the notebook instance did not move."""

    advice = "Stop it in the SageMaker console, since it costs money while it runs; if that fails, ask AWS support."


class NotebookInstanceFailed(NotebookInstanceError):
    """The notebook instance went to Failed for a reason that has no class of its own."""


class NotebookInstanceAccessDenied(NotebookInstanceError):
    """The connection's AWS identity may not do what the task needs."""

    advice = (
        "Allow the action to the connection's role or user (the README has a least-privilege policy), "
        "and check its IP or VPC conditions against the worker's address."
    )


class AwsConnectionUnusable(NotebookInstanceAccessDenied):
    """
    No request can reach AWS with the connection and the parameters as they are, and no waiting changes that.

    Credentials, a role, a profile, a region, an endpoint, a proxy, a certificate or botocore's configuration is missing
    or wrong.
    """

    advice = (
        "Fix the connection, or the operator's `region_name`, `verify` and `botocore_config`; the README says what "
        "goes in them. Then clear the task."
    )


class SageMakerUnavailable(NotebookInstanceError):
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


class NotebookInstanceWaitTimeout(NotebookInstanceError):
    """The deadline passed before the notebook instance was where it should be."""

    advice = (
        "Clear the task to wait on; if its starts are always that slow, give the operator a longer `timeout` "
        "or shorten the lifecycle configuration."
    )


class NotebookUrlDeliveryError(AirflowException):
    """
    At least one notifier did not deliver a link that still works.

    :param notebook_instance_name: the notebook instance.
    :param failures: for each notifier that failed, its name and why.
    :param delivered: the names of the notifiers that did deliver.
    :param advice_for: for each notifier that failed, what to do about it; default: what helps mostly.
    """

    advice = "Fix the notifier's recipient or connection, then clear the task."
    consequence = "Clearing the task sends everybody a link, those who have one already too."

    def __init__(
        self,
        notebook_instance_name: str,
        failures: Mapping[str, str],
        delivered: tuple[str, ...] = (),
        advice_for: Mapping[str, str] | None = None,
    ) -> None:
        self.notebook_instance_name = notebook_instance_name
        self.failures = dict(failures)
        self.delivered = delivered
        self.advice_for = {name: advice for name, advice in (advice_for or {}).items() if advice}
        self.advice = f"{_together(self.advice_for) or self.advice} {self.consequence}"
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failures.items())
        others = f" Delivered by: {', '.join(delivered)}." if delivered else ""
        self.problem = f"The link was not delivered in time by {len(failures)} notifier(s). {reasons}.{others}"
        super().__init__(f"Notebook instance {notebook_instance_name!r}: {self.problem} {self.advice}")

    def __reduce__(
        self,
    ) -> tuple[type[NotebookUrlDeliveryError], tuple[str, dict[str, str], tuple[str, ...], dict[str, str]]]:
        return type(self), (self.notebook_instance_name, self.failures, self.delivered, self.advice_for)


def _together(advice_for: Mapping[str, str]) -> str:
    """Return what several notifiers' failures need, each thing once, with the notifiers it is for where they differ."""
    notifiers: dict[str, list[str]] = {}
    for name, advice in advice_for.items():
        notifiers.setdefault(advice, []).append(name)
    if len(notifiers) < 2:
        return "".join(notifiers)
    return " ".join(f"{', '.join(names)}: {advice}" for advice, names in notifiers.items())
