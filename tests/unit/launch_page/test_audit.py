"""What the audit log lets happen and what it keeps, in a database of Airflow's tables."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.launch_page import audit
from airflow_sagemaker_presign.launch_page.current_user import CurrentUser
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask
from tests.helpers.airflow_database import Sessions, insert

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1")

Make = Callable[..., RenderedTask]

ADA = CurrentUser("7", "ada", "ada", None, "127.0.0.1", may_see=True, may_edit=True)
GRACE = replace(ADA, user_id="8", name="grace")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def rows(sessions: Sessions) -> Callable[[], list[tuple[str, str, dict[str, Any]]]]:
    def rows() -> list[tuple[str, str, dict[str, Any]]]:
        from airflow.models.log import Log

        with sessions() as session:
            found = session.execute(select(Log.event, Log.owner, Log.extra).order_by(Log.id)).all()
        return [(event, str(owner), json.loads(extra or "{}")) for event, owner, extra in found]

    return rows


def claim(
    sessions: Sessions, task: RenderedTask, current_user: CurrentUser = ADA, limit: audit.Limit = audit.MINTS
) -> int:
    with sessions() as session:
        return audit.claim(limit, task, current_user, now(), session)


def test_six_of_40_concurrent_clicks_may_mint(sessions: Sessions, rows: Any, task: Make) -> None:
    together = threading.Barrier(40)

    def click() -> int:
        together.wait(60)
        return claim(sessions, task())

    with ThreadPoolExecutor(40) as pool:
        waits = [future.result() for future in [pool.submit(click) for _ in range(40)]]
    assert waits.count(0) == 6
    assert all(0 < wait <= 60 for wait in waits if wait)
    assert [row[:2] for row in rows()] == [(audit.OPEN, "ada")] * 6


def test_a_user_who_keeps_clicking_may_mint_again_after_a_minute(sessions: Sessions, task: Make) -> None:
    for _ in range(6):
        assert claim(sessions, task()) == 0
    for _ in range(20):
        assert 0 < claim(sessions, task()) <= 60
    with sessions() as session:
        session.execute(text("UPDATE log SET dttm = :then"), {"then": (now() - timedelta(seconds=61)).isoformat(" ")})
        session.commit()
    assert claim(sessions, task()) == 0


def test_the_limit_is_of_a_person_and_a_task_instance(sessions: Sessions, task: Make) -> None:
    key = task().key
    for _ in range(6):
        claim(sessions, task())
    assert claim(sessions, task()) > 0
    assert claim(sessions, task(), GRACE) == 0
    assert claim(sessions, task(key=replace(key, map_index=1))) == 0
    assert claim(sessions, task(key=replace(key, run_id="manual__2"))) == 0
    # A mint does not count as a start.
    assert claim(sessions, task(), ADA, audit.STARTS) == 0


def test_a_start_that_another_api_server_has_just_sent_is_not_sent_again(
    sessions: Sessions, rows: Any, task: Make
) -> None:
    assert claim(sessions, task(), ADA, audit.STARTS) == 0
    assert claim(sessions, task(), GRACE, audit.STARTS) > 0
    assert [row[:2] for row in rows()] == [(audit.START, "ada")]


def test_denied_requests_are_written_to_the_audit_log(sessions: Sessions, rows: Any, task: Make) -> None:
    key = task().key
    insert(sessions, "task_instance", **asdict(key))
    denials = audit.DenialLog(sessions)
    denials.record(audit.OPEN, key, ADA, "You have no access")
    denials.record(audit.START, key, GRACE, "The request came from another page")
    said = {"address": "127.0.0.1"}
    assert rows() == [
        ("open_sagemaker_notebook_instance_refused", "ada", {**said, "error": "You have no access"}),
        ("start_sagemaker_notebook_instance_refused", "grace", {**said, "error": "The request came from another page"}),
    ]


def test_nothing_is_recorded_for_a_missing_task_instance(sessions: Sessions, rows: Any, task: Make) -> None:
    insert(sessions, "task_instance", **asdict(task().key))
    denials = audit.DenialLog(sessions)
    for other in ({"task_id": "x" * 5000}, {"dag_id": "'; --"}, {"map_index": 3}):
        denials.record(audit.OPEN, replace(task().key, **other), ADA, "You have no access")
    assert rows() == []


def test_denied_requests_do_not_fill_the_audit_log(sessions: Sessions, rows: Any, task: Make) -> None:
    clock = 0.0
    key = task().key
    insert(sessions, "task_instance", **asdict(key))
    denials = audit.DenialLog(sessions, timer=lambda: clock)
    for clock in range(50):  # noqa: B007
        denials.record(audit.OPEN, key, ADA, "You have no access")
    assert len(rows()) == audit.MAX_DENIALS_PER_MINUTE
    # Somebody else's are written all the same, and theirs elsewhere; and theirs here again, a minute after the first.
    denials.record(audit.OPEN, key, GRACE, "You have no access")
    elsewhere = replace(key, map_index=1)
    insert(sessions, "task_instance", **asdict(elsewhere), id="1" * 32)
    denials.record(audit.OPEN, elsewhere, ADA, "You have no access")
    clock = 61
    denials.record(audit.OPEN, key, ADA, "You have no access")
    assert [owner for _, owner, _ in rows()[-3:]] == ["grace", "ada", "ada"]
