"""What a notebook instance does while a task waits for it, and the errors that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_sagemaker_presign import exceptions
from tests.faults.outcomes import Error
from tests.faults.simulation import Simulation
from tests.helpers.simulated_account import STOPPED, Steps

STOPPED_BY_SOMEBODY = Error(exceptions.NotebookInstanceStopped, "It was stopped")
DELETED = Error(exceptions.NotebookInstanceDeleted, "Ask the person who manages the notebooks")


@dataclass(frozen=True)
class StatusPlan:
    """
    The status changes of a notebook instance.

    :param status: what it is at first.
    :param becomes: and later on, by itself.
    :param starts: what a Start leads to, in seconds after it.
    :param happens: changes from outside during the wait.
    """

    status: str = STOPPED
    becomes: Steps = ()
    starts: Sequence[Steps] = ()
    happens: Steps = ()


def apply_plan(simulation: Simulation, name: str, plan: StatusPlan) -> None:
    """Have a notebook instance change its status like this."""
    simulation.account.plan(name, plan.status, *plan.becomes, starts=plan.starts)
    if plan.happens:
        simulation.account.happens(name, *plan.happens)
