"""Who has to be described soon, one after another, unless a list tells of them first."""

from __future__ import annotations

import math
from collections.abc import Iterable

from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER, PendingWaits


class DescribeQueue:
    """
    Names in the order in which they came.

    :param pending_waits: the waits.
    """

    def __init__(self, pending_waits: PendingWaits) -> None:
        self._pending_waits = pending_waits
        self._unless_seen_since: dict[str, float] = {}

    def add(self, names: Iterable[str], now: float) -> None:
        """Let names come who need no describing if a list tells of them that is asked for from now on."""
        for name in names:
            self._unless_seen_since[name] = max(now, self._unless_seen_since.get(name, NEVER))

    def insist(self, name: str) -> None:
        """Let one come who has to be described whatever a list tells: only that has the reason."""
        self._unless_seen_since[name] = math.inf

    def first(self) -> str | None:
        """Find who is next; ``None``: nobody has to be described."""
        while self._unless_seen_since:
            name, unless_seen_since = next(iter(self._unless_seen_since.items()))
            if any(pending_wait.last_seen < unless_seen_since for pending_wait in self._pending_waits.of(name)):
                return name
            del self._unless_seen_since[name]
        return None

    def defer(self, name: str) -> None:
        """Let one go behind the others, if it is here."""
        if name in self._unless_seen_since:
            self._unless_seen_since[name] = self._unless_seen_since.pop(name)

    def remove(self, name: str) -> None:
        """Let one go."""
        self._unless_seen_since.pop(name, None)
