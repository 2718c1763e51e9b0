"""The message that Airflow is about to stop a notebook, independent of the medium."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from airflow_sagemaker_presign.minting.redaction import redact
from airflow_sagemaker_presign.notifications.message_parts import (
    Fact,
    NextStep,
    facts_of,
    region_of_workspace,
    steps_of,
    task_page_url,
    workspace_of,
)
from airflow_sagemaker_presign.notifications.times import clock_time
from airflow_sagemaker_presign.usage.stop_warning import StopWarning
from airflow_sagemaker_presign.wording import format_duration, sentence_case

MAX_USE_LENGTH = 300
"""The length of what runs, or of why nobody knows: kernels have names that people give them."""

LOSS = "A stop ends running kernels, and unsaved work is lost. Saved files stay."
BUTTON = "Keep it running"


@dataclass(frozen=True)
class StopWarningMessage:
    """The message that a notebook will be stopped, and how to keep it running. Nothing in it is a credential."""

    title: str
    lead: str
    """The most important sentences: when it stops, and what is known about its use."""
    prompt: str
    """What to do, for a preview that does not show the message."""
    warning: str
    """What can be done about the stop, and what the stop does to unsaved work."""
    url: str
    """The page with the button that keeps it running; empty if there is none."""
    facts: tuple[Fact, ...]
    note: str = field(repr=False)
    """The DAG author's own words; may be empty."""
    next_steps: tuple[NextStep, ...]
    next_steps_title: str
    button = BUTTON
    is_credential = False

    @property
    def subject(self) -> str:
        """The title, for subject lines."""
        return self.title


class _Advice(NamedTuple):
    """What can be done about a stop."""

    prompt: str
    text: str
    step_title: str = ""
    step: tuple[str, str] | None = None
    """A lead, and the text of the link to the task's page."""


def stop_warning_message(context: Mapping[str, Any], *, note: str, zone: tzinfo, now: datetime) -> StopWarningMessage:
    """
    Write the message about a stop that is about to happen.

    :param context: the context that the operator passes to a notifier: ``stop_warning``, ``workspace``,
        ``workspace_description``, ``launch_url`` (empty: there is no launch page); and Airflow's own.
    :param note: the DAG author's own words.
    :param zone: the time zone of the times in the message.
    :param now: the moment that defines "today".
    """
    warning: StopWarning = context["stop_warning"]
    workspace = workspace_of(context)
    stops_at = clock_time(warning.stops_at, zone, now)
    idle_since = "" if warning.idle_since is None else clock_time(warning.idle_since, zone, now)
    url = "" if warning.at_latest else str(context.get("launch_url") or "")
    advice = _advice(context, warning, url, zone, now)
    return StopWarningMessage(
        title=f"{workspace.title} {workspace.name} will be stopped at {stops_at}",
        lead=_lead(warning, stops_at, idle_since),
        prompt=advice.prompt,
        warning=f"{advice.text} {LOSS}",
        url=url,
        facts=facts_of(
            (sentence_case(workspace.noun), workspace.name),
            ("Region", region_of_workspace(context, workspace)),
            ("Instance type", _instance_type(context)),
            ("Idle since", idle_since),
            ("Stops at", stops_at),
            *(() if url else (("Task", _task(context)), ("Run", str(context.get("run_id") or "")))),
        ),
        note=note.strip(),
        next_steps=steps_of((*advice.step, task_page_url(context))) if advice.step else (),
        next_steps_title=advice.step_title,
    )


def _lead(warning: StopWarning, stops_at: str, idle_since: str) -> str:
    if warning.at_latest:
        return f"Airflow stops it at {stops_at}, whatever runs in it. {_use(warning, idle_since)}"
    stop = f"Airflow stops it at {stops_at} unless it is used or kept running."
    return f"{_idle(idle_since)} {stop}" if idle_since else stop


def _use(warning: StopWarning, idle_since: str) -> str:
    """Return what is known about the use of a notebook that stops in any case."""
    if warning.running:
        return f"Running in it right now: {_one_line(warning.running)}."
    if warning.unknown:
        return f"Nobody knows whether it is in use: {_one_line(warning.unknown)}."
    return _idle(idle_since) if idle_since else "Nothing runs in it right now."


def _idle(idle_since: str) -> str:
    return f"Nothing has run in it since {idle_since}."


def _advice(context: Mapping[str, Any], warning: StopWarning, url: str, zone: tzinfo, now: datetime) -> _Advice:
    if warning.at_latest:
        return _Advice(
            "Please save your work before then.",
            "Please save your work before then: it cannot be kept running past this time.",
            "Need it longer?",
            ("The people who run this task can help:", "open the task in Airflow"),
        )
    if url:
        # What is said must be true if `at_latest` comes first.
        latest_at = warning.latest_at
        ends_sooner = latest_at is not None and latest_at < warning.stops_at + warning.idle_for
        until = f", until {clock_time(latest_at, zone, now)} at the latest" if latest_at and ends_sooner else ""
        return _Advice(
            f"Open this message and press “{BUTTON}” if you still need it.",
            f"“{BUTTON}” opens a page in Airflow: sign in, and press the button there. The notebook then stays on for "
            f"at least {format_duration(warning.idle_for)} more{until}.",
        )
    task = " ".join(filter(None, ("the task", _task(context))))
    return _Advice(
        "If you still need it, mark the task as success in Airflow.",
        f"To keep it running, open {task} in Airflow and mark it as success: then nothing is stopped.",
        "Still need it?",
        ("To keep it running:", "open the task in Airflow and mark it as success"),
    )


def _task(context: Mapping[str, Any]) -> str:
    """Return the task with its DAG, and which one of a mapped task's instances it is."""
    ti = context.get("ti")
    name = ".".join(filter(None, (str(getattr(ti, "dag_id", "")), str(getattr(ti, "task_id", "")))))
    map_index = getattr(ti, "map_index", -1)
    return f"{name} (map index {map_index})" if isinstance(map_index, int) and map_index >= 0 else name


def _instance_type(context: Mapping[str, Any]) -> str:
    return str((context.get("workspace_description") or {}).get("InstanceType") or "")


def _one_line(text: str) -> str:
    """Return a text from outside as the end of a sentence, without its full stop."""
    # Redact first, then cut: the redaction does not recognise half a token.
    line = " ".join(redact(text).split())
    return (line if len(line) <= MAX_USE_LENGTH else line[: MAX_USE_LENGTH - 1] + "…").rstrip(".")
