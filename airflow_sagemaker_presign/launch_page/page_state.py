"""What the page says and offers for each status of the notebook instance: decisions without side effects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_sagemaker_presign.exceptions import (
    NotebookInstanceAccessDenied,
    NotebookInstanceDeleted,
    NotebookInstanceError,
    NotebookInstanceNotFound,
    SageMakerUnavailable,
)
from airflow_sagemaker_presign.launch_page.advice import AIRFLOW_ADMIN, MANAGER, advice_for
from airflow_sagemaker_presign.launch_page.aws_identity import UnusableConnection
from airflow_sagemaker_presign.validation import Landing
from airflow_sagemaker_presign.waiting import state_machine
from airflow_sagemaker_presign.waiting.state_machine import Status

OPEN = "open"
START = "start"

CHANGING_REFRESH_SECONDS = 3
"""Seconds between two observations while the status is about to change."""
IDLE_REFRESH_SECONDS = 15
"""The same while it changes only if somebody does something."""

_BUTTONS = {"lab": "Open JupyterLab", "classic": "Open Jupyter", None: "Open the notebook"}
_USUAL = "A start usually takes 2 to 10 minutes."
LONG, VERY_LONG = 10 * 60, 30 * 60
"""Seconds after which a change takes longer than usual, and so long that somebody has to look after it."""


@dataclass(frozen=True)
class PageState:
    """
    The part of the page that changes.

    :param status: the notebook instance's, in SageMaker's words.
    :param headline: what that means.
    :param words: what to do, or what happens next.
    :param problem: what went wrong; mostly empty.
    :param refused: why the click that led here did nothing; mostly empty. It stays until the state changes.
    :param action: what the button does: ``open``, ``start`` or nothing.
    :param button: the button's words.
    :param elapsed: for how many seconds the status has been what it is; shown while it is on its way.
    :param refresh_seconds: seconds until the page looks again.
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
        """What the page compares to see that something changed."""
        shown = "|".join((self.status, self.action, self.headline, self.problem, self.words))
        return hashlib.sha256(shown.encode()).hexdigest()[:16]

    @property
    def elapsed_words(self) -> str:
        """How long the status has been what it is; the page's script goes on counting in the same words."""
        minutes, seconds = divmod(self.elapsed or 0, 60)
        return f"{minutes} min {seconds} s so far" if minutes else f"{seconds} s so far"

    def after(self, error: NotebookInstanceError) -> PageState:
        """Return the same, with what went wrong when the button was pressed."""
        return replace(self, refused=f"{error.problem} {advice_for(error)}")


def page_state_of(description: Mapping[str, Any], landing: Landing | None, now: datetime) -> PageState:
    """
    Return what to show.

    :param description: what DescribeNotebookInstance answered.
    :param landing: which page the notebook opens with.
    :param now: the time.
    """
    name, status = description["NotebookInstanceName"], description["NotebookInstanceStatus"]
    elapsed = max(0, int((now - description["LastModifiedTime"]).total_seconds()))
    match status:
        case Status.IN_SERVICE:
            return PageState(status, "Ready", "The notebook is running.", "good", action=OPEN, button=_BUTTONS[landing])
        case Status.STOPPED:
            return PageState(status, "Stopped", _USUAL, "idle", action=START, button="Start and open")
        case Status.FAILED:
            error = state_machine.failure(name, description.get("FailureReason", ""))
            return PageState(
                status,
                "The last start failed",
                advice_for(error),
                "bad",
                problem=error.problem,
                action=START,
                button="Start again and open",
            )
        case Status.PENDING:
            return PageState(
                status,
                "Starting",
                _words_of_a_start(elapsed),
                "busy",
                elapsed=elapsed,
                refresh_seconds=CHANGING_REFRESH_SECONDS,
            )
        case Status.STOPPING:
            words = _words_of_a_change("Once it has stopped it can be started again, here.", elapsed)
            return PageState(
                status, "Stopping", words, "busy", elapsed=elapsed, refresh_seconds=CHANGING_REFRESH_SECONDS
            )
        case Status.UPDATING | Status.PENDING_MAINTENANCE | Status.IN_MAINTENANCE:
            words = _words_of_a_change("AWS is changing it. Once it has stopped it can be started, here.", elapsed)
            return PageState(
                status, "Being changed", words, "busy", elapsed=elapsed, refresh_seconds=CHANGING_REFRESH_SECONDS
            )
        case Status.DELETING:
            return PageState(status, "Being deleted", f"Ask {MANAGER} for a new one.", "bad")
        case _:
            words = _words_of_a_change("This status is not known here. This page goes on looking.", elapsed)
            return PageState(
                status, f"Status {status}", words, "busy", elapsed=elapsed, refresh_seconds=CHANGING_REFRESH_SECONDS
            )


def page_state_of_error(error: NotebookInstanceError) -> PageState:
    """Return what to show when AWS did not say how the notebook instance is."""
    if isinstance(error, SageMakerUnavailable):
        words = f"This page goes on trying. If it stays like this, ask {AIRFLOW_ADMIN}."
        return PageState("unknown", "AWS does not answer just now", words, "bad", error.problem)
    return PageState("unknown", _headline_of(error), advice_for(error), "bad", error.problem)


def _headline_of(error: NotebookInstanceError) -> str:
    if isinstance(error, UnusableConnection):
        return "Airflow cannot ask AWS"
    if isinstance(error, NotebookInstanceNotFound | NotebookInstanceDeleted):
        return "There is no such notebook"
    if isinstance(error, NotebookInstanceAccessDenied):
        return "Airflow has no access to it"
    return "AWS says no"


def _words_of_a_start(elapsed: int) -> str:
    follows = "This page follows it."
    if elapsed < LONG:
        return f"{_USUAL} {follows}"
    if elapsed < VERY_LONG:
        return f"This start takes longer than usual; some take half an hour. {follows}"
    return f"This start takes much longer than usual. Ask {MANAGER} to look into it. {follows}"


def _words_of_a_change(words: str, elapsed: int) -> str:
    return words if elapsed < VERY_LONG else f"{words} It takes much longer than usual: ask {MANAGER} to look into it."
