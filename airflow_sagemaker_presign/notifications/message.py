"""What the messages say, whatever the medium: the one with the link, and the one that says why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, NamedTuple

from airflow_sagemaker_presign.exceptions import SageMakerPresignError
from airflow_sagemaker_presign.links import region_of
from airflow_sagemaker_presign.notifications.failed_task import value_of
from airflow_sagemaker_presign.notifications.times import clock_time, format_duration
from airflow_sagemaker_presign.validation import is_template
from airflow_sagemaker_presign.workspaces.base import Workspace
from airflow_sagemaker_presign.workspaces.kinds import kinds

MAX_REASON_LENGTH = 300

_Step = tuple[str, str, str | None]

PERSONAL = (
    "This link is personal. Whoever opens it is in, without signing in, and can do all that the notebook may do. "
    "Please do not forward it."
)
NO_CREDENTIAL = (
    "This link lets nobody in by itself: Airflow asks who you are, and whether you may open this notebook. "
    "Forwarding it gives nobody access."
)
BUTTON = "Open the notebook"


class Fact(NamedTuple):
    """One line of the message's table."""

    label: str
    value: str


class NextStep(NamedTuple):
    """
    Something the reader can do.

    :param lead: for whom or what for.
    :param text: what to do; the words of the link.
    :param url: where.
    """

    lead: str
    text: str
    url: str


@dataclass(frozen=True)
class LinkMessage:
    """
    The notebook is ready: here is the link.

    :param title: the news, as a headline.
    :param subject: the title with the most urgent word, for those who read no further.
    :param lead: the one thing that matters most.
    :param prompt: what to do with the message, where the link itself is not shown.
    :param url: where the button leads. Presigned, it is a credential, so it shows in no ``repr``.
    :param facts: what the reader has to know about link and notebook.
    :param note: the DAG author's own words; may be empty.
    :param when_expired: where to go when the link has ended.
    :param when_expired_title: the question that this answers.
    :param is_credential: whether the link lets in whoever holds it.
    """

    title: str
    subject: str
    lead: str
    prompt: str
    url: str = field(repr=False)
    facts: tuple[Fact, ...]
    note: str = field(repr=False)
    when_expired: tuple[NextStep, ...]
    when_expired_title: str = "Link expired?"
    is_credential: bool = True
    button = BUTTON

    @property
    def warning(self) -> str:
        """What the link lets do, and whom."""
        return PERSONAL if self.is_credential else NO_CREDENTIAL


@dataclass(frozen=True)
class FailureMessage:
    """
    There is no link, and why.

    :param title: the news, as a headline.
    :param problem: what went wrong, in plain words.
    :param advice: what the reader can do about it.
    :param facts: which notebook, which task, which run.
    :param next_steps: where to go.
    """

    title: str
    problem: str
    advice: str
    facts: tuple[Fact, ...]
    next_steps: tuple[NextStep, ...]

    @property
    def subject(self) -> str:
        """The title, for those who read no further."""
        return self.title


def link_message(context: Mapping[str, Any], *, note: str, zone: tzinfo) -> LinkMessage:
    """
    Write the message that brings the link: the presigned one where there is one, else the launch page's.

    :param context: what the operator gives a notifier: ``presigned_url``, ``launch_url`` or both, what is to be said of
        them, ``notebook_instance``, and Airflow's own.
    :param note: the DAG author's own words, rendered.
    :param zone: the time zone in which to say times.
    """
    if context.get("presigned_url") is None:
        return _launch_page_message(context, note.strip())
    return _presigned_message(context, note.strip(), zone)


def _presigned_message(context: Mapping[str, Any], note: str, zone: tzinfo) -> LinkMessage:
    presigned_url = context["presigned_url"]
    launch_url = context.get("launch_url")
    works_until = clock_time(presigned_url.expires_at, zone, presigned_url.minted_at)
    workspace = _workspace(context, presigned_url.name)
    title = f"{workspace.title} {presigned_url.name} is ready"
    # The launch page does all that a cleared task would do, so one of them is enough to read.
    again = _launch_page_step(context, workspace) if launch_url else _clear_step(context)
    in_console = _console_step(context, workspace)
    return LinkMessage(
        title=title,
        subject=f"{title}: open it by {works_until}",
        lead=f"Open it by {works_until}. The link works for five minutes only.",
        prompt=f"Open this message and press “{BUTTON}” by {works_until}.",
        url=presigned_url.url,
        facts=_facts(
            (_label(workspace.noun), presigned_url.name),
            ("Region", region_of(_arn(context, workspace))),
            ("Link works until", works_until),
            ("Session lasts", f"{format_duration(presigned_url.session_expiration_duration)} from when you open it"),
        ),
        note=note,
        when_expired=_steps((again, in_console) if launch_url else (in_console, again)),
        when_expired_title="Too late?" if launch_url else "Link expired?",
    )


def _launch_page_message(context: Mapping[str, Any], note: str) -> LinkMessage:
    workspace = _workspace(context)
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
        facts=_facts(
            (_label(workspace.noun), name),
            ("Region", region_of(_arn(context, workspace))),
            ("Link works for", format_duration(context["launch_page_valid_for"])),
            ("Session lasts", f"{format_duration(context['session_expiration_duration'])} from when you open it"),
        ),
        note=note,
        when_expired=_steps((_console_step(context, workspace), _clear_step(context))),
        is_credential=False,
    )


