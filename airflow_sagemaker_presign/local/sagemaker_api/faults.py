"""Scripted faults of the local SageMaker; each call or start consumes one occurrence."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar


class StartOutcome(StrEnum):
    """How a start of a notebook instance ends."""

    IN_SERVICE = "in-service"
    NO_CAPACITY = "no-capacity"
    LIFECYCLE_TIMEOUT = "lifecycle-timeout"
    DOES_NOT_TAKE = "does-not-take"
    QUOTA = "quota"


class CallError(StrEnum):
    """The error that an API call returns."""

    THROTTLING = "throttling"
    ACCESS_DENIED = "access-denied"
    INTERNAL_FAILURE = "internal-failure"


@dataclass
class ScriptedOutcome:
    """How the next starts of a notebook instance end."""

    outcome: StartOutcome
    notebook: str
    times: int | None


@dataclass
class ScriptedError:
    """The error of the next matching API calls."""

    error: CallError
    operation: str | None
    notebook: str | None
    times: int | None

    def matches(self, operation: str, notebook: str | None) -> bool:
        """Return whether a call matches."""
        return self.operation in (None, operation) and self.notebook in (None, notebook)


Entry = TypeVar("Entry", ScriptedOutcome, ScriptedError)


class SageMakerFaults:
    """The script of failures. ``times=None`` means: every time, until ``clear``."""

    def __init__(self) -> None:
        self._outcomes: list[ScriptedOutcome] = []
        self._errors: list[ScriptedError] = []

    def on_start(self, notebook: str, outcome: StartOutcome | str, times: int | None = None) -> None:
        """
        Decide how starts of a notebook instance end.

        :param notebook: its name.
        :param outcome: ``no-capacity``, ``lifecycle-timeout``, ``does-not-take``, ``quota`` or
            ``in-service``.
        :param times: for how many starts. None: for every start.
        """
        self._outcomes.append(ScriptedOutcome(StartOutcome(outcome), notebook, checked_times(times)))

    def fail_calls(
        self,
        error: CallError | str,
        *,
        operation: str | None = None,
        notebook: str | None = None,
        times: int | None = 1,
    ) -> None:
        """
        Add an error for API calls.

        :param error: ``throttling``, ``access-denied`` or ``internal-failure``.
        :param operation: only this one, for example ``StartNotebookInstance``. None: any.
        :param notebook: only calls that name this notebook instance. None: any.
        :param times: how many calls. None: every call.
        """
        self._errors.append(ScriptedError(CallError(error), operation, notebook, checked_times(times)))

    def clear(self) -> None:
        """Clear the script: everything works again."""
        self._outcomes.clear()
        self._errors.clear()

    def take_outcome(self, notebook: str, among: Collection[StartOutcome] = tuple(StartOutcome)) -> StartOutcome:
        """
        Use up one scripted outcome of this notebook instance's start.

        :param notebook: its name.
        :param among: the outcomes that make sense now; others are left for later.
        """
        scripted = _take(self._outcomes, lambda entry: entry.notebook == notebook and entry.outcome in among)
        return scripted.outcome if scripted else StartOutcome.IN_SERVICE

    def take_error(self, operation: str, notebook: str | None) -> CallError | None:
        """Consume one scripted error of this call, if there is one."""
        scripted = _take(self._errors, lambda entry: entry.matches(operation, notebook))
        return scripted.error if scripted else None

    def as_json(self) -> dict[str, Any]:
        """Return the faults that are still to come."""
        return {
            "starts": [asdict(entry) for entry in self._outcomes],
            "calls": [asdict(entry) for entry in self._errors],
        }


def checked_times(times: int | None) -> int | None:
    """
    Check how often something is to happen.

    :param times: from 1 on. None: always.
    :raises ValueError: when it is less.
    """
    if times is not None and times < 1:
        raise ValueError(f"times must be a whole number from 1 on, or None for always, not {times!r}.")
    return times


def _take(entries: list[Entry], wanted: Callable[[Entry], bool]) -> Entry | None:
    for entry in entries:
        if wanted(entry):
            if entry.times is not None:
                entry.times -= 1
                if entry.times == 0:
                    entries.remove(entry)
            return entry
    return None
