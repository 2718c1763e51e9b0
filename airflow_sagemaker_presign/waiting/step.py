"""One step of a wait: observe, decide, send. Worker and triggerer differ only in how they send requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_sagemaker_presign.waiting.state_machine import Action, WaitState, transition
from airflow_sagemaker_presign.workspaces.base import Observation

if TYPE_CHECKING:
    from airflow_sagemaker_presign.hooks.base import WorkspaceHook


@dataclass(frozen=True)
class Step:
    """
    The consequence of an observation.

    :param line: a line for the task's log; empty: the status is unchanged.
    """

    wait: WaitState
    action: Action
    line: str
    _changed_at: str

    @property
    def has_request(self) -> bool:
        """Whether there is a Start or Stop to send."""
        return self.action in (Action.START, Action.STOP)

    def send(self, hook: WorkspaceHook) -> None:
        """Send the Start or Stop."""
        workspace = self.wait.workspace
        if self.action is Action.START:
            hook.start(workspace)
        else:
            hook.stop(workspace)

    def sent(self, now: float) -> WaitState:
        """Return the state of the wait after AWS accepted the request."""
        return replace(
            self.wait,
            sent_at=now,
            sends=self.wait.sends + 1,
            changed_before_send=self.wait.changed_before_send or self._changed_at,
            moved=False,
        )


def decide(wait: WaitState, observation: Observation, now: float) -> Step:
    """Return the step that follows from an observation; raise an error if the goal will not be reached."""
    after, action = transition(wait, observation, now)
    line = "" if after.status == wait.status else f"The {wait.workspace} is {after.status}."
    return Step(after, action, line, observation.changed_at)
