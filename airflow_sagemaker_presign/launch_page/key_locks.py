"""Locks by key, so that threads which need the same resource wait for one of them to fetch it."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary


class KeyLocks:
    """Locks by key; each exists as long as a thread holds it or waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: WeakValueDictionary[Hashable, _KeyLock] = WeakValueDictionary()

    @contextmanager
    def hold(self, *key: Hashable) -> Iterator[None]:
        """Acquire the lock of a key, and release it after the block."""
        with self._lock:
            key_lock = self._locks.setdefault(key, _KeyLock())
        with key_lock.lock:
            yield


class _KeyLock:
    def __init__(self) -> None:
        self.lock = threading.Lock()
