"""The text and the button of the page for each status of the workspace: decisions without side effects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from airflow_sagemaker_presign.exceptions import (
    SageMakerAccessDenied,
    SageMakerUnavailable,
    WorkspaceError,
)
from airflow_sagemaker_presign.launch_page.advice import AIRFLOW_ADMIN, MANAGER, advice_for
from airflow_sagemaker_presign.launch_page.aws_identity import UnusableConnection
from airflow_sagemaker_presign.workspaces.base import Observation, Phase, Workspace

OPEN = "open"
START = "start"
KEEP = "keep"

CHANGING_REFRESH_SECONDS = 3
"""Seconds between two refreshes while the status is about to change."""
IDLE_REFRESH_SECONDS = 15
"""Seconds between two refreshes while the status changes only on a user's action."""

_USUAL = "A start usually takes 2 to 10 minutes."
LONG, VERY_LONG = 10 * 60, 30 * 60
"""Seconds after which a change takes longer than usual, and much longer, so that the page advises to report it."""


@dataclass(frozen=True)
class PageState:
    """
    The part of the page that changes.

    :param status: the status in AWS's words.
    :param problem: what went wrong; empty: nothing.
    :param refused: why the last click had no effect; empty: it had one. Shown until the state changes.
    :param action: what the button does: ``open``, ``start`` or ``keep``; empty: there is no button.
    :param elapsed: the seconds since the status last changed; shown during a transition.
    :param tone: ``good``, ``busy``, ``idle`` or ``bad``.
    """

    status: str
    headline: str
    words: str
    tone: str
    problem: str = ""
    refused: str = ""
    action: str = ""
    button: str = ""
    elapsed: int | None = None
    refresh_seconds: int = IDLE_REFRESH_SECONDS

    @property
    def state(self) -> str:
        """A digest that the page compares to detect a change."""
        shown = "|".join((self.status, self.action, self.headline, self.problem, self.words))
        return hashlib.sha256(shown.encode()).hexdigest()[:16]

    @property
    def elapsed_words(self) -> str:
        """The time since the status last changed; the page's script continues to count in the same words."""
        minutes, seconds = divmod(self.elapsed or 0, 60)
        return f"{minutes} min {seconds} s so far" if minutes else f"{seconds} s so far"

    def after(self, error: WorkspaceError) -> PageState:
        """Return the same state, with the error of the last click."""
        return replace(self, refused=f"{error.problem} {advice_for(error)}")


def page_state_of(
    workspace: Workspace, description: Mapping[str, Any], landing: str | None, now: datetime
) -> PageState:
    """Return what to show for the response of AWS's Describe."""
    observation = workspace.observation_of(description)
    status, elapsed = observation.status, _elapsed(observation, now)
    in_transition = partial(PageState, status, tone="busy", elapsed=elapsed, refresh_seconds=CHANGING_REFRESH_SECONDS)
    match observation.phase:
        case Phase.READY:
            words = f"The {workspace.title.lower()} is running."
            return PageState(status, "Ready", words, "good", action=OPEN, button=workspace.open_button(landing))
        case Phase.STOPPED:
            return PageState(status, "Stopped", _USUAL, "idle", action=START, button="Start and open")
        case Phase.FAILED:
            error = workspace.failure(observation.reason)
            return PageState(
                status,
                "The last start failed",
                advice_for(error),
                "bad",
                problem=error.problem,
                action=START,
                button="Start again and open",
            )
        case Phase.STARTING:
            return in_transition("Starting", _words_of_a_start(elapsed))
        case Phase.STOPPING:
            words = "Once it has stopped, you can start it again here."
            return in_transition("Stopping", _words_of_a_change(words, elapsed))
        case Phase.CHANGING:
            words = "AWS is updating it. Once it has stopped, you can start it here."
            return in_transition("Being updated", _words_of_a_change(words, elapsed))
        case Phase.GONE:
            return PageState(status, "Being deleted", f"Ask {MANAGER} for a new one.", "bad")
        case _:
            words = "This status is unknown to the page, which keeps checking."
            return in_transition(f"Status {status}", _words_of_a_change(words, elapsed))


def _elapsed(observation: Observation, now: datetime) -> int | None:
    """Return the seconds since the status last changed; ``None`` where AWS does not report it."""
    if not observation.changed_at:
        return None
    return max(0, int((now - datetime.fromisoformat(observation.changed_at)).total_seconds()))


def page_state_of_error(error: WorkspaceError, workspace: Workspace) -> PageState:
    """Return what to show when the workspace could not be described."""
    if isinstance(error, SageMakerUnavailable):
        words = f"This page keeps trying. If the problem persists, ask {AIRFLOW_ADMIN}."
        return PageState("unknown", "AWS is not responding right now", words, "bad", error.problem)
    return PageState("unknown", _headline_of(error, workspace), advice_for(error), "bad", error.problem)


def _headline_of(error: WorkspaceError, workspace: Workspace) -> str:
    if isinstance(error, UnusableConnection):
        return "Airflow cannot connect to AWS"
    if isinstance(error, (workspace.errors.not_found, workspace.errors.deleted)):
        return f"There is no such {workspace.title.lower()}"
    if isinstance(error, SageMakerAccessDenied):
        return "Airflow has no access to it"
    return "AWS refused the request"


def _words_of_a_start(elapsed: int | None) -> str:
    follows = "This page updates by itself."
    if (elapsed or 0) < LONG:
        return f"{_USUAL} {follows}"
    if (elapsed or 0) < VERY_LONG:
        return f"This start takes longer than usual; some take half an hour. {follows}"
    return f"This start takes much longer than usual. Ask {MANAGER} to look into it. {follows}"


def _words_of_a_change(words: str, elapsed: int | None) -> str:
    return (
        words
        if (elapsed or 0) < VERY_LONG
        else f"{words} It takes much longer than usual: ask {MANAGER} to look into it."
    )
