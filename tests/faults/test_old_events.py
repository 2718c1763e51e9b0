"""A task that gets its slot long after the trigger's event: what was true then need not be true any more."""

from __future__ import annotations

import pytest

from airflow_sagemaker_presign import exceptions
from tests.faults.faults import throttles
from tests.faults.outcomes import Error, Link
from tests.faults.simulation import Simulation
from tests.faults.status_plans import DELETED, STOPPED_BY_SOMEBODY, StatusPlan, apply_plan
from tests.faults.transport import DESCRIBE, MINT
from tests.helpers.simulated_account import IN_SERVICE, PENDING, REASON, STOPPED, STOPPING

AFTER = 300.0
"""Seconds after which the notebook instance changes; the event came at about 140."""

TABLE: dict[str, tuple[StatusPlan, Link | Error]] = {
    "it is InService still": (StatusPlan(), Link(before=760)),
    "somebody stops it": (StatusPlan(happens=((AFTER, STOPPING), (1e6, STOPPED))), STOPPED_BY_SOMEBODY),
    "somebody stopped it": (StatusPlan(happens=((AFTER, STOPPED),)), STOPPED_BY_SOMEBODY),
    "it failed": (StatusPlan(happens=((AFTER, "Failed"),)), Error(exceptions.NotebookInstanceNoCapacity, REASON)),
    "it is being deleted": (StatusPlan(happens=((AFTER, "Deleting"),)), DELETED),
    "it is gone": (StatusPlan(happens=((AFTER, "gone"),)), DELETED),
    "it is on its way again": (StatusPlan(happens=((AFTER, PENDING), (900, IN_SERVICE))), Link(before=1600)),
    "it is being updated": (StatusPlan(happens=((AFTER, "Updating"), (900, STOPPED))), Link(starts=2, before=1800)),
    "it is in maintenance": (StatusPlan(happens=((AFTER, "InMaintenance"), (900, IN_SERVICE))), Link(before=1600)),
    "it does not get there any more": (
        StatusPlan(happens=((AFTER, PENDING),)),
        Error(exceptions.NotebookInstanceWaitTimeout, "not ready after 60 min", before=4300),
    ),
}


@pytest.mark.parametrize(("plan", "expected"), TABLE.values(), ids=TABLE)
def test_a_task_that_resumes_ten_minutes_after_the_event(
    simulation: Simulation, plan: StatusPlan, expected: Link | Error
) -> None:
    simulation.resumed_after = 600
    apply_plan(simulation, "research", plan)
    expected.check(simulation, simulation.run_one())
    assert len(simulation.transport.asked(MINT)) == (1 if isinstance(expected, Link) else 0)


def test_a_task_that_resumes_after_its_deadline_delivers_what_runs(simulation: Simulation) -> None:
    simulation.resumed_after = 7200
    simulation.account.plan("research", STOPPED)
    Link(before=7400).check(simulation, simulation.run_one())


def test_a_task_that_resumes_after_its_deadline_waits_no_more(simulation: Simulation) -> None:
    simulation.resumed_after = 7200
    apply_plan(simulation, "research", StatusPlan(happens=((AFTER, PENDING),)))
    error = Error(exceptions.NotebookInstanceWaitTimeout, "its last known status is Pending", before=7400)
    error.check(simulation, simulation.run_one())


def test_a_task_that_resumes_goes_through_throttling(simulation: Simulation) -> None:
    simulation.account.plan("research", STOPPED)
    simulation.fault(throttles, since=142, until=300, operations=(DESCRIBE,))
    Link(before=420).check(simulation, simulation.run_one())
