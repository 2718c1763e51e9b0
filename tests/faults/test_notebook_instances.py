"""What a notebook instance does while a task waits for it, and what has to come of that."""

from __future__ import annotations

import pytest

from airflow_sagemaker_presign import exceptions
from tests.faults.outcomes import Error, Link
from tests.faults.simulation import Simulation
from tests.faults.status_plans import DELETED, STOPPED_BY_SOMEBODY, StatusPlan, apply_plan
from tests.helpers.simulated_account import IN_SERVICE, NOT_TAKEN, PENDING, REASON, STOPPED, STOPPING

FAILS = ((0.0, PENDING), (60.0, "Failed"))

TABLE: dict[str, tuple[StatusPlan, Link | Error]] = {
    "it is InService already": (StatusPlan(IN_SERVICE), Link(starts=0, before=5)),
    "it is on its way already": (StatusPlan(PENDING, ((80, IN_SERVICE),)), Link(starts=0, before=100)),
    "it has to stop first": (StatusPlan(STOPPING, ((40, STOPPED),)), Link(before=200)),
    "it is being updated": (StatusPlan("Updating", ((40, STOPPED),)), Link(before=200)),
    "it fails": (StatusPlan(starts=[FAILS]), Error(exceptions.NotebookInstanceNoCapacity, REASON, before=75)),
    "it fails without a Pending before": (
        StatusPlan(starts=[((20.0, "Failed"),)]),
        Error(exceptions.NotebookInstanceNoCapacity, REASON, before=60),
    ),
    "a leftover Failed is read for a while": (
        StatusPlan("Failed", starts=[((8, PENDING), (140, IN_SERVICE))]),
        Link(before=160),
    ),
    "a leftover Failed, and it fails again": (
        StatusPlan("Failed", starts=[((8, PENDING), (60, "Failed"))]),
        Error(exceptions.NotebookInstanceNoCapacity, REASON, before=75),
    ),
    "somebody stops it": (StatusPlan(happens=((60, STOPPING), (90, STOPPED))), STOPPED_BY_SOMEBODY),
    "somebody stops it, unseen until it is Stopped": (StatusPlan(happens=((60, STOPPED),)), STOPPED_BY_SOMEBODY),
    "somebody deletes it": (StatusPlan(happens=((60, "Deleting"), (90, "gone"))), DELETED),
    "it is gone": (StatusPlan(happens=((60, "gone"),)), DELETED),
    "it was never there": (StatusPlan("gone"), Error(exceptions.NotebookInstanceNotFound, "RecordNotFound", starts=0)),
    "it is deleted and made again": (StatusPlan(happens=((60, "gone"), (80, PENDING), (200, IN_SERVICE))), DELETED),
    "it is deleted and created again between two observations": (
        StatusPlan(happens=((60, PENDING), (200, IN_SERVICE))),
        Link(before=220),
    ),
    "it goes into maintenance": (
        StatusPlan(happens=((60, "PendingMaintenance"), (90, "InMaintenance"), (300, STOPPED))),
        Link(starts=2, before=470),
    ),
    "it goes into maintenance, and is back by itself": (
        StatusPlan(happens=((60, "InMaintenance"), (300, IN_SERVICE))),
        Link(before=320),
    ),
    "it goes through a status that nobody knows": (
        StatusPlan(happens=((60, "Rebalancing"), (200, IN_SERVICE))),
        Link(before=220),
    ),
    "it stays in a status that nobody knows": (
        StatusPlan("Rebalancing"),
        Error(exceptions.NotebookInstanceWaitTimeout, "its last known status is Rebalancing", starts=0),
    ),
    "it flaps from Stopped to Pending to Stopped": (StatusPlan(happens=((10, STOPPED),)), STOPPED_BY_SOMEBODY),
    "it flaps, and is started by somebody else": (
        # Between two observations: a wait that sees it Stopped is right to end.
        StatusPlan(starts=[((0, PENDING), (6, STOPPED), (6.001, PENDING), (140, IN_SERVICE))]),
        Link(before=160),
    ),
    "it flaps so long that it is observed": (
        StatusPlan(starts=[((0, PENDING), (6, STOPPED), (16, PENDING), (140, IN_SERVICE))]),
        STOPPED_BY_SOMEBODY,
    ),
    "a Start does not take": (StatusPlan(starts=[NOT_TAKEN]), Link(starts=2, before=200)),
    "a Start takes half a minute to show": (
        StatusPlan(starts=[((29, PENDING), (140, IN_SERVICE))]),
        Link(before=160),
    ),
    "no Start takes": (
        StatusPlan(starts=[NOT_TAKEN] * 9),
        Error(exceptions.NotebookInstanceStartNotTaken, "was last sent", starts=2, before=80),
    ),
    "it never gets there": (
        StatusPlan(starts=[((0, PENDING),)]),
        Error(exceptions.NotebookInstanceWaitTimeout, "not ready after 60 min; its last known status is Pending"),
    ),
}


@pytest.mark.parametrize("where", ["in the triggerer", "in the worker"])
@pytest.mark.parametrize(("plan", "expected"), TABLE.values(), ids=TABLE)
def test_a_wait(simulation: Simulation, plan: StatusPlan, expected: Link | Error, where: str) -> None:
    apply_plan(simulation, "research", plan)
    expected.check(simulation, simulation.run_one(deferrable=where == "in the triggerer"))


@pytest.mark.parametrize(("plan", "expected"), TABLE.values(), ids=TABLE)
def test_a_wait_among_others_that_share_its_poller(
    simulation: Simulation, plan: StatusPlan, expected: Link | Error
) -> None:
    others = ["ada", "bob", "cyd", "dan"]
    apply_plan(simulation, "research", plan)
    for name in others:
        simulation.account.plan(name, STOPPED)
    first, *rest = simulation.run("research", *others)
    for outcome in rest:
        Link().check(simulation, outcome)
    expected.check(simulation, first)


@pytest.mark.parametrize("others", [0, 4])
@pytest.mark.parametrize("ahead", [-299.0, 299.0], ids=["behind ours", "ahead of ours"])
@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (StatusPlan(), Link(before=165)),
        (StatusPlan("Failed", starts=[((8, PENDING), (140, IN_SERVICE))]), Link(before=165)),
        (StatusPlan(starts=[FAILS]), Error(exceptions.NotebookInstanceNoCapacity, REASON, before=75)),
        (StatusPlan(starts=[NOT_TAKEN]), Link(starts=2, before=200)),
    ],
    ids=["a start", "a leftover Failed", "a start that fails", "a Start that does not take"],
)
def test_aws_has_a_clock_that_is_five_minutes(
    simulation: Simulation, plan: StatusPlan, expected: Link | Error, ahead: float, others: int
) -> None:
    simulation.account.ahead = ahead
    apply_plan(simulation, "research", plan)
    names = [f"other-{number}" for number in range(others)]
    for name in names:
        simulation.account.plan(name, STOPPED)
    first, *rest = simulation.run("research", *names)
    for outcome in rest:
        Link(before=165).check(simulation, outcome)
    expected.check(simulation, first)


@pytest.mark.parametrize("where", ["in the triggerer", "in the worker"])
def test_two_tasks_for_the_same_notebook_instance_get_a_link_each(simulation: Simulation, where: str) -> None:
    simulation.account.plan("research", STOPPED)
    first, second = simulation.run("research", "research", deferrable=where == "in the triggerer")
    assert first.error is None
    assert second.error is None
    assert simulation.starts() == 1
    assert len(simulation.inbox.arrivals) == 2
    assert min(map(simulation.validity_left, simulation.inbox.arrivals)) >= 240
