"""What the page advises is for the person in front of it, who can neither clear a task nor change a DAG."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_sagemaker_presign.exceptions import SageMakerUnavailable, WorkspaceError
from airflow_sagemaker_presign.launch_page.advice import ADVICE, advice_for
from airflow_sagemaker_presign.launch_page.page_state import page_state_of_error
from tests.helpers.scripted_sagemaker import RESEARCH

FOR_SOMEBODY_ELSE = ("clear the task", "the task", "worker", "operator", "timeout", "parameter", "notifier", "README")


def kinds(kind: type[WorkspaceError] = WorkspaceError) -> Iterator[type[WorkspaceError]]:
    yield kind
    for narrower in kind.__subclasses__():
        # Other tests make classes of their own, and the launch page has one whose words are for its page.
        if narrower.__module__ == "airflow_sagemaker_presign.exceptions":
            yield from kinds(narrower)


@pytest.mark.parametrize("kind", list(kinds()))
def test_each_error_has_advice_for_the_page(kind: type[WorkspaceError]) -> None:
    assert kind in ADVICE
    advice = advice_for(kind("research", "AWS said no."))
    assert [words for words in FOR_SOMEBODY_ELSE if words.lower() in advice.lower()] == []
    assert "{" not in advice


def test_an_unlisted_error_gets_the_advice_of_its_kind() -> None:
    class SageMakerOnHoliday(SageMakerUnavailable):
        pass

    assert advice_for(SageMakerOnHoliday("research", "No.")) == ADVICE[SageMakerUnavailable]


@pytest.mark.parametrize("kind", list(kinds()))
def test_an_errors_own_advice_for_the_author_is_not_shown(kind: type[WorkspaceError]) -> None:
    seen = page_state_of_error(kind("research", "AWS said no.", "Fix the connection, then clear the task."), RESEARCH)
    assert "clear the task" not in seen.words
    assert seen.problem == "AWS said no."
