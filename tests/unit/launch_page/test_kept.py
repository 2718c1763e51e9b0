"""The XCom by which the launch page tells a task that somebody keeps its notebook running, in Airflow's own tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE, XCom
from airflow_sagemaker_presign.launch_page import kept
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask, TaskKey
from airflow_sagemaker_presign.usage.stop_warning import KEEP_KEY
from tests.helpers.airflow_database import Sessions, insert

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1")

NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)


@pytest.fixture
def key(sessions: Sessions, task: Callable[..., RenderedTask]) -> TaskKey:
    key = task().key
    insert(sessions, "dag_run", id=1, dag_id=key.dag_id, run_id=key.run_id)
    return key


def write(sessions: Sessions, key: TaskKey, now: datetime) -> None:
    with sessions() as session:
        kept.write(key, now, session)


def read(sessions: Sessions, key: TaskKey) -> datetime | None:
    with sessions() as session:
        return kept.read(key, session)


def stored(sessions: Sessions, key: TaskKey) -> list[Any]:
    from airflow.models.xcom import XComModel

    with sessions() as session:
        return list(session.scalars(select(XComModel.value).where(*key.matches(XComModel), XComModel.key == KEEP_KEY)))


def forge(sessions: Sessions, key: TaskKey, value: Any) -> None:
    from airflow.models.xcom import XComModel

    with sessions() as session:
        session.add(XComModel(**vars(key), dag_run_id=1, key=KEEP_KEY, value=value))
        session.commit()


def test_the_worker_pulls_the_time_in_utc_as_text(sessions: Sessions, key: TaskKey) -> None:
    write(sessions, key, NOW.astimezone(timezone(timedelta(hours=2))))
    (value,) = stored(sessions, key)
    # The execution API passes a stored value on as it is, and the worker deserializes it.
    assert XCom.deserialize_value(SimpleNamespace(key=KEEP_KEY, value=value)) == "2026-06-15T09:30:00+00:00"


def test_a_second_keep_replaces_the_first(sessions: Sessions, key: TaskKey) -> None:
    write(sessions, key, NOW)
    write(sessions, key, NOW + timedelta(minutes=5))
    assert len(stored(sessions, key)) == 1
    assert read(sessions, key) == NOW + timedelta(minutes=5)


def test_a_keep_is_of_one_map_index(sessions: Sessions, key: TaskKey) -> None:
    mapped = replace(key, map_index=1)
    write(sessions, mapped, NOW)
    assert (read(sessions, mapped), read(sessions, key)) == (NOW, None)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-06-15T11:30:00+02:00", NOW),
        ("2026-06-15T09:30:00", NOW),
        ("soon", None),
        ("", None),
        (7, None),
        (None, None),
        ({"a": 1}, None),
        (["2026-06-15"], None),
        # Nothing later can be written in UTC.
        ("9999-12-31T23:59:59-12:00", None),
        ("0001-01-01T00:00:00+12:00", None),
    ],
)
def test_a_forged_xcom_is_a_time_or_nothing(
    sessions: Sessions, key: TaskKey, value: Any, moment: datetime | None
) -> None:
    forge(sessions, key, value)
    assert read(sessions, key) == moment
