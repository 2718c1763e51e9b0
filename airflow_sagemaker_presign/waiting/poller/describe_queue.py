"""The workspaces to describe soon, one after another, unless a list reports them first."""

from __future__ import annotations

import math
from collections.abc import Iterable

from airflow_sagemaker_presign.waiting.poller.pending_waits import NEVER, PendingWaits


class DescribeQueue:
    """
    Names of workspaces, in the order in which they were added.

    :param pending_waits: the waits of the poller.
    """

    def __init__(self, pending_waits: PendingWaits) -> None:
        self._pending_waits = pending_waits
        self._unless_seen_since: dict[str, float] = {}

    def add(self, names: Iterable[str], now: float) -> None:
        """Add names; each is dropped if a list that is requested from now on contains it."""
        for name in names:
            self._unless_seen_since[name] = max(now, self._unless_seen_since.get(name, NEVER))

    def require(self, name: str) -> None:
        """Add a name that must be described even if a list contains it: only a description has the failure reason."""
        self._unless_seen_since[name] = math.inf

    def first(self) -> str | None:
        """Return the next name; ``None``: the queue is empty."""
        while self._unless_seen_since:
            name, unless_seen_since = next(iter(self._unless_seen_since.items()))
            if any(pending_wait.last_seen < unless_seen_since for pending_wait in self._pending_waits.of(name)):
                return name
            del self._unless_seen_since[name]
        return None

    def defer(self, name: str) -> None:
        """Move a name to the end, if it is in the queue."""
        if name in self._unless_seen_since:
            self._unless_seen_since[name] = self._unless_seen_since.pop(name)

    def remove(self, name: str) -> None:
        """Remove a name, if it is in the queue."""
        self._unless_seen_since.pop(name, None)
