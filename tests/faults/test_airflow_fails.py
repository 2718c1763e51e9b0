"""Airflow's side of a wait: credentials, the database, the triggerer."""

from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from tests.faults.lives import Life, live
from tests.faults.outcomes import Error, Link
from tests.faults.world import World
from tests.helpers.simulated_account import IN_SERVICE, NOT_TAKEN, PENDING, STOPPED, STOPPING

WHERE = ["in the triggerer", "in the worker"]
UNREAD = "could not read the connection at that moment: clear"


@pytest.mark.parametrize("others", [0, 4])
def test_credentials_that_expire_are_renewed_in_the_triggerer(world: World, others: int) -> None:
    names = ["research", *(f"other-{number}" for number in range(others))]
    for name in names:
        world.account.plan(name, STOPPED)
    world.account.keys = [(-math.inf, 60, "KEY1"), (75, math.inf, "KEY2")]
    for outcome in world.run(*names):
        Link(before=200).check(world, outcome)


def test_credentials_that_expire_are_renewed_in_the_worker(world: World) -> None:
    world.account.plan("research", STOPPED)
    world.account.keys = [(-math.inf, 60, "KEY1"), (75, math.inf, "KEY2")]
    Link(before=200).check(world, world.run_one(deferrable=False))


@pytest.mark.parametrize("where", WHERE)
def test_credentials_that_expire_and_are_not_renewed_are_named(world: World, where: str) -> None:
    world.account.plan("research", STOPPED)
    world.account.keys = [(-math.inf, 60, "KEY1")]
    expired = Error(exceptions.NotebookInstanceWaitTimeout, "The security token included in the request is expired")
    expired.check(world, world.run_one(deferrable=where == "in the triggerer"))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("others", [0, 4])
def test_the_database_is_away_for_a_minute_of_the_wait(world: World, where: str, others: int) -> None:
    names = ["research", *(f"other-{number}" for number in range(others))]
    for name in names:
        world.account.plan(name, STOPPED)
    world.database.away = [(0.15, 60)]
    for outcome in world.run(*names, deferrable=where == "in the triggerer"):
        Link(before=200).check(world, outcome)


def test_the_database_is_away_when_the_triggerer_is_restarted(world: World) -> None:
    world.account.plan("research", STOPPED)
    world.database.away = [(20, 90)]
    world.kill = {10: 0.01}.get
    Link(before=200).check(world, world.run_one())


@pytest.mark.parametrize("where", WHERE)
def test_the_database_is_away_when_a_task_begins(world: World, where: str) -> None:
    world.account.plan("research", STOPPED)
    world.database.away = [(0, 60)]
    Error(exceptions.AwsConnectionUnusable, UNREAD, starts=0, before=5).check(
        world, world.run_one(deferrable=where == "in the triggerer")
    )
    assert world.wire.requests == []


@pytest.mark.parametrize("where", WHERE)
def test_the_database_is_away_when_the_notebook_instance_is_in_service(world: World, where: str) -> None:
    world.account.plan("research", STOPPED)
    world.database.away = [(130, 190)]
    outcome = world.run_one(deferrable=where == "in the triggerer")
    if where == "in the worker":
        Link().check(world, outcome)
    else:
        Error(exceptions.AwsConnectionUnusable, UNREAD, before=200).check(world, outcome)


RESTARTED: dict[str, Life] = {
    "from Pending": Life(PENDING, ((40, IN_SERVICE),)),
    "from Stopped": Life(STOPPED, starts=[((0, PENDING), (40, IN_SERVICE))]),
    "from Stopping": Life(STOPPING, ((20, STOPPED),), starts=[((0, PENDING), (30, IN_SERVICE))]),
    "from a leftover Failed": Life("Failed", starts=[((8, PENDING), (40, IN_SERVICE))]),
    "from Updating": Life("Updating", ((20, STOPPED),), starts=[((0, PENDING), (30, IN_SERVICE))]),
    "where a Start does not take": Life(STOPPED, starts=[NOT_TAKEN, ((0, PENDING), (30, IN_SERVICE))]),
}
AT = {"before the answer of a request": 0.0, "after it": 0.06}


@pytest.mark.parametrize("after", AT.values(), ids=AT)
@pytest.mark.parametrize("life", RESTARTED.values(), ids=RESTARTED)
def test_the_triggerer_is_restarted_at_each_point_of_the_wait(
    monkeypatch: pytest.MonkeyPatch, life: Life, after: float
) -> None:
    undisturbed = life_of(monkeypatch, life, {})
    requests = len(undisturbed.wire.requests)
    assert requests > 10
    for number in range(1, requests):
        restarted = life_of(monkeypatch, life, {number: after})
        assert len(restarted.account.started) <= len(undisturbed.account.started)


def test_the_triggerer_is_restarted_after_every_single_request(monkeypatch: pytest.MonkeyPatch) -> None:
    always = dict.fromkeys(range(1000), 0.06)
    restarted = life_of(monkeypatch, RESTARTED["from Stopping"], always)
    assert len(restarted.account.started) == 1


def test_the_triggerer_is_away_past_the_deadline(world: World) -> None:
    world.account.plan("research", STOPPED)
    world.back_after = 3700
    world.kill = {10: 0.06}.get
    outcome = world.run_one()
    # There was no observation for an hour, so there is one more after the deadline.
    assert outcome.error is None
    assert world.starts() == len(world.inbox.arrivals) == 1
    assert outcome.ended < 3760


FAILED_MEANWHILE = Error(exceptions.NotebookInstanceNoCapacity, "capacity", before=500)
TAKEN_OVER: dict[str, tuple[Life, Link | Error]] = {
    "still on its way": (Life(starts=[((1, PENDING), (500, IN_SERVICE))]), Link(before=530)),
    "InService meanwhile": (Life(starts=[((1, PENDING), (200, IN_SERVICE))]), Link(before=460)),
    "failed meanwhile": (Life(starts=[((1, PENDING), (200, "Failed"))]), FAILED_MEANWHILE),
    "a start that did not take": (
        Life(starts=[NOT_TAKEN, ((0, PENDING), (60, IN_SERVICE))]),
        Link(starts=2, before=500),
    ),
    "deleted meanwhile": (
        Life(happens=((100, "gone"),)),
        Error(exceptions.NotebookInstanceDeleted, "no longer exists", before=460),
    ),
}


@pytest.mark.parametrize("database", ["there", "away for a while"])
@pytest.mark.parametrize("each", [1, 2])
def test_a_triggerer_that_comes_back_after_five_minutes_finds_where_each_has_come_to(
    world: World, each: int, database: str
) -> None:
    expected = {}
    for kind, (life, end) in TAKEN_OVER.items():
        for number in range(each):
            name = f"{kind.replace(' ', '-')}-{number}"
            live(world, name, life)
            expected[name] = end
    # Each task describes and starts; then comes the triggerer's first request.
    world.kill = {2 * len(expected) + 1: 0.06}.get
    world.back_after = 300
    if database == "away for a while":
        world.database.away = [(290, 340)]
    for outcome in world.run(*expected):
        expected[outcome.name].check(world, outcome)


def life_of(monkeypatch: pytest.MonkeyPatch, life: Life, kills: dict[int, float]) -> Any:
    """Run a task to its link through these restarts, by the number of the request."""
    with monkeypatch.context() as patches:
        world = World(patches)
        live(world, "research", life)
        world.kill = kills.get
        outcome = world.run_one()
        Link(starts=len(world.account.started)).check(world, outcome)
    return world
