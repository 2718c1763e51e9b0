"""The text and the button of the page of a task that stops its notebook once it is idle: without side effects."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from airflow_sagemaker_presign.launch_page.page_state import KEEP, OPEN, PageState
from airflow_sagemaker_presign.launch_page.rendered_task import Watch
from airflow_sagemaker_presign.notifications.times import clock_time
from airflow_sagemaker_presign.wording import format_duration


def of(
    page_state: PageState, watch: Watch, kept_at: datetime | None, now: datetime, *, is_unknown: bool = False
) -> PageState:
    """
    Return what the page of a watch shows.

    :param page_state: what the page of a task that opens the same notebook would show.
    :param kept_at: when somebody last kept the notebook running.
    :param is_unknown: whether nobody knows if the notebook runs, since AWS did not describe it.
    """
    if page_state.action != OPEN and not is_unknown:
        words = "The button “Keep it running” is on this page while the notebook is running."
        return replace(page_state, words=words, action="", button="")
    words = _words(watch, kept_at, now)
    if is_unknown:
        return replace(page_state, words=f"{page_state.words} {words}", action=KEEP, button="Keep it running")
    headline = "Airflow stops it when it is idle"
    return replace(page_state, headline=headline, words=words, action=KEEP, button="Keep it running")


def _words(watch: Watch, kept_at: datetime | None, now: datetime) -> str:
    idle_for = format_duration(watch.idle_for)
    words = (
        f"It is stopped once nothing has run in it for {idle_for}. “Keep it running” keeps it running for at least "
        f"{idle_for} from now; there is another warning before it is stopped."
    )
    if watch.at_latest:
        words += " Its DAG also sets a latest time for the stop, which nobody can put off; the task’s log says when."
    if kept_at is not None:
        words += f" Kept at {clock_time(kept_at, UTC, now)}."
    return words
