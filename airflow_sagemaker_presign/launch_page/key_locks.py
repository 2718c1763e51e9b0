"""One at a time for each key: many threads that want the same thing wait for one of them to get it."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class KeyLocks:
    """Locks by key; each is there for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: WeakValueDictionary[Hashable, _KeyLock] = WeakValueDictionary()

    @contextmanager
    def hold(self, *key: Hashable) -> Iterator[None]:
        """Wait until nobody else has the turn of a key, and have it."""
        with self._lock:
            key_lock = self._locks.setdefault(key, _KeyLock())
        with key_lock.lock:
            yield


class _KeyLock:
    def __init__(self) -> None:
        self.lock = threading.Lock()
