"""The message with the link, independent of the medium: the presigned URL, or the launch page's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from airflow_sagemaker_presign.notifications.message_parts import (
    Fact,
    NextStep,
    arn_of,
    facts_of,
    region_of_workspace,
    steps_of,
    task_page_url,
    workspace_of,
)
from airflow_sagemaker_presign.notifications.times import clock_time
from airflow_sagemaker_presign.wording import format_duration, sentence_case
from airflow_sagemaker_presign.workspaces.base import Workspace

_Step = tuple[str, str, str | None]

PERSONAL = (
    "This link is personal. Anyone who opens it gets the notebook's permissions, without signing in. "
    "Please do not forward it."
)
NO_CREDENTIAL = (
    "This link alone gives no access: you sign in to Airflow, which checks that you may open this notebook. "
    "Forwarding it does not give access to others."
)
BUTTON = "Open the notebook"


@dataclass(frozen=True)
class LinkMessage:
    """The message that the notebook is ready, with the link. A presigned URL is a credential: no ``repr`` shows it."""

    title: str
    subject: str
    """The title with the deadline."""
    lead: str
    """The most important sentence."""
    prompt: str
    """How to open the link, for a preview that does not show it."""
    url: str = field(repr=False)
    facts: tuple[Fact, ...]
    note: str = field(repr=False)
    """The DAG author's own words; may be empty."""
    next_steps: tuple[NextStep, ...]
    next_steps_title: str = "Link expired?"
    is_credential: bool = True
    """Whether whoever holds the link gets in."""
    button = BUTTON

    @property
    def warning(self) -> str:
        """Who can open the link, and whether it may be forwarded."""
        return PERSONAL if self.is_credential else NO_CREDENTIAL


def link_message(context: Mapping[str, Any], *, note: str, zone: tzinfo) -> LinkMessage:
    """
    Write the message with the presigned URL if there is one, otherwise with the launch page's.

    :param context: the context that the operator passes to a notifier: ``presigned_url``, ``launch_url`` or both,
        with ``launch_page_valid_for`` and ``session_expiration_duration``; ``notebook_instance``; and Airflow's own.
    """
    if context.get("presigned_url") is None:
        return _launch_page_message(context, note.strip())
    return _presigned_message(context, note.strip(), zone)


def _presigned_message(context: Mapping[str, Any], note: str, zone: tzinfo) -> LinkMessage:
    presigned_url = context["presigned_url"]
    launch_url = context.get("launch_url")
    works_until = clock_time(presigned_url.expires_at, zone, presigned_url.minted_at)
    workspace = workspace_of(context, presigned_url.name)
    title = f"{workspace.title} {presigned_url.name} is ready"
    # The launch page does all that a cleared task would do, so the message has only one of them.
    again = _launch_page_step(context, workspace) if launch_url else _clear_step(context)
    in_console = _console_step(context, workspace)
    return LinkMessage(
        title=title,
        subject=f"{title}: open it by {works_until}",
        lead=f"Open it by {works_until}. The link works for five minutes only.",
        prompt=f"Open this message and press “{BUTTON}” by {works_until}.",
        url=presigned_url.url,
        facts=facts_of(
            (sentence_case(workspace.noun), presigned_url.name),
            ("Region", region_of_workspace(context, workspace)),
            ("Link works until", works_until),
            ("Session lasts", f"{format_duration(presigned_url.session_expiration_duration)} from when you open it"),
        ),
        note=note,
        next_steps=steps_of(again, in_console) if launch_url else steps_of(in_console, again),
        next_steps_title="Too late?" if launch_url else "Link expired?",
    )


def _launch_page_message(context: Mapping[str, Any], note: str) -> LinkMessage:
    workspace = workspace_of(context)
    name = workspace.name
    title = f"{workspace.title} {name} is ready"
    return LinkMessage(
        title=title,
        subject=f"{title}: open it through Airflow",
        lead=(
            "Sign in to Airflow to open it, as often as you like, "
            f"for {format_duration(context['launch_page_valid_for'])}. "
            "If the notebook was stopped again, the link starts it."
        ),
        prompt=f"Open this message and press “{BUTTON}”.",
        url=context["launch_url"],
        facts=facts_of(
            (sentence_case(workspace.noun), name),
            ("Region", region_of_workspace(context, workspace)),
            ("Link works for", format_duration(context["launch_page_valid_for"])),
            ("Session lasts", f"{format_duration(context['session_expiration_duration'])} from when you open it"),
        ),
        note=note,
        next_steps=steps_of(_console_step(context, workspace), _clear_step(context)),
        is_credential=False,
    )


def _console_step(context: Mapping[str, Any], workspace: Workspace) -> _Step:
    url = workspace.console_open_url(arn_of(context, workspace))
    return "With access to the AWS console:", f"open the {workspace.title.lower()} there", url


def _clear_step(context: Mapping[str, Any]) -> _Step:
    return "For a fresh link:", "open the task in Airflow and clear it", task_page_url(context)


def _launch_page_step(context: Mapping[str, Any], workspace: Workspace) -> _Step:
    lasts = format_duration(context["launch_page_valid_for"])
    what = f"open the {workspace.title.lower()} through Airflow"
    return f"Signed in to Airflow, for {lasts}:", what, context["launch_url"]
