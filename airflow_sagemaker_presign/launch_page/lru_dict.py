"""A mapping of limited size."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruDict(OrderedDict[K, V], Generic[K, V]):
    """A dict that drops its least recently used entry. It is not thread-safe: callers must hold a lock."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def get(self, key: K, default: V | None = None) -> V | None:  # type: ignore[override]
        """Return an entry, and mark it as the most recently used one."""
        if key in self:
            self.move_to_end(key)
        return super().get(key, default)

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self._size:
            self.popitem(last=False)
