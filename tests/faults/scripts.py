"""Scripts of a fault test: what fails, when, and for how long."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.simulation import Simulation
from tests.faults.transport import ASSUME

Script = Callable[[Simulation], None]


def during(what: Callable[..., object], since: float, until: float, *operations: str) -> Script:
    """Have a fault for a while."""
    only = {"operations": operations} if operations else {}
    return lambda simulation: simulation.fault(what, since=since, until=until, **only)


def both(*scripts: Script) -> Script:
    """Have several."""

    def script(simulation: Simulation) -> None:
        for each in scripts:
            each(simulation)

    return script


def assumes(what: Callable[..., object], **when: float) -> Script:
    """Have the connection assume a role, and a fault of that."""

    def script(simulation: Simulation) -> None:
        simulation.database.extra = {"role_arn": "arn:aws:iam::123456789012:role/links"}
        simulation.fault(what, operations=(ASSUME,), **when)

    return script
