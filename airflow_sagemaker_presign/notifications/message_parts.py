"""The parts that every message has: facts about the workspace and task, and next steps for the reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_sagemaker_presign.links import region_of
from airflow_sagemaker_presign.workspaces.base import Workspace


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


def workspace_of(context: Mapping[str, Any], name: str = "") -> Workspace:
    """Return the workspace that a message is about; in a context that no operator made, a notebook instance."""
    workspace = context.get("workspace")
    if isinstance(workspace, Workspace):
        return workspace
    from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

    return NotebookInstance(name or str((context.get("notebook_instance") or {}).get("NotebookInstanceName", "")))


def arn_of(context: Mapping[str, Any], workspace: Workspace) -> str:
    """Return the workspace's ARN, as AWS's description in the context has it; empty if it has none."""
    return workspace.arn(context.get("workspace_description") or context.get("notebook_instance") or {})


def region_of_workspace(context: Mapping[str, Any], workspace: Workspace) -> str:
    """Return the workspace's region; empty if it is not known."""
    return region_of(arn_of(context, workspace))


def task_page_url(context: Mapping[str, Any]) -> str | None:
    """Return the URL of the task's page in Airflow; ``None`` if it is not known, so that the message is still sent."""
    try:
        page = context["ti"].log_url
    except Exception:
        return None
    return page if isinstance(page, str) and page.startswith(("https://", "http://")) else None
