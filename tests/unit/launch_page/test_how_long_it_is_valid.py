from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.launch_page.rendered_task import TaskKey, rendered_task_of

BEGAN = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3600, "for 1 hour from"),
        (5400, "for 1 hour 30 minutes from"),
        (604800, "for 7 days from"),
        (90, "for 1 minute"),
    ],
)
def test_the_page_of_a_link_that_has_ended_says_in_words_how_long_it_was_open(seconds: int, words: str) -> None:
    fields = {
        "launch_page_valid_for": seconds,
        "notebook_instance_name": "research",
        "session_expiration_duration": 3600,
        "landing": "lab",
        "aws_conn_id": "aws_default",
        "region_name": None,
        "verify": None,
        "allowed_users": None,
    }
    key, late = TaskKey("mornings", "manual__1", "notebook_link"), BEGAN + timedelta(days=30)
    with pytest.raises(HttpError) as http_error:
        rendered_task_of(key, fields, try_number=1, began=BEGAN, now=late)
    assert words in http_error.value.words
    assert "lear the task" not in http_error.value.words
    assert "Ask the sender" in http_error.value.words
