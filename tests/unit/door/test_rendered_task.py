from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.door.refusal import Refusal
from airflow_sagemaker_presign.door.rendered_task import RenderedTask, TaskKey, rendered_task_of

BEGAN = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)
KEY = TaskKey("mornings", "manual__1", "notebook_link")
FIELDS: dict[str, Any] = {
    "notebook_instance_name": "research",
    "aws_conn_id": "aws_default",
    "region_name": None,
    "verify": None,
    "session_expiration_duration": 28800,
    "recipient": "ada@example.com",
    "landing": "lab",
    "allowed_users": None,
    "door_open_for": 604800,
}


def read(now: datetime = BEGAN, **others: Any) -> RenderedTask:
    return rendered_task_of(KEY, {**FIELDS, **others}, try_number=1, began=BEGAN, now=now)


def test_what_a_task_rendered() -> None:
    task = read(
        session_expiration_duration="3600", allowed_users=["ada"], verify="/etc/ca.pem", region_name="eu-west-1"
    )
    assert (task.notebook_instance_name, task.landing, task.allowed_users) == ("research", "lab", ("ada",))
    assert task.session_expiration_duration == timedelta(hours=1)
    assert (task.verify, task.region_name) == ("/etc/ca.pem", "eu-west-1")


def test_it_is_open_for_so_long_and_no_longer() -> None:
    assert read(now=BEGAN + timedelta(days=7)).key == KEY
    with pytest.raises(Refusal) as refusal:
        read(now=BEGAN + timedelta(days=7, seconds=1))
    assert refusal.value.status == 410
    assert "7 days" in refusal.value.words


def test_a_task_of_another_kind_opens_nothing() -> None:
    fields = {"notebook_instance_name": "research", "aws_conn_id": "aws_default"}
    with pytest.raises(Refusal) as refusal:
        rendered_task_of(KEY, fields, try_number=1, began=BEGAN, now=BEGAN)
    assert refusal.value.status == 404


@pytest.mark.parametrize(
    "odd",
    [
        {"notebook_instance_name": "***"},
        {"notebook_instance_name": "{{ params.name }}"},
        {"notebook_instance_name": None},
        {"session_expiration_duration": "8:00:00"},
        {"session_expiration_duration": 100},
        {"landing": "terminal"},
        {"aws_conn_id": {"a": 1}},
        {"region_name": 1},
        {"verify": ["x"]},
        {"door_open_for": "Truncated"},
        {"door_open_for": None},
        {"door_open_for": "nan"},
        {"door_open_for": "inf"},
        {"allowed_users": []},
        {"allowed_users": ""},
        {"allowed_users": "ada"},
        {"allowed_users": "Truncated. You can change this behaviour in [core]max_templated_field_length. ['ada'"},
        {"allowed_users": {"ada": True}},
        {"allowed_users": ["ada", ""]},
        {"allowed_users": ["ada", " "]},
        {"allowed_users": [None]},
        {"allowed_users": False},
        {"allowed_users": 0},
    ],
)
def test_what_makes_no_sense_opens_nothing(odd: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refusal:
        read(**odd)
    assert refusal.value.status == 500
    assert "max_templated_field_length" in refusal.value.words


def test_a_field_that_is_missing_opens_nothing() -> None:
    for name in FIELDS.keys() - {"door_open_for", "recipient"}:
        fields = {field: value for field, value in FIELDS.items() if field != name}
        with pytest.raises(Refusal) as refusal:
            rendered_task_of(KEY, fields, try_number=1, began=BEGAN, now=BEGAN)
        assert refusal.value.status == 500
