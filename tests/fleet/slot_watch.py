"""Records from Celery's events when a worker slot takes a task, and when it is free again."""

from __future__ import annotations

import threading
from typing import Any

from celery import Celery

from tests.fleet.slots import SlotEvent

TAKEN = "task-started"
FREE = ("task-succeeded", "task-failed", "task-revoked", "task-retried", "task-rejected")


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
        # One subscription for the whole time: events between two subscriptions would be lost.
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
        Return the events since a moment.

        :raises RuntimeError: when the subscription has ended.
        """
        if not self._thread.is_alive():
            raise RuntimeError("The connection to Redis on which the workers report their slots has ended.")
        return [event for event in list(self._events) if event.at >= moment]

    def workers(self) -> set[str]:
        """Name the workers that answer now."""
        answers = self._app.control.ping(timeout=1.0) or []
        return {name.partition("@")[2] for answer in answers for name in answer}

    def _note(self, event: dict[str, Any]) -> None:
        worker = str(event["hostname"]).partition("@")[2]
        self._events.append(SlotEvent(event["timestamp"], event["type"] == TAKEN, event["uuid"], worker))
