"""What is believed of providers' caches: prefixes by their hash, and nothing of what they say."""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy_cache.cache.entries import Entry

_NOTHING: Mapping[bytes, Entry] = MappingProxyType({})


class Beliefs(Protocol):
    """Where beliefs are kept; a place stands for a scope and a model. Safe between threads; never raises."""

    def look(self, place: bytes, digests: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """What is believed of these prefixes, and perhaps of others; what has expired included."""

    def change(self, place: bytes, kept: Mapping[bytes, Entry], gone: Collection[bytes], now: float) -> None:
        """Believe some things and others no longer; times are in seconds since the epoch."""


class Table:
    """Beliefs of one process.

    An entry takes some 500 bytes. What has expired goes with the next change; beyond the bound, what was
    changed longest ago.
    """

    def __init__(self, most: int = 50_000) -> None:
        """Keep at most so many entries."""
        self._most = most
        self._lock = threading.Lock()
        self._places: dict[bytes, dict[bytes, Entry]] = {}
        # What was used last expires last, among what lives equally long.
        self._order: dict[str, dict[tuple[bytes, bytes], None]] = {"5m": {}, "1h": {}}

    def __len__(self) -> int:
        """How many entries it has."""
        return sum(map(len, self._order.values()))

    def look(self, place: bytes, digests: Sequence[bytes]) -> Mapping[bytes, Entry]:  # noqa: ARG002
        """What is believed of any prefix of a place; takes no lock."""
        return self._places.get(place, _NOTHING)

    def change(self, place: bytes, kept: Mapping[bytes, Entry], gone: Collection[bytes], now: float) -> None:
        """Believe some things and others no longer."""
        with self._lock:
            for digest in gone:
                self._pop(place, digest)
            for digest, entry in kept.items():
                # Two answers at once may each know only what was before the other.
                entries = self._places.setdefault(place, {})
                before = entries.get(digest)
                latest = before if before and before.expires > entry.expires else entry
                if before:
                    del self._order[before.ttl][place, digest]
                # In one step, for whoever looks meanwhile.
                entries[digest] = latest
                self._order[latest.ttl][place, digest] = None
            for order in self._order.values():
                while (first := next(iter(order), None)) and self._places[first[0]][first[1]].expires <= now:
                    self._pop(*first)
            while len(self) > self._most:
                longest = max(self._order, key=lambda ttl: len(self._order[ttl]))
                self._pop(*next(iter(self._order[longest])))

    def _pop(self, place: bytes, digest: bytes) -> None:
        entries = self._places.get(place)
        entry = entries.pop(digest, None) if entries else None
        if entries is not None and not entries:
            del self._places[place]
        if entry is not None:
            del self._order[entry.ttl][place, digest]
