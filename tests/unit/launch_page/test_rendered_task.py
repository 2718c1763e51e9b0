from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.launch_page import rendered_task
from airflow_sagemaker_presign.launch_page.http_errors import HttpError
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask, TaskKey, rendered_task_of
from tests.helpers.airflow_database import Sessions, insert

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
    "launch_page_valid_for": 604800,
}


def read(now: datetime = BEGAN, **others: Any) -> RenderedTask:
    return rendered_task_of(KEY, {**FIELDS, **others}, try_number=1, began=BEGAN, now=now)


def test_the_rendered_fields_of_a_task_are_read() -> None:
    task = read(
        session_expiration_duration="3600", allowed_users=["ada"], verify="/etc/ca.pem", region_name="eu-west-1"
    )
    assert (task.workspace.name, task.landing, task.allowed_users) == ("research", "lab", ("ada",))
    assert task.session_expiration_duration == timedelta(hours=1)
    assert (task.verify, task.region_name) == ("/etc/ca.pem", "eu-west-1")


@pytest.mark.parametrize(
    ("rendered", "used"),
    [
        ({"aws_conn_id": 123}, {"aws_conn_id": "123"}),
        ({"region_name": 1}, {"region_name": "1"}),
        ({"verify": "True"}, {"verify": True}),
        ({"verify": " false"}, {"verify": False}),
        ({"session_expiration_duration": timedelta(hours=8)}, {"session_expiration_duration": timedelta(hours=8)}),
        ({"session_expiration_duration": 3600.0}, {"session_expiration_duration": timedelta(hours=1)}),
    ],
)
def test_the_page_reads_fields_as_the_worker_does(rendered: dict[str, Any], used: dict[str, Any]) -> None:
    # Airflow stores values that are not JSON as text.
    stored = json.loads(json.dumps(rendered, default=str))
    task = read(**stored)
    assert {name: getattr(task, name) for name in used} == used


@pytest.mark.parametrize(
    "rendered",
    [
        {"aws_conn_id": ""},
        {"aws_conn_id": " "},
        {"aws_conn_id": "None"},
        {"aws_conn_id": False},
        {"region_name": ""},
        {"region_name": "None"},
        {"verify": ""},
        {"verify": "no"},
        {"verify": 0},
        {"verify": "None"},
    ],
)
def test_fields_that_the_worker_rejects_open_nothing_and_the_page_names_the_field(rendered: dict[str, Any]) -> None:
    with pytest.raises(HttpError) as http_error:
        read(**rendered)
    ((name, value),) = rendered.items()
    assert http_error.value.status == 500
    assert f"fields: {name}={value!r}: must be" in http_error.value.words
    assert "the task fails, too" in http_error.value.words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3600, "for 1 hour from"),
        (5400, "for 1 hour 30 minutes from"),
        (604800, "for 7 days from"),
        (90, "for 1 minute"),
    ],
)
def test_it_is_open_for_so_long_and_no_longer_and_the_page_says_in_words_how_long(seconds: int, words: str) -> None:
    end = BEGAN + timedelta(seconds=seconds)
    assert read(now=end, launch_page_valid_for=seconds).key == KEY
    with pytest.raises(HttpError) as http_error:
        read(now=end + timedelta(seconds=1), launch_page_valid_for=seconds)
    assert http_error.value.status == 410
    assert words in http_error.value.words
    assert "lear the task" not in http_error.value.words
    assert "Ask the sender" in http_error.value.words


def test_a_task_of_another_kind_opens_nothing() -> None:
    fields = {"notebook_instance_name": "research", "aws_conn_id": "aws_default"}
    with pytest.raises(HttpError) as http_error:
        rendered_task_of(KEY, fields, try_number=1, began=BEGAN, now=BEGAN)
    assert http_error.value.status == 404


