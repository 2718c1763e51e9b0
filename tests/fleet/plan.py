"""The plan of a run, derived from its number: who gets a link, how long each start takes, what is killed when."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

DAG_ID = "fleet"
TASK_ID = "notebook_link"
SESSION = timedelta(hours=9)
START_SECONDS = (20.0, 60.0)
WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
DOWN_SECONDS = (5.0, 15.0)


@dataclass(frozen=True)
class Killing:
    """
    Which machines die, and when.

    :param progress: the share of the run's work that is done by then: of all starts and all links.
    :param worker: the worker that is killed.
    :param triggerer: the triggerer that is killed with it.
    :param down: seconds until both are started again.
    """

    progress: float
    worker: str
    triggerer: str
    down: float


def run_id(number: int) -> str:
    return f"fleet-{number:02}"


def people(notebooks: int) -> list[str]:
    return [f"person-{number:04}" for number in range(notebooks)]


def address(person: str) -> str:
    return f"{person}@example.com"


def notebook(person: str, run: str) -> str:
    """Name the notebook of a person in a run; each run has its own, so that no run reuses an earlier one's notebook."""
    return f"{person}-{run}"


def start_seconds(number: int, notebooks: int) -> dict[str, float]:
    """Say for each notebook of a run how long its start takes."""
    chance = random.Random(f"starts of run {number}")
    return {notebook(person, run_id(number)): round(chance.uniform(*START_SECONDS), 1) for person in people(notebooks)}


def killing(number: int, runs: int) -> Killing:
    """
    Say when and whom a run loses.

    The runs share out the time from the first start to the last link among them, so that no two die at the same point.

    :param number: of the run; the first with a killing is 1.
    :param runs: how many runs there are with one.
    """
    chance = random.Random(f"killing of run {number}")
    order = list(range(runs))
    random.Random("order of the runs").shuffle(order)
    progress = (order[number - 1] + chance.random()) / runs
    return Killing(
        progress=round(0.01 + 0.98 * progress, 3),
        worker=chance.choice(WORKERS),
        triggerer=chance.choice(TRIGGERERS),
        down=round(chance.uniform(*DOWN_SECONDS), 1),
    )
