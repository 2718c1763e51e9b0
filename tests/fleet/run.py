"""One run: each person's notebook is started and their link delivered, while machines are killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg

from tests.fleet import plan
from tests.fleet.account_client import AccountProcess
from tests.fleet.airflow_fleet import AirflowFleet, FleetFailed
from tests.fleet.figures import figures
from tests.fleet.judgement import Link, judge
from tests.fleet.plan import Killing
from tests.fleet.slot_watch import SlotWatch
from tests.fleet.slots import SlotUse, slot_use

PROGRESS_INTERVAL_SECONDS = 0.5
LONGEST = 3600.0


@dataclass
class Fleet:
    """All that a run goes through, up and running."""

    account: AccountProcess
    airflow: AirflowFleet
    slots: SlotWatch
    database: str


@dataclass
class Death:
    """
    What a killing came to.

    :param planned: what it was to be.
    :param at: when it was, in seconds since the epoch; None: not yet.
    :param started: how many notebooks had been started then.
    :param arrived: how many links had arrived then.
    :param back: whether the machines were started again.
    """

    planned: Killing
    at: float | None = None
    started: int = 0
    arrived: int = 0
    back: bool = False

    def check(self, fleet: Fleet, started: int, arrived: int, notebooks: int) -> None:
        """Kill when it is time, and start again when it is time for that."""
        names = (self.planned.worker, self.planned.triggerer)
        if self.at is None and (started + arrived) / (2 * notebooks) >= self.planned.progress:
            fleet.airflow.kill(*names)
            self.at, self.started, self.arrived = time.time(), started, arrived
        elif self.at is not None and not self.back and time.time() >= self.at + self.planned.down:
            for name in names:
                fleet.airflow.start(name)
            self.back = True


@dataclass
class Run:
    """
    A run of the fleet's DAG.

    :param number: the run's number; no process is killed in run 0.
    :param notebooks: how many.
    :param killing: which process is killed when; None: none is.
    :param say: called with progress messages.
    """

    number: int
    notebooks: int
    killing: Killing | None
    say: Callable[[str], None]
    _began_at: float = field(default=0.0, init=False)

    def go(self, fleet: Fleet) -> dict[str, Any]:
        """Execute the run; return its figures and its verdict."""
        run_id = plan.run_id(self.number)
        seconds = plan.start_seconds(self.number, self.notebooks)
        _all_there(fleet)
        fleet.account.prepare(seconds)
        self._began_at = time.time()
        fleet.airflow.trigger(run_id)
        death = Death(self.killing) if self.killing else None
        state = self._watch(fleet, run_id, death)
        ended_at = time.time()
        record = fleet.account.record(run_id)
        links = [Link(**link) for link in record["links"]]
        slots = _slots(fleet, self._began_at, death)
        tasks = _tasks(fleet.database, run_id)
        people = plan.people(self.notebooks)
        wanted = {plan.address(person): plan.notebook(person, run_id) for person in people}
        unsuccessful = [f"{index} is {state}" for index, state in tasks["states"] if state != "success"]
        verdict = judge(wanted, links, record["requests"], unsuccessful)
        return {
            "run": run_id,
            "state": state,
            "killed": asdict(death) if death else None,
            **figures(self._began_at, ended_at, seconds, links, record["requests"], slots),
            "second tries": tasks["second tries"],
            "verdict": verdict.as_json(),
            "good": verdict.is_good,
        }

    def _watch(self, fleet: Fleet, run_id: str, death: Death | None) -> str:
        said_at = 0.0
        while True:
            started, arrived = fleet.account.progress(run_id)
            if death:
                death.check(fleet, started, arrived, self.notebooks)
            state = fleet.airflow.state(run_id)
            if time.time() >= said_at + 30 or state in ("success", "failed"):
                said_at = time.time()
                passed = said_at - self._began_at
                self.say(f"{passed:5.0f} s  {started} of {self.notebooks} started, {arrived} links  {_of(death)}")
            if state in ("success", "failed") and (death is None or death.at is None or death.back):
                return state
            if time.time() > self._began_at + LONGEST:
                return f"{state} after {LONGEST:g} s"
            time.sleep(PROGRESS_INTERVAL_SECONDS)


def _slots(fleet: Fleet, since: float, death: Death | None, time_limit: float = 20) -> SlotUse:
    """Sum up the slots; a worker frees the last ones a moment after Airflow calls the run a success."""
    killed = {death.planned.worker: [death.at]} if death and death.at else {}
    deadline = time.monotonic() + time_limit
    while True:
        use = slot_use(fleet.slots.since(since), killed)
        if not use.unended or time.monotonic() > deadline:
            return use
        time.sleep(PROGRESS_INTERVAL_SECONDS)


def _of(death: Death | None) -> str:
    if death is None or death.at is None:
        return ""
    return f"{death.planned.worker} and {death.planned.triggerer} {'are back' if death.back else 'are dead'}"


def _all_there(fleet: Fleet, timeout: float = 120) -> None:
    """Wait until both workers and both triggerers are up: the last run may have had to start them again."""
    deadline = time.monotonic() + timeout
    while True:
        missing = set(plan.WORKERS) - fleet.slots.workers()
        with psycopg.connect(fleet.database) as database:
            (alive,) = database.execute(
                "SELECT count(*) FROM job WHERE job_type = 'TriggererJob' AND state = 'running'"
                " AND latest_heartbeat > now() - interval '10 seconds'"
            ).fetchone() or (0,)
        if not missing and alive >= len(plan.TRIGGERERS):
            return
        if time.monotonic() > deadline:
            raise FleetFailed(f"Not there after {timeout:g} s: {sorted(missing) or f'{alive} triggerers are alive'}")


def _tasks(database: str, run_id: str) -> dict[str, Any]:
    with psycopg.connect(database) as connection:
        which = "WHERE dag_id = %s AND run_id = %s"
        values = (plan.DAG_ID, run_id)
        states = connection.execute(f"SELECT map_index, state FROM task_instance {which}", values).fetchall()
        again = f"SELECT count(*) FROM task_instance_history {which}"
        (second_tries,) = connection.execute(again, values).fetchone() or (0,)
    return {"states": states, "second tries": second_tries}
