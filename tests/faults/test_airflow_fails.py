"""Airflow's side of a wait: credentials, the database, the triggerer."""

from __future__ import annotations

import math

import pytest

from airflow_sagemaker_presign import exceptions
from tests.faults.outcomes import Error, Link
from tests.faults.simulation import Simulation
from tests.faults.status_plans import StatusPlan, apply_plan
from tests.helpers.simulated_account import IN_SERVICE, NOT_TAKEN, PENDING, STOPPED, STOPPING

WHERE = ["in the triggerer", "in the worker"]
UNREAD = "could not read the connection at that moment: clear"


@pytest.mark.parametrize("others", [0, 4])
def test_credentials_that_expire_are_renewed_in_the_triggerer(simulation: Simulation, others: int) -> None:
    names = ["research", *(f"other-{number}" for number in range(others))]
    for name in names:
        simulation.account.plan(name, STOPPED)
    simulation.account.keys = [(-math.inf, 60, "KEY1"), (75, math.inf, "KEY2")]
    for outcome in simulation.run(*names):
        Link(before=200).check(simulation, outcome)


def test_credentials_that_expire_are_renewed_in_the_worker(simulation: Simulation) -> None:
    simulation.account.plan("research", STOPPED)
    simulation.account.keys = [(-math.inf, 60, "KEY1"), (75, math.inf, "KEY2")]
    Link(before=200).check(simulation, simulation.run_one(deferrable=False))


@pytest.mark.parametrize("where", WHERE)
def test_credentials_that_expire_and_are_not_renewed_are_named(simulation: Simulation, where: str) -> None:
    simulation.account.plan("research", STOPPED)
    simulation.account.keys = [(-math.inf, 60, "KEY1")]
    expired = Error(exceptions.NotebookInstanceWaitTimeout, "The security token included in the request is expired")
    expired.check(simulation, simulation.run_one(deferrable=where == "in the triggerer"))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("others", [0, 4])
def test_the_database_is_away_for_a_minute_of_the_wait(simulation: Simulation, where: str, others: int) -> None:
    names = ["research", *(f"other-{number}" for number in range(others))]
    for name in names:
        simulation.account.plan(name, STOPPED)
    simulation.database.away = [(0.15, 60)]
    for outcome in simulation.run(*names, deferrable=where == "in the triggerer"):
        Link(before=200).check(simulation, outcome)


def test_the_database_is_away_when_the_triggerer_is_restarted(simulation: Simulation) -> None:
    simulation.account.plan("research", STOPPED)
    simulation.database.away = [(20, 90)]
    simulation.kill = {10: 0.01}.get
    Link(before=200).check(simulation, simulation.run_one())


@pytest.mark.parametrize("where", WHERE)
def test_the_database_is_away_when_a_task_begins(simulation: Simulation, where: str) -> None:
    simulation.account.plan("research", STOPPED)
    simulation.database.away = [(0, 60)]
    Error(exceptions.AwsConnectionUnusable, UNREAD, starts=0, before=5).check(
        simulation, simulation.run_one(deferrable=where == "in the triggerer")
    )
    assert simulation.transport.requests == []


@pytest.mark.parametrize("where", WHERE)
def test_the_database_is_away_when_the_notebook_instance_is_in_service(simulation: Simulation, where: str) -> None:
    simulation.account.plan("research", STOPPED)
    simulation.database.away = [(130, 190)]
    outcome = simulation.run_one(deferrable=where == "in the triggerer")
    if where == "in the worker":
        Link().check(simulation, outcome)
    else:
        Error(exceptions.AwsConnectionUnusable, UNREAD, before=200).check(simulation, outcome)


RESTARTED: dict[str, StatusPlan] = {
    "from Pending": StatusPlan(PENDING, ((40, IN_SERVICE),)),
    "from Stopped": StatusPlan(STOPPED, starts=[((0, PENDING), (40, IN_SERVICE))]),
    "from Stopping": StatusPlan(STOPPING, ((20, STOPPED),), starts=[((0, PENDING), (30, IN_SERVICE))]),
    "from a leftover Failed": StatusPlan("Failed", starts=[((8, PENDING), (40, IN_SERVICE))]),
    "from Updating": StatusPlan("Updating", ((20, STOPPED),), starts=[((0, PENDING), (30, IN_SERVICE))]),
    "where a Start does not take": StatusPlan(STOPPED, starts=[NOT_TAKEN, ((0, PENDING), (30, IN_SERVICE))]),
}
AT = {"before the answer of a request": 0.0, "after it": 0.06}


