"""What a notebook instance does while a task waits for it, and the errors that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_sagemaker_presign import exceptions
from tests.faults.outcomes import Error
from tests.faults.world import World
from tests.helpers.simulated_account import STOPPED, Steps

STOPPED_BY_SOMEBODY = Error(exceptions.NotebookInstanceStopped, "It was stopped")
DELETED = Error(exceptions.NotebookInstanceDeleted, "Ask the person who manages the notebooks")


@dataclass(frozen=True)
class Life:
    """
    A notebook instance's.

    :param status: what it is at first.
    :param becomes: and later on, by itself.
    :param starts: what a Start leads to, in seconds after it.
    :param happens: what somebody does to it in mid-wait.
    """

    status: str = STOPPED
    becomes: Steps = ()
    starts: Sequence[Steps] = ()
    happens: Steps = ()


def live(world: World, name: str, life: Life) -> None:
    """Have a notebook instance live so."""
    world.account.plan(name, life.status, *life.becomes, starts=life.starts)
    if life.happens:
        world.account.happens(name, *life.happens)
