"""
The state machine of a wait: what a status means and what ends the wait, without side effects.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeNotebookInstance.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, Self

from airflow_sagemaker_presign import exceptions


class Status(StrEnum):
    """The statuses of a notebook instance that are known today; AWS may add some."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    DELETING = "Deleting"
    UPDATING = "Updating"
    PENDING_MAINTENANCE = "PendingMaintenance"
    IN_MAINTENANCE = "InMaintenance"


CAN_START = frozenset({Status.STOPPED, Status.FAILED})
"""All statuses that a Start is possible from: a new one need be added here only."""
CAN_STOP = frozenset({Status.IN_SERVICE})
_ENDS_IN_STOPPED = frozenset({Status.UPDATING, Status.PENDING_MAINTENANCE, Status.IN_MAINTENANCE})


class Goal(StrEnum):
    """Where a wait leads to."""

    IN_SERVICE = "InService"
    STOPPED = "Stopped"
    STOPPING = "Stopping"
    """On the way to Stopped is good enough."""


class Action(Enum):
    """What to do after an observation of the notebook instance."""

    WAIT = "wait"
    START = "start"
    STOP = "stop"
    DONE = "done"


TRANSITION_GRACE_SECONDS = 30.0
"""Seconds that a Start or Stop may take to show. Then it is sent once more."""

MAX_SENDS = 2


_LIFECYCLE_CONFIG = re.compile(r"lifecycle config", re.I)
_NO_CAPACITY = re.compile(
    r"(insufficient|not (have )?(enough|sufficient))\s+((notebook|instance|ml\.\S+)\s+)*capacity|"
    r"InsufficientInstanceCapacity",
    re.I,
)
_QUOTA = re.compile(r"service limit|account limit|quota|limit exceeded|exceed\w*[^.]*\blimit|maximum number", re.I)
_OF_NOTEBOOKS = re.compile(r"\bml\.[a-z0-9-]+\.\w+|notebook instance usage|notebook instances\b", re.I)
_OF_SOMETHING_ELSE = re.compile(
    r"network interface|\bENI|\bIP address|subnet|security group|\bVPC|\bgit|repositor|code ?commit|\bdisk|volume|"
    r"\bEBS|storage|\bKMS|\bS3\b|elastic inference|accelerator|\bmemory|inode|\bEFS|file ?system|\bEIP|log group|"
    r"secret|vCPU",
    re.I,
)
"""A quota of these is none that the Service Quotas page has under notebook instances."""


@dataclass(frozen=True)
class Observation:
    """What one DescribeNotebookInstance said, or one row of a list (which has no ``FailureReason``)."""

    status: str
    failure_reason: str = ""
    last_modified: str = ""

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> Self:
        """
        Take what a wait needs from a DescribeNotebookInstance answer.

        :raises KeyError: when it has no status.
        :raises TypeError: when the status is none.
        """
        status = description["NotebookInstanceStatus"]
        if not isinstance(status, str):
            raise TypeError(f"A status is a text, not a {type(status).__name__}.")
        return cls(
            status=status,
            failure_reason=description.get("FailureReason", ""),
            last_modified=_in_utc(description.get("LastModifiedTime", "")),
        )


@dataclass(frozen=True)
class WaitState:
    """
    The state of a wait. It fits into a trigger's arguments, so a wait survives the process that holds it.

    :param notebook_instance_name: the notebook instance.
    :param goal: where the wait leads to.
    :param began_at: when the wait began, in seconds since the epoch.
    :param deadline: when it gives up, likewise.
    :param status: the status seen last; empty while none was seen.
    :param sent_at: when our last Start or Stop was accepted; ``None``: we sent none.
    :param sends: how many we sent.
    :param left_behind: ``LastModifiedTime`` before our first Start: a Failed that still has it is a leftover.
    :param moved: whether it was seen on its way since.
    :param troubles: how many requests in a row failed (throttled, out of reach).
    """

    notebook_instance_name: str
    goal: Goal
    began_at: float
    deadline: float
    status: str = ""
    sent_at: float | None = None
    sends: int = 0
    left_behind: str = ""
    moved: bool = False
    troubles: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the wait as plain JSON values."""
        return {**asdict(self), "goal": str(self.goal)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back what :meth:`as_dict` wrote."""
        return cls(**{**values, "goal": Goal(values["goal"])})

    def after_sending(self, observation: Observation, now: float) -> WaitState:
        """Note that a Start or Stop went out after this observation."""
        return replace(
            self,
            sent_at=now,
            sends=self.sends + 1,
            left_behind=self.left_behind or observation.last_modified,
            moved=False,
        )

    def after_failed_request(self, problem: str, now: float, advice: str | None = None) -> WaitState:
        """
        Note that an observation, or a Start, failed.

        :param problem: why.
        :param now: seconds since the epoch.
        :param advice: what to do about it.
        :raises NotebookInstanceWaitTimeout: when the deadline has passed.
        """
        self.check_deadline(now, problem, advice)
        return replace(self, troubles=self.troubles + 1)

    def check_deadline(self, now: float, problem: str = "", advice: str | None = None) -> None:
        """
        Give up when it is time.

        :param now: seconds since the epoch.
        :param problem: what was in the way, as a sentence.
        :param advice: what to do about that; default: what to do about a start that takes long.
        :raises NotebookInstanceWaitTimeout: when the deadline has passed.
        """
        if now >= self.deadline:
            minutes = (self.deadline - self.began_at) / 60
            raise exceptions.NotebookInstanceWaitTimeout(
                self.notebook_instance_name,
                f"It was not {self.goal} after {minutes:g} min; its last known status is "
                f"{self.status or 'none'}.{' ' + problem if problem else ''}",
                advice,
            )

    def resumed(self) -> WaitState:
        """Return the wait as it goes on after it reached its goal: what is to be seen next happened since then."""
        return replace(self, moved=True, troubles=0)