def failure_message(context: Mapping[str, Any]) -> FailureMessage:
    """
    Write the message that says why there is no link.

    :param context: what Airflow gives an ``on_failure_callback``.
    """
    from airflow_sagemaker_presign.minting.redaction import redact

    error = context.get("exception")
    task_id = str(getattr(context.get("ti"), "task_id", "") or getattr(context.get("task"), "task_id", ""))
    dag_id = str(getattr(context.get("ti"), "dag_id", ""))
    name, noun = _failed_workspace(context)
    return FailureMessage(
        title=redact(_failure_title(context, name, task_id)),
        problem=redact(_problem(error)),
        advice=redact(
            _text_of(error, "advice") or "Read the end of the task's log, fix what it says, then clear the task."
        ),
        facts=_facts(
            (_label(noun), name),
            ("Task", ".".join(filter(None, (dag_id, task_id)))),
            ("Run", str(context.get("run_id") or "")),
        ),
        next_steps=_steps((("For its log, and to run it again:", "open the task in Airflow", _task_page(context)),)),
    )


def _failure_title(context: Mapping[str, Any], name: str, task_id: str) -> str:
    if getattr(context.get("exception"), "delivered", ()):
        return f"Not everybody got the link to notebook {name}"
    task = context.get("task")
    # A mapped task whose row has a bad value was never made, so it has its fields' names only.
    if hasattr(task, "recipient") or "recipient" in getattr(task, "template_fields", ()):
        return f"No link to notebook {name}" if name else "No notebook link"
    which = f"task {task_id}" if task_id else "a task"
    return f"Notebook {name}: {which} failed" if name else f"{which[0].upper()}{which[1:]} failed"


def _failed_workspace(context: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and noun of what a failed task was about; the name is empty where it cannot be known."""
    error = context.get("exception")
    if isinstance(error, SageMakerPresignError) and (name := _text_of(error, "name")):
        return name, _text_of(error, "noun")
    for kind in kinds():
        values = [value_of(context, field) for field in kind.identifiers()]
        # Rendered as a native object a name of digits is a number.
        known = all(isinstance(value, (str, int)) and not is_template(str(value)) for value in values)
        if known and values:
            return str(values[-1]), kind.noun
    return "", "notebook instance"


def _problem(error: object) -> str:
    if problem := _text_of(error, "problem"):
        return problem
    if error is None:
        return "The task ended without saying why; its process may have been killed."
    # Redacted in whole before it is cut: half a token would not be known as one.
    from airflow_sagemaker_presign.delivery.send_errors import error_text
    from airflow_sagemaker_presign.minting.redaction import redact

    reason = redact(error_text(error)).strip().partition("\n")[0].strip()
    if len(reason) > MAX_REASON_LENGTH:
        reason = reason[: MAX_REASON_LENGTH - 1] + "…"
    if isinstance(error, str):
        return reason or "The task failed."
    return f"{type(error).__name__}: {reason}" if reason else f"{type(error).__name__}."


def _text_of(thing: object, attribute: str) -> str:
    value = getattr(thing, attribute, None)
    return value if isinstance(value, str) else ""


def _task_page(context: Mapping[str, Any]) -> str | None:
    """Return the task's page in Airflow; a message must not fail because it cannot be had."""
    try:
        page = context["ti"].log_url
    except Exception:
        return None
    return page if isinstance(page, str) and page.startswith(("https://", "http://")) else None


def _workspace(context: Mapping[str, Any], name: str = "") -> Workspace:
    """Return what the link opens; a context that is not the operator's is about a notebook instance."""
    workspace = context.get("workspace")
    if isinstance(workspace, Workspace):
        return workspace
    from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance

    return NotebookInstance(name or str((context.get("notebook_instance") or {}).get("NotebookInstanceName", "")))


def _label(noun: str) -> str:
    return noun[:1].upper() + noun[1:]


def _arn(context: Mapping[str, Any], workspace: Workspace) -> str:
    return workspace.arn(context.get("workspace_description") or context.get("notebook_instance") or {})


def _console_step(context: Mapping[str, Any], workspace: Workspace) -> _Step:
    url = workspace.console_open_url(_arn(context, workspace))
    return "With access to the AWS console:", f"open the {workspace.title.lower()} there", url


def _clear_step(context: Mapping[str, Any]) -> _Step:
    return "For a fresh link:", "open the task in Airflow and clear it", _task_page(context)


def _launch_page_step(context: Mapping[str, Any], workspace: Workspace) -> _Step:
    lasts = format_duration(context["launch_page_valid_for"])
    what = f"open the {workspace.title.lower()} through Airflow"
    return f"Signed in to Airflow, for {lasts}:", what, context["launch_url"]


def _facts(*facts: tuple[str, str]) -> tuple[Fact, ...]:
    return tuple(Fact(label, value) for label, value in facts if value)


def _steps(steps: tuple[_Step, ...]) -> tuple[NextStep, ...]:
    return tuple(NextStep(lead, text, url) for lead, text, url in steps if url)
