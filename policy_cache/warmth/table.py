"""What is believed of providers' caches: prefixes by their hash, and nothing of what they say."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy_cache.cache.entries import Entry


class Belief(NamedTuple):
    """An entry that a provider's cache is believed to have.

    Attributes:
        entry: When it can be read, in seconds since the epoch, and the lifetime that was asked for.
        seconds: How long it lives after it was last used.
        reported: Whether the provider said so, in the usage of an answer.
    """

    entry: Entry
    seconds: float
    reported: bool


class Beliefs(Protocol):
    """Where beliefs are kept; `place` stands for a scope and a model. Safe between threads; never raises."""

    def look(self, place: bytes, digests: Sequence[bytes]) -> dict[bytes, Belief]:
        """What is believed of these prefixes, what has expired included."""

    def change(self, place: bytes, kept: Mapping[bytes, Belief], gone: Collection[bytes], now: float) -> None:
        """Believe some things and others no longer."""


class Table:
    """Beliefs of one process.

    An entry takes some 400 bytes. What has expired goes with the next change; beyond the bound, what
    expires first.
    """

    def __init__(self, most: int = 50_000) -> None:
        """Keep at most so many entries."""
        self._most = most
        self._lock = threading.Lock()
        # One table for each lifetime: in it, what was used last expires last.
        self._kept: dict[float, dict[bytes, Belief]] = {}

    def __len__(self) -> int:
        """How many entries it has."""
        return sum(map(len, self._kept.values()))

    def look(self, place: bytes, digests: Sequence[bytes]) -> dict[bytes, Belief]:
        """What is believed of these prefixes; takes no lock."""
        found: dict[bytes, Belief] = {}
        for kept in tuple(self._kept.values()):
            get = kept.get
            for digest in digests:
                belief = get(place + digest)
                if belief is not None:
                    found[digest] = belief
        return found

    def change(self, place: bytes, kept: Mapping[bytes, Belief], gone: Collection[bytes], now: float) -> None:
        """Believe some things and others no longer."""
        with self._lock:
            for digest in gone:
                self._pop(place + digest)
            for digest, belief in kept.items():
                # Two answers at once may each know only what was before the other.
                before = self._pop(place + digest)
                latest = before if before and before.entry.expires > belief.entry.expires else belief
                self._kept.setdefault(latest.seconds, {})[place + digest] = latest
            for table in self._kept.values():
                while (first := next(iter(table), None)) and table[first].entry.expires <= now:
                    del table[first]
            while len(self) > self._most:
                self._drop()

    def _pop(self, key: bytes) -> Belief | None:
        found = [table.pop(key, None) for table in self._kept.values()]
        return next(filter(None, found), None)

    def _drop(self) -> None:
        """Let go of what expires first."""
        tables = [table for table in self._kept.values() if table]
        soonest = min(tables, key=lambda table: table[next(iter(table))].entry.expires)
        del soonest[next(iter(soonest))]
