"""The parts that every message has: facts about the workspace and task, and next steps for the reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Fact(NamedTuple):
    """One row of a message's table: a label, such as ``Region``, and its value."""

    label: str
    value: str


class NextStep(NamedTuple):
    """Something that the reader can do."""

    lead: str
    """The situation or purpose that the step is for."""
    text: str
    """What to do; the text of the link."""
    url: str


def facts_of(*facts: tuple[str, str]) -> tuple[Fact, ...]:
    """Return the facts that have a value."""
    return tuple(Fact(label, value) for label, value in facts if value)


def steps_of(*steps: tuple[str, str, str | None]) -> tuple[NextStep, ...]:
    """Return the steps that have a URL."""
    return tuple(NextStep(lead, text, url) for lead, text, url in steps if url)


def task_page_url(context: Mapping[str, Any]) -> str | None:
    """Return the URL of the task's page in Airflow; ``None`` if it is not known, so that the message is still sent."""
    try:
        page = context["ti"].log_url
    except Exception:
        return None
    return page if isinstance(page, str) and page.startswith(("https://", "http://")) else None
