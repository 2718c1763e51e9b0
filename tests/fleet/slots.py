"""How long the workers' slots were occupied: pure functions over the workers' events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SlotEvent:
    """A slot of a worker took a task, or has become free again."""

    at: float
    taken: bool
    task: str
    worker: str


@dataclass(frozen=True)
class SlotUse:
    """
    What a run took of the workers.

    :param seconds: the sum over all slots.
    :param legs: how many times a slot was taken; a deferred task takes one twice.
    :param unended: how many of these have no end event; their seconds are not counted.
    """

    seconds: float
    legs: int
    unended: int


def slot_use(events: Iterable[SlotEvent], killed: Mapping[str, Iterable[float]]) -> SlotUse:
    """
    Sum up.

    :param events: in any order.
    :param killed: the moments at which a worker was killed, which is when its slots are not taken any more.
    """
    open_since: dict[tuple[str, str], float] = {}
    seconds, legs = 0.0, 0
    ends = [SlotEvent(at, False, "", worker) for worker, moments in killed.items() for at in moments]
    for event in sorted([*events, *ends], key=lambda event: event.at):
        if event.taken:
            open_since[event.worker, event.task] = event.at
            legs += 1
            continue
        ended = [key for key in open_since if key[0] == event.worker and event.task in ("", key[1])]
        seconds += sum(event.at - open_since.pop(key) for key in ended)
    return SlotUse(seconds, legs, len(open_since))