@pytest.mark.parametrize(
    "odd",
    [
        {"notebook_instance_name": "***"},
        {"notebook_instance_name": "{{ params.name }}"},
        {"notebook_instance_name": None},
        {"session_expiration_duration": "8:00"},
        {"session_expiration_duration": "13:00:00"},
        {"session_expiration_duration": 100},
        {"landing": "terminal"},
        {"aws_conn_id": {"a": 1}},
        {"region_name": 1.5},
        {"verify": ["x"]},
        {"launch_page_valid_for": "Truncated"},
        {"launch_page_valid_for": None},
        {"launch_page_valid_for": "nan"},
        {"launch_page_valid_for": "inf"},
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
def test_invalid_rendered_fields_open_nothing(odd: dict[str, Any]) -> None:
    with pytest.raises(HttpError) as http_error:
        read(**odd)
    assert http_error.value.status == 500
    assert "max_templated_field_length" in http_error.value.words


def test_a_field_that_is_missing_opens_nothing() -> None:
    for name in FIELDS.keys() - {"launch_page_valid_for", "recipient"}:
        fields = {field: value for field, value in FIELDS.items() if field != name}
        with pytest.raises(HttpError) as http_error:
            rendered_task_of(KEY, fields, try_number=1, began=BEGAN, now=BEGAN)
        assert http_error.value.status == 500
        assert "is missing" in http_error.value.words


with_launch_page = pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1")
Set = Callable[..., None]


@pytest.fixture
def put(sessions: Sessions) -> Set:
    """Have the database be otherwise."""

    def put(statement: str, **values: Any) -> None:
        with sessions() as session:
            session.execute(text(statement), values)
            session.commit()

    return put


def dag_of(**task: Any) -> str:
    link = {"task_id": "notebook_link", "template_fields": ["allowed_users"], **task}
    return json.dumps({"dag": {"dag_id": "mornings", "tasks": [{"__var": link, "__type": "operator"}]}})


@pytest.fixture
def ran(sessions: Sessions) -> Sessions:
    """A run of a DAG whose task has opened a notebook for Ada."""
    began = BEGAN.isoformat(" ").removesuffix("+00:00") + ".000000"
    run = {"dag_id": KEY.dag_id, "run_id": KEY.run_id}
    of_task = {**run, "task_id": KEY.task_id, "map_index": -1}
    insert(sessions, "dag", dag_id="mornings", is_stale=False, is_paused=False)
    insert(sessions, "serialized_dag", dag_id="mornings", dag_hash="a", data=dag_of(allowed_users=["ada"]))
    insert(sessions, "dag_run", **run, id=1, start_date=began, run_after=began)
    insert(sessions, "task_instance", **of_task, try_number=1, state="success", start_date=began)
    fields = json.dumps({**FIELDS, "allowed_users": ["ada"]})
    insert(sessions, "rendered_task_instance_fields", **of_task, rendered_fields=fields)
    return sessions


def read_from(sessions: Sessions) -> RenderedTask:
    with sessions() as session:
        return rendered_task.read(KEY, BEGAN, session)


@with_launch_page
def test_what_airflow_keeps_of_a_task(ran: Sessions) -> None:
    task = read_from(ran)
    assert (task.workspace.name, task.allowed_users, task.allowed_now) == ("research", ("ada",), (("ada",),))
    assert task.team_name is None


@with_launch_page
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE dag SET is_stale = 1",
        "UPDATE dag SET is_stale = NULL",
        "DELETE FROM dag",
        "DELETE FROM serialized_dag",
        "UPDATE serialized_dag SET dag_hash = 'b', data = replace(data, 'notebook_link', 'other')",
    ],
)
def test_when_the_dag_or_its_task_is_gone_so_is_the_page(ran: Sessions, put: Set, change: str) -> None:
    read_from(ran)
    if "NULL" in change:
        put("CREATE TABLE d AS SELECT * FROM dag")
        put("DROP TABLE dag")
        put("ALTER TABLE d RENAME TO dag")
    put(change)
    with pytest.raises(HttpError) as http_error:
        read_from(ran)
    assert http_error.value.status == 410


@with_launch_page
def test_a_paused_dag_opens(ran: Sessions, put: Set) -> None:
    put("UPDATE dag SET is_paused = 1")
    assert read_from(ran).key == KEY


@with_launch_page
def test_the_latest_version_of_the_dag_counts(ran: Sessions, put: Set) -> None:
    assert read_from(ran).allowed_now == (("ada",),)
    # A DAG that no run has used since is changed in place ...
    put("UPDATE serialized_dag SET dag_hash = 'b', data = :data", data=dag_of(allowed_users=["grace"]))
    assert read_from(ran).allowed_now == (("grace",),)
    # ... and else there is a new version of it.
    insert(
        ran,
        "serialized_dag",
        id="1" * 32,
        dag_version_id="1" * 32,
        dag_id="mornings",
        dag_hash="b",
        data=dag_of(),
        created_at="2026-06-15 09:31:00",
    )
    assert read_from(ran).allowed_now == (None,)


@with_launch_page
@pytest.mark.parametrize("state", [None, "scheduled", "queued", "restarting"])
def test_fields_rendered_before_a_task_was_cleared_open_nothing(ran: Sessions, put: Set, state: str | None) -> None:
    put("UPDATE task_instance SET state = :state", state=state)
    with pytest.raises(HttpError) as http_error:
        read_from(ran)
    assert http_error.value.status == 409


