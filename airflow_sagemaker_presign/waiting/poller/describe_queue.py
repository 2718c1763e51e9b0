"""Who has to be described soon, one after another, unless a list tells of them first."""

from __future__ import annotations

import math
from collections.abc import Iterable

from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER, Waiters


class DescribeQueue:
    """
    Names in the order in which they came.

    :param waiters: the waits.
    """

    def __init__(self, waiters: Waiters) -> None:
        self._waiters = waiters
        self._unless_heard: dict[str, float] = {}

    def add(self, names: Iterable[str], now: float) -> None:
        """Let names come who need no describing if a list tells of them that is asked for from now on."""
        for name in names:
            self._unless_heard[name] = max(now, self._unless_heard.get(name, NEVER))

    def insist(self, name: str) -> None:
        """Let one come who has to be described whatever a list tells: only that has the reason."""
        self._unless_heard[name] = math.inf

    def first(self) -> str | None:
        """Find who is next; ``None``: nobody has to be described."""
        while self._unless_heard:
            name, unless_heard = next(iter(self._unless_heard.items()))
            if any(waiter.heard < unless_heard for waiter in self._waiters.of(name)):
                return name
            del self._unless_heard[name]
        return None

    def defer(self, name: str) -> None:
        """Let one go behind the others, if it is here."""
        if name in self._unless_heard:
            self._unless_heard[name] = self._unless_heard.pop(name)

    def remove(self, name: str) -> None:
        """Let one go."""
        self._unless_heard.pop(name, None)