def transition(wait: WaitState, observation: Observation, now: float) -> tuple[WaitState, Action]:
    """
    Return a wait's next state, and what to do, after an observation.

    :param wait: what the wait knows so far.
    :param observation: what Describe said just now.
    :param now: seconds since the epoch.
    :return: what the wait knows now, and what to do.
    :raises NotebookInstanceError: the class that says why the goal will not be reached.
    """
    towards = _towards_in_service if wait.goal == Goal.IN_SERVICE else _towards_stopped
    wait, action = towards(replace(wait, status=observation.status, troubles=0), observation, now)
    if action is not Action.DONE:
        wait.check_deadline(now)
    return wait, action


def _towards_in_service(wait: WaitState, observation: Observation, now: float) -> tuple[WaitState, Action]:
    name, begun = wait.notebook_instance_name, wait.moved or wait.sends > 0
    match observation.status:
        case Status.IN_SERVICE:
            return wait, Action.DONE
        case Status.DELETING:
            raise exceptions.NotebookInstanceDeleted(name, "It is being deleted.")
        case Status.PENDING:
            return replace(wait, moved=True), Action.WAIT
        case status if status in CAN_START and not begun:
            return wait, Action.START
        case Status.FAILED if wait.moved or observation.last_modified != wait.left_behind:
            raise failure(name, observation.failure_reason)
        case status if (status in CAN_START or status == Status.STOPPING) and wait.moved:
            raise exceptions.NotebookInstanceStopped(
                name, f"Somebody stopped it while the task waited for it (its status is {observation.status})."
            )
        case status if status in CAN_START:
            return wait, _send_again(wait, now, Action.START)
        case _ if observation.status in _ENDS_IN_STOPPED:
            # What follows is a Stopped that nobody asked for: the wait begins anew, and starts it then.
            return replace(wait, moved=False, sends=0, sent_at=None, left_behind=""), Action.WAIT
        case _:
            return wait, Action.WAIT


def _towards_stopped(wait: WaitState, observation: Observation, now: float) -> tuple[WaitState, Action]:
    match observation.status:
        case status if status in CAN_START or status == Status.DELETING:
            return wait, Action.DONE
        case Status.STOPPING:
            return replace(wait, moved=True), Action.DONE if wait.goal == Goal.STOPPING else Action.WAIT
        case status if status in CAN_STOP:
            return wait, Action.STOP if wait.sends == 0 else _send_again(wait, now, Action.STOP)
        case _:
            return wait, Action.WAIT


def _send_again(wait: WaitState, now: float, action: Action) -> Action:
    if wait.sent_at is not None and now - wait.sent_at <= TRANSITION_GRACE_SECONDS:
        return Action.WAIT
    if wait.sends < MAX_SENDS:
        return action
    kind = (
        exceptions.NotebookInstanceStartNotTaken if action is Action.START else exceptions.NotebookInstanceStopNotTaken
    )
    raise kind(
        wait.notebook_instance_name,
        f"It is still {wait.status}, {TRANSITION_GRACE_SECONDS:g} s after the {action.value} was sent a second time.",
    )


def failure(notebook_instance_name: str, reason: str) -> exceptions.NotebookInstanceError:
    """
    Return which error a ``FailureReason`` is.

    :param notebook_instance_name: the notebook instance.
    :param reason: the ``FailureReason`` that Describe gave with the status Failed.
    """
    problem = f"It failed to start. AWS says: {reason or '(no reason given)'}"
    if _LIFECYCLE_CONFIG.search(reason):
        return exceptions.NotebookInstanceLifecycleConfigFailed(
            notebook_instance_name,
            problem,
            "Its output is in CloudWatch Logs, log group /aws/sagemaker/NotebookInstances, log stream "
            f"{notebook_instance_name}/LifecycleConfigOnStart (LifecycleConfigOnCreate for a first start); "
            "fix the script, or let it do its work in the background, then clear the task.",
        )
    if _NO_CAPACITY.search(reason):
        return exceptions.NotebookInstanceNoCapacity(notebook_instance_name, problem)
    if _QUOTA.search(reason) and _OF_NOTEBOOKS.search(reason) and not _OF_SOMETHING_ELSE.search(reason):
        return exceptions.NotebookInstanceQuotaExceeded(notebook_instance_name, problem)
    return exceptions.NotebookInstanceFailed(notebook_instance_name, problem)


def not_found(wait: WaitState, error: exceptions.NotebookInstanceNotFound) -> exceptions.NotebookInstanceError:
    """
    Return which error it is that AWS knows no notebook instance of this name.

    :param wait: what the wait knows.
    :param error: what was raised.
    """
    if not wait.status:
        return error
    return exceptions.NotebookInstanceDeleted(wait.notebook_instance_name, "It was there, and is gone now.")


def transition_overdue_at(wait: WaitState) -> float | None:
    """
    Return from when on the same status again means something new: that a Start or Stop did not take.

    :param wait: what the wait knows.
    :return: seconds since the epoch; ``None``: never, for this wait as it is.
    """
    resting = CAN_START if wait.goal == Goal.IN_SERVICE else CAN_STOP
    if wait.sent_at is None or wait.moved or wait.status not in resting:
        return None
    return wait.sent_at + TRANSITION_GRACE_SECONDS + 1.0


def _in_utc(moment: Any) -> str:
    # The worker's zone need not be the triggerer's, and the two compare what they write.
    return str(moment.astimezone(UTC) if isinstance(moment, datetime) else moment)
