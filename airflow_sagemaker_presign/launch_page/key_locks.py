"""One at a time for each key: many threads that want the same thing wait for one of them to get it."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class Turns:
    """Locks by key; each is there for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()

    @contextmanager
    def of(self, *key: Hashable) -> Iterator[None]:
        """Wait until nobody else has the turn of a key, and have it."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
        with turn.lock:
            yield


class _Turn:
    def __init__(self) -> None:
        self.lock = threading.Lock()
