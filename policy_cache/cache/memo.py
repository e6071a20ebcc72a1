"""A memory of bounded size that forgets what was not asked for in a long while."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Two generations: once the younger one is full, the older one is forgotten.

    A dict that is emptied when it is full forgets what is used all the time; a queue of what was used
    last costs more per look than what is remembered here.
    """

    __slots__ = ("_most", "_older", "_size", "_younger")

    def __init__(self, most: int) -> None:
        """Remember at least what was used last, up to this size, and at most twice as much."""
        self._most = most
        self._size = 0
        self._younger: dict[K, tuple[V, int]] = {}
        self._older: dict[K, tuple[V, int]] = {}

    def get(self, key: K) -> V | None:
        """What is known under a key."""
        entry = self._younger.get(key)
        if entry is None:
            entry = self._older.get(key)
            if entry is None:
                return None
            self.put(key, *entry)
        return entry[0]

    def put(self, key: K, value: V, size: int = 1) -> None:
        """Remember something, which takes up so much."""
        if self._size + size > self._most:
            self._older, self._younger, self._size = self._younger, {}, 0
        self._younger[key] = value, size
        self._size += size
