"""
The state machine of a wait: what to do in each phase, and what ends the wait, without side effects.

It depends on phases only; :mod:`airflow_sagemaker_presign.workspaces` maps AWS's statuses to phases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum, StrEnum
from typing import Any, Self

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.workspaces.base import CAN_START, CAN_STOP, Observation, Phase, Workspace


class Goal(StrEnum):
    """The phase at which a wait ends."""

    READY = "ready"
    STOPPED = "stopped"
    STOPPING = "stopping"
    """Also ends as soon as the stop is under way."""


class Action(Enum):
    """What to do after an observation."""

    WAIT = "wait"
    START = "start"
    STOP = "stop"
    DONE = "done"


TRANSITION_GRACE_SECONDS = 30.0
"""Seconds until an accepted Start or Stop must show in the status. After that, it is sent once more."""

MAX_SENDS = 2


VERSION = 2
"""The format of :meth:`WaitState.as_dict`. A triggerer must be at least as new as the workers that defer to it."""

_GOALS_OF_VERSION_1 = {"InService": Goal.READY, "Stopped": Goal.STOPPED, "Stopping": Goal.STOPPING}


@dataclass(frozen=True)
class WaitState:
    """
    The state of a wait. It fits into a trigger's arguments, so that a wait survives the process that holds it.

    :param workspace: the workspace.
    :param goal: the phase at which the wait ends.
    :param began_at: when the wait began, in seconds since the epoch.
    :param deadline: when the wait gives up, in seconds since the epoch.
    :param status: the last observed status; empty: none yet.
    :param sent_at: when AWS accepted our last Start or Stop; ``None``: none was sent.
    :param sends: how many were sent.
    :param changed_before_send: ``changed_at`` before our first Start: a failure with the same time is an old one.
    :param moved: whether the workspace has been observed in transition since then.
    :param failed_requests: the number of failed requests in a row (throttled, out of reach).
    """

    workspace: Workspace
    goal: Goal
    began_at: float
    deadline: float
    status: str = ""
    sent_at: float | None = None
    sends: int = 0
    changed_before_send: str = ""
    moved: bool = False
    failed_requests: int = 0

    @property
    def phase(self) -> Phase:
        """The phase of the last observed status."""
        return self.workspace.phase_of(self.status)

    def as_dict(self) -> dict[str, Any]:
        """Return the wait as plain JSON values."""
        return {**asdict(self), "version": VERSION, "workspace": self.workspace.as_dict(), "goal": str(self.goal)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], kind: type[Workspace]) -> Self:
        """
        Return the wait that :meth:`as_dict` of this or an older version wrote.

        :param values: the stored values.
        :param kind: the kind of workspace, which is not stored.
        :raises ValueError: when a newer version wrote them.
        """
        version, values = values.get("version", 1), {key: value for key, value in values.items() if key != "version"}
        if version == 1:
            values["workspace"] = {"notebook_instance_name": values.pop("notebook_instance_name")}
            values["goal"] = _GOALS_OF_VERSION_1[values["goal"]]
            for old, new in (("left_behind", "changed_before_send"), ("troubles", "failed_requests")):
                if old in values:
                    values[new] = values.pop(old)
        elif version != VERSION:
            raise ValueError(
                f"A wait of version {version} was stored by a newer airflow-sagemaker-presign: restart this process "
                "with the version that the workers have."
            )
        return cls(**{**values, "workspace": kind.from_fields(values["workspace"]), "goal": Goal(values["goal"])})

    def after_failed_request(self, problem: str, now: float, advice: str | None = None) -> WaitState:
        """Return the state of the wait after a failed request, or raise the timeout."""
        self.check_deadline(now, problem, advice)
        return replace(self, failed_requests=self.failed_requests + 1)

    def check_deadline(self, now: float, problem: str = "", advice: str | None = None) -> None:
        """Raise the timeout if the deadline has passed; default of the advice: that for a slow start."""
        if now >= self.deadline:
            minutes = (self.deadline - self.began_at) / 60
            raise self.error(
                self.workspace.errors.wait_timeout,
                f"It was not {self.goal} after {minutes:g} min; its last known status is "
                f"{self.status or 'none'}.{' ' + problem if problem else ''}",
                advice,
            )

    def error(
        self, kind: type[exceptions.WorkspaceError], problem: str, advice: str | None = None
    ) -> exceptions.WorkspaceError:
        """Create an error about the workspace of this wait."""
        return kind(self.workspace.name, problem, advice, noun=self.workspace.noun)

    def resumed(self) -> WaitState:
        """Return the wait to continue after it reached its goal: any other status is a later change."""
        return replace(self, moved=True, failed_requests=0)


def transition(wait: WaitState, observation: Observation, now: float) -> tuple[WaitState, Action]:
    """Return the next state of a wait, and what to do; raise an error if the goal will not be reached."""
    towards = _towards_ready if wait.goal is Goal.READY else _towards_stopped
    wait, action = towards(replace(wait, status=observation.status, failed_requests=0), observation, now)
    if action is not Action.DONE:
        wait.check_deadline(now)
    return wait, action


def _towards_ready(wait: WaitState, observation: Observation, now: float) -> tuple[WaitState, Action]:
    errors, begun = wait.workspace.errors, wait.moved or wait.sends > 0
    match observation.phase:
        case Phase.READY:
            return wait, Action.DONE
        case Phase.GONE:
            raise wait.error(errors.deleted, "It is being deleted.")
        case Phase.STARTING:
            return replace(wait, moved=True), Action.WAIT
        case phase if phase in CAN_START and not begun:
            return wait, Action.START
        case Phase.FAILED if wait.moved or observation.changed_at != wait.changed_before_send:
            raise wait.workspace.failure(observation.reason)
        case phase if (phase in CAN_START or phase is Phase.STOPPING) and wait.moved:
            raise wait.error(
                errors.stopped,
                f"It was stopped while the task was waiting for it (its status is {observation.status}).",
            )
        case phase if phase in CAN_START:
            return wait, _send_again(wait, now, Action.START)
        case Phase.CHANGING:
            # An update ends in a stop, which is no reason to fail: the wait starts over, and sends a Start then.
            return replace(wait, moved=False, sends=0, sent_at=None, changed_before_send=""), Action.WAIT
        case _:
            return wait, Action.WAIT


def _towards_stopped(wait: WaitState, observation: Observation, now: float) -> tuple[WaitState, Action]:
    match observation.phase:
        case phase if phase in CAN_START or phase is Phase.GONE:
            return wait, Action.DONE
        case Phase.STOPPING:
            return replace(wait, moved=True), Action.DONE if wait.goal is Goal.STOPPING else Action.WAIT
        case Phase.STARTING | Phase.READY if _was_started_again(wait, observation):
            return wait, Action.DONE
        case phase if phase in CAN_STOP and wait.sends == 0:
            return wait, Action.STOP
        case phase if phase in CAN_STOP and not wait.moved:
            return wait, _send_again(wait, now, Action.STOP)
        case _:
            return wait, Action.WAIT


def _was_started_again(wait: WaitState, observation: Observation) -> bool:
    """Return whether the workspace has stopped since our Stop, and somebody has started it: it is theirs now."""
    # AWS may still return the status from before the Stop, which has the time from before it.
    is_newer = not observation.changed_at or observation.changed_at > wait.changed_before_send
    return wait.sends > 0 and wait.moved and is_newer


def _send_again(wait: WaitState, now: float, action: Action) -> Action:
    if wait.sent_at is not None and now - wait.sent_at <= TRANSITION_GRACE_SECONDS:
        return Action.WAIT
    if wait.sends < MAX_SENDS:
        return action
    errors = wait.workspace.errors
    raise wait.error(
        errors.start_not_taken if action is Action.START else errors.stop_not_taken,
        f"It is still {wait.status}, {TRANSITION_GRACE_SECONDS:g} s after the {action.value} was last sent.",
    )


def not_found(wait: WaitState, error: exceptions.WorkspaceError) -> exceptions.WorkspaceError | None:
    """Return the error of a wait whose workspace does not exist; ``None``: it was to stop, and is gone."""
    if not wait.status:
        return error
    if wait.goal is not Goal.READY:
        return None
    return wait.error(wait.workspace.errors.deleted, "It no longer exists; it was deleted during the wait.")


def transition_overdue_at(wait: WaitState) -> float | None:
    """Return when an unchanged status means that a Start or Stop had no effect; ``None``: none is pending."""
    resting = CAN_START if wait.goal is Goal.READY else CAN_STOP
    if wait.sent_at is None or wait.moved or wait.phase not in resting:
        return None
    return wait.sent_at + TRANSITION_GRACE_SECONDS + 1.0
