"""What the page says and offers for each status of the notebook instance: decisions without side effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_sagemaker_presign import lifecycle
from airflow_sagemaker_presign.door.connections import UnusableConnection
from airflow_sagemaker_presign.exceptions import NotebookInstanceError, SageMakerUnavailable
from airflow_sagemaker_presign.lifecycle import Status
from airflow_sagemaker_presign.parameters import Landing

OPEN = "open"
START = "start"

ON_THE_WAY = 3
"""Seconds between two looks while the status is about to change."""
AT_REST = 15
"""The same while it changes only if somebody does something."""

_BUTTONS = {"lab": "Open JupyterLab", "classic": "Open Jupyter", None: "Open the notebook"}
_USUAL = "A start usually takes 2 to 10 minutes."


@dataclass(frozen=True)
class View:
    """
    The part of the page that changes.

    :param status: the notebook instance's, in SageMaker's words.
    :param headline: what that means.
    :param words: what to do, or what happens next.
    :param problem: what went wrong; mostly empty.
    :param action: what the button does: ``open``, ``start`` or nothing.
    :param button: the button's words.
    :param elapsed: for how many seconds the status has been what it is; shown while it is on its way.
    :param look_again: seconds until the page looks again.
    :param tone: ``good``, ``busy``, ``idle`` or ``bad``.
    """

    status: str
    headline: str
    words: str
    tone: str
    problem: str = ""
    action: str = ""
    button: str = ""
    elapsed: int | None = None
    look_again: int = AT_REST

    @property
    def state(self) -> str:
        """What the page compares to see that something changed."""
        return "|".join((self.status, self.action, self.headline, self.problem))

    def after(self, error: NotebookInstanceError) -> View:
        """Answer the same, with what went wrong when the button was pressed."""
        return replace(self, problem=error.problem)


def view_of(description: Mapping[str, Any], landing: Landing | None, now: datetime) -> View:
    """
    Say what to show.

    :param description: what DescribeNotebookInstance answered.
    :param landing: which page the notebook opens with.
    :param now: the time.
    """
    name, status = description["NotebookInstanceName"], description["NotebookInstanceStatus"]
    elapsed = max(0, int((now - description["LastModifiedTime"]).total_seconds()))
    match status:
        case Status.IN_SERVICE:
            return View(status, "Ready", "The notebook is running.", "good", action=OPEN, button=_BUTTONS[landing])
        case Status.STOPPED:
            return View(status, "Stopped", _USUAL, "idle", action=START, button="Start and open")
        case Status.FAILED:
            error = lifecycle.failure(name, description.get("FailureReason", ""))
            return View(
                status, "The last start failed", error.advice, "bad", error.problem, START, "Start again and open"
            )
        case Status.PENDING:
            words = f"{_USUAL} This page follows it; you can leave and come back."
            return View(status, "Starting", words, "busy", elapsed=elapsed, look_again=ON_THE_WAY)
        case Status.STOPPING:
            words = "Once it has stopped it can be started again, here."
            return View(status, "Stopping", words, "busy", elapsed=elapsed, look_again=ON_THE_WAY)
        case Status.UPDATING | Status.PENDING_MAINTENANCE | Status.IN_MAINTENANCE:
            words = "AWS is changing it. Once it has stopped it can be started, here."
            return View(status, "Being changed", words, "busy", elapsed=elapsed, look_again=ON_THE_WAY)
        case Status.DELETING:
            return View(status, "Being deleted", "Ask whoever manages the notebooks for a new one.", "bad")
        case _:
            words = "This status is not known here. This page goes on looking."
            return View(status, f"Status {status}", words, "busy", elapsed=elapsed, look_again=ON_THE_WAY)


def view_of_trouble(error: NotebookInstanceError) -> View:
    """Say what to show when AWS did not say how the notebook instance is."""
    if isinstance(error, SageMakerUnavailable):
        words = "This page goes on trying."
        return View("unknown", "AWS does not answer just now", words, "bad", error.problem)
    if isinstance(error, UnusableConnection):
        return View("unknown", "Airflow cannot ask AWS", error.advice, "bad", error.problem)
    return View("unknown", "AWS says no", error.advice, "bad", error.problem)