@with_launch_page
@pytest.mark.parametrize("state", ["running", "deferred", "up_for_retry", "failed", "success"])
def test_a_task_that_has_begun_opens_in_every_state(ran: Sessions, put: Set, state: str) -> None:
    put("UPDATE task_instance SET state = :state", state=state)
    assert read_from(ran).key == KEY


@with_launch_page
def test_a_task_that_goes_on_after_its_wait_opens(ran: Sessions, put: Set) -> None:
    put("UPDATE task_instance SET state = 'scheduled', next_method = 'execute_complete'")
    assert read_from(ran).key == KEY


@with_launch_page
def test_a_run_that_was_deleted_opens_nothing(ran: Sessions, put: Set) -> None:
    put("DELETE FROM task_instance")
    with pytest.raises(HttpError) as http_error:
        read_from(ran)
    assert http_error.value.status == 404


WATCHING: dict[str, Any] = {
    "notebook_instance_name": "research",
    "aws_conn_id": "aws_default",
    "region_name": None,
    "verify": None,
    "recipient": "ada@example.com",
    "allowed_users": ["ada"],
    "idle_for": 3600.0,
    "warn_before": 900.0,
    "at_latest": None,
}


def read_watch(**others: Any) -> RenderedTask:
    fields = {**WATCHING, **others}
    return rendered_task_of(KEY, fields, try_number=1, began=BEGAN, now=BEGAN + timedelta(days=365))


@pytest.mark.parametrize(
    ("idle_for", "duration"),
    [
        (3600.0, timedelta(hours=1)),
        ("3600", timedelta(hours=1)),
        ("1:00:00", timedelta(hours=1)),
        ("1 day, 2:00:00", timedelta(hours=26)),
        ("2 days, 0:00:00", timedelta(days=2)),
    ],
)
def test_a_stop_task_with_an_idle_time_has_a_page_for_as_long_as_it_runs(idle_for: Any, duration: timedelta) -> None:
    task = read_watch(idle_for=idle_for, at_latest="20:00:00")
    assert task.watch == rendered_task.Watch(duration, "20:00:00")
    assert (task.session_expiration_duration, task.allowed_users) == (None, ("ada",))


def test_a_stop_task_without_an_idle_time_has_no_page() -> None:
    with pytest.raises(HttpError) as http_error:
        read_watch(idle_for=None)
    assert http_error.value.status == 404


def test_a_task_that_opens_its_notebook_watches_nothing() -> None:
    assert read().watch is None


@pytest.mark.parametrize(
    "odd",
    [
        {"idle_for": 0},
        {"idle_for": -1},
        {"idle_for": "nan"},
        {"idle_for": "inf"},
        {"idle_for": 1e300},
        {"idle_for": "Truncated"},
        {"idle_for": "9999999999 days, 0:00:00"},
        {"idle_for": []},
        {"at_latest": 7},
        {"at_latest": ["20:00"]},
        {"allowed_users": []},
        {"notebook_instance_name": "***"},
    ],
)
def test_invalid_rendered_fields_of_a_watch_keep_nothing_running(odd: dict[str, Any]) -> None:
    with pytest.raises(HttpError) as http_error:
        read_watch(**odd)
    assert http_error.value.status == 500


@pytest.fixture
def watches(ran: Sessions, put: Set) -> Sessions:
    """A run whose task watches a notebook."""
    put("UPDATE rendered_task_instance_fields SET rendered_fields = :fields", fields=json.dumps(WATCHING))
    return ran


@with_launch_page
@pytest.mark.parametrize(
    ("state", "next_method", "status"),
    [
        ("running", None, 200),
        ("running", "execute_watch", 200),
        ("deferred", "execute_watch", 200),
        ("scheduled", "execute_watch", 200),
        ("queued", "execute_watch", 200),
        ("scheduled", None, 409),
        (None, None, 409),
        ("success", None, 410),
        ("success", "execute_watch", 410),
        ("failed", None, 410),
        ("skipped", None, 410),
        ("removed", None, 410),
        ("upstream_failed", None, 410),
        ("up_for_retry", None, 200),
        ("up_for_reschedule", None, 410),
    ],
)
def test_a_notebook_can_be_kept_running_while_its_task_watches_it(
    watches: Sessions, put: Set, state: str | None, next_method: str | None, status: int
) -> None:
    put("UPDATE task_instance SET state = :state, next_method = :next", state=state, next=next_method)
    if status == 200:
        assert read_from(watches).watch == rendered_task.Watch(timedelta(hours=1), None)
        return
    with pytest.raises(HttpError) as http_error:
        read_from(watches)
    assert http_error.value.status == status
    if status == 410:
        assert "no longer watches this notebook" in http_error.value.words
