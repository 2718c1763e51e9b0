"""For how long the slots of the workers were taken: Celery's own events, from a slot's taking a task to its end."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery

TAKEN = "task-started"
FREE = ("task-succeeded", "task-failed", "task-revoked", "task-retried", "task-rejected")


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
    :param unended: how many of these had no end that anybody heard of; their seconds are not counted.
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


class SlotWatch:
    """
    Listens to the workers, from ``with`` on.

    :param broker: Redis' address.
    """

    def __init__(self, broker: str) -> None:
        self._app = Celery(broker=broker)
        self._events: list[SlotEvent] = []
        self._connection = self._app.connection()
        handlers = dict.fromkeys((TAKEN, *FREE), self._note)
        self._receiver = self._app.events.Receiver(self._connection, handlers=handlers)
        # One subscription for the whole time: what is said between two of them, nobody hears.
        self._thread = threading.Thread(target=self._receiver.capture, kwargs={"wakeup": False}, daemon=True)

    def __enter__(self) -> SlotWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.should_stop = True
        self._thread.join(5)
        self._connection.release()
        self._app.close()

    def since(self, moment: float) -> list[SlotEvent]:
        """
        Tell what was heard from a moment on.

        :raises RuntimeError: when nobody listens any more.
        """
        if not self._thread.is_alive():
            raise RuntimeError("The connection to Redis on which the workers tell of their slots has ended.")
        return [event for event in list(self._events) if event.at >= moment]

    def workers(self) -> set[str]:
        """Name the workers that answer now."""
        answers = self._app.control.ping(timeout=1.0) or []
        return {name.partition("@")[2] for answer in answers for name in answer}

    def _note(self, event: dict[str, Any]) -> None:
        worker = str(event["hostname"]).partition("@")[2]
        self._events.append(SlotEvent(event["timestamp"], event["type"] == TAKEN, event["uuid"], worker))