@pytest.mark.parametrize("after", AT.values(), ids=AT)
@pytest.mark.parametrize("plan", RESTARTED.values(), ids=RESTARTED)
def test_the_triggerer_is_restarted_at_each_point_of_the_wait(
    monkeypatch: pytest.MonkeyPatch, plan: StatusPlan, after: float
) -> None:
    undisturbed = run_restarted(monkeypatch, plan, {})
    requests = len(undisturbed.transport.requests)
    assert requests > 10
    for number in range(1, requests):
        restarted = run_restarted(monkeypatch, plan, {number: after})
        assert len(restarted.account.started) <= len(undisturbed.account.started)


def test_the_triggerer_is_restarted_after_every_single_request(monkeypatch: pytest.MonkeyPatch) -> None:
    always = dict.fromkeys(range(1000), 0.06)
    restarted = run_restarted(monkeypatch, RESTARTED["from Stopping"], always)
    assert len(restarted.account.started) == 1


def test_the_triggerer_is_away_past_the_deadline(simulation: Simulation) -> None:
    simulation.account.plan("research", STOPPED)
    simulation.back_after = 3700
    simulation.kill = {10: 0.06}.get
    outcome = simulation.run_one()
    # There was no observation for an hour, so there is one more after the deadline.
    assert outcome.error is None
    assert simulation.starts() == len(simulation.inbox.arrivals) == 1
    assert outcome.ended < 3760


FAILED_MEANWHILE = Error(exceptions.NotebookInstanceNoCapacity, "capacity", before=500)
TAKEN_OVER: dict[str, tuple[StatusPlan, Link | Error]] = {
    "still on its way": (StatusPlan(starts=[((1, PENDING), (500, IN_SERVICE))]), Link(before=530)),
    "InService meanwhile": (StatusPlan(starts=[((1, PENDING), (200, IN_SERVICE))]), Link(before=460)),
    "failed meanwhile": (StatusPlan(starts=[((1, PENDING), (200, "Failed"))]), FAILED_MEANWHILE),
    "a start that did not take": (
        StatusPlan(starts=[NOT_TAKEN, ((0, PENDING), (60, IN_SERVICE))]),
        Link(starts=2, before=500),
    ),
    "deleted meanwhile": (
        StatusPlan(happens=((100, "gone"),)),
        Error(exceptions.NotebookInstanceDeleted, "no longer exists", before=460),
    ),
}


@pytest.mark.parametrize("database", ["there", "away for a while"])
@pytest.mark.parametrize("each", [1, 2])
def test_a_triggerer_that_comes_back_after_five_minutes_finds_where_each_has_come_to(
    simulation: Simulation, each: int, database: str
) -> None:
    expected = {}
    for kind, (plan, end) in TAKEN_OVER.items():
        for number in range(each):
            name = f"{kind.replace(' ', '-')}-{number}"
            apply_plan(simulation, name, plan)
            expected[name] = end
    # Each task describes and starts; then comes the triggerer's first request.
    simulation.kill = {2 * len(expected) + 1: 0.06}.get
    simulation.back_after = 300
    if database == "away for a while":
        simulation.database.away = [(290, 340)]
    for outcome in simulation.run(*expected):
        expected[outcome.name].check(simulation, outcome)


def run_restarted(monkeypatch: pytest.MonkeyPatch, plan: StatusPlan, kills: dict[int, float]) -> Simulation:
    """Run a task to its link, and restart the triggerer some seconds after these requests, by their numbers."""
    with monkeypatch.context() as patches:
        simulation = Simulation(patches)
        apply_plan(simulation, "research", plan)
        simulation.kill = kills.get
        outcome = simulation.run_one()
        Link(starts=len(simulation.account.started)).check(simulation, outcome)
    return simulation
