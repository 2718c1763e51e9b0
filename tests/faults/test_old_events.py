"""A task that gets its slot long after the trigger's event: what was true then need not be true any more."""

from __future__ import annotations

import pytest

from airflow_sagemaker_presign import exceptions
from tests.faults.faults import throttles
from tests.faults.lives import DELETED, STOPPED_BY_SOMEBODY, Life, live
from tests.faults.outcomes import Error, Link
from tests.faults.wire import DESCRIBE, MINT
from tests.faults.world import World
from tests.helpers.simulated_account import IN_SERVICE, PENDING, REASON, STOPPED, STOPPING

AFTER = 300.0
"""Seconds after which the notebook instance changes; the event came at about 140."""

TABLE: dict[str, tuple[Life, Link | Error]] = {
    "it is InService still": (Life(), Link(before=760)),
    "somebody stops it": (Life(happens=((AFTER, STOPPING), (1e6, STOPPED))), STOPPED_BY_SOMEBODY),
    "somebody stopped it": (Life(happens=((AFTER, STOPPED),)), STOPPED_BY_SOMEBODY),
    "it failed": (Life(happens=((AFTER, "Failed"),)), Error(exceptions.NotebookInstanceNoCapacity, REASON)),
    "it is being deleted": (Life(happens=((AFTER, "Deleting"),)), DELETED),
    "it is gone": (Life(happens=((AFTER, "gone"),)), DELETED),
    "it is on its way again": (Life(happens=((AFTER, PENDING), (900, IN_SERVICE))), Link(before=1600)),
    "it is being updated": (Life(happens=((AFTER, "Updating"), (900, STOPPED))), Link(starts=2, before=1800)),
    "it is in maintenance": (Life(happens=((AFTER, "InMaintenance"), (900, IN_SERVICE))), Link(before=1600)),
    "it does not get there any more": (
        Life(happens=((AFTER, PENDING),)),
        Error(exceptions.NotebookInstanceWaitTimeout, "not ready after 60 min", before=4300),
    ),
}


@pytest.mark.parametrize(("life", "expected"), TABLE.values(), ids=TABLE)
def test_a_task_that_resumes_ten_minutes_after_the_event(world: World, life: Life, expected: Link | Error) -> None:
    world.resumed_after = 600
    live(world, "research", life)
    expected.check(world, world.run_one())
    assert len(world.wire.asked(MINT)) == (1 if isinstance(expected, Link) else 0)


def test_a_task_that_resumes_after_its_deadline_delivers_what_runs(world: World) -> None:
    world.resumed_after = 7200
    world.account.plan("research", STOPPED)
    Link(before=7400).check(world, world.run_one())


def test_a_task_that_resumes_after_its_deadline_waits_no_more(world: World) -> None:
    world.resumed_after = 7200
    live(world, "research", Life(happens=((AFTER, PENDING),)))
    error = Error(exceptions.NotebookInstanceWaitTimeout, "its last known status is Pending", before=7400)
    error.check(world, world.run_one())


def test_a_task_that_resumes_goes_through_throttling(world: World) -> None:
    world.account.plan("research", STOPPED)
    world.fault(throttles, since=142, until=300, operations=(DESCRIBE,))
    Link(before=420).check(world, world.run_one())
