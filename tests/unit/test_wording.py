from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_sagemaker_presign.wording import format_duration, sentence_case


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (604800, "7 days"),
        (129600, "1 day 12 hours"),
        (1800, "30 minutes"),
        (3600, "1 hour"),
        (5400, "1 hour 30 minutes"),
        (28800, "8 hours"),
        (43200, "12 hours"),
        (1861, "31 minutes 1 second"),
        (0, "0 seconds"),
    ],
)
def test_a_duration_is_written_in_words(seconds: int, words: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("text", "as_a_sentence"),
    [
        ("notebook instance", "Notebook instance"),
        ("MLflow tracking server", "MLflow tracking server"),
        ("ml.t3.medium of Ada", "Ml.t3.medium of Ada"),
        ("SageMaker Studio space", "SageMaker Studio space"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_and_keeps_the_others(text: str, as_a_sentence: str) -> None:
    assert sentence_case(text) == as_a_sentence
