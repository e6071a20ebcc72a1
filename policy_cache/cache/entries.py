"""Caches in which every entry lives equally long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.cache.explicit import CachePlan, EntryRef
    from policy_cache.cache.prompt import Ttl

_PURGED_ABOVE = 1024


class Entry(NamedTuple):
    """A prefix that is kept.

    Attributes:
        available: From when a request that starts can read it.
        expires: Until when.
        ttl: The lifetime that was asked for; `5m` where none is.
        reported: Whether the provider said so, in the usage of an answer.
    """

    available: float
    expires: float
    ttl: Ttl = "5m"
    reported: bool = False


class EntryModel:
    """A cache whose entries live for so many seconds after they were last written or read.

    Attributes:
        entries: Prefixes by their hash.
    """

    def __init__(self, seconds: float) -> None:
        """Begin with an empty cache; `seconds` is how long an unused entry lives."""
        self._seconds = seconds
        self.entries: dict[bytes, Entry] = {}
        self._purge_above = _PURGED_ABOVE

    def __len__(self) -> int:
        return len(self.entries)

    def is_live(self, digest: bytes, now: float) -> bool:
        """Whether a request that starts now can read a prefix."""
        entry = self.entries.get(digest)
        return entry is not None and entry[0] <= now < entry[1]

    def refresh(self, plan: CachePlan) -> None:
        """The request starts: what it reads lives on from then, for nothing."""
        self._keep(plan.reads, started=plan.started, available=plan.started)

    def commit(self, plan: CachePlan, available: float) -> None:
        """The reply begins: what else the plan names becomes readable. Refreshes its reads too."""
        self.refresh(plan)
        self._keep(plan.writes, started=plan.started, available=available)
        if len(self.entries) > self._purge_above:
            self.entries = {key: entry for key, entry in self.entries.items() if entry[1] > plan.started}
            # Doubling keeps the cost of purging constant per entry.
            self._purge_above = max(_PURGED_ABOVE, 2 * len(self.entries))

    def _keep(self, refs: Iterable[EntryRef], *, started: float, available: float) -> None:
        fresh = Entry(available, started + self._seconds)
        known = self.entries
        for ref in refs:
            digest = ref.digest
            entry = known.get(digest)
            if entry is None or entry[1] <= started:
                known[digest] = fresh
            else:
                # Of two requests at once, the first reply makes it readable, and the later start prolongs it.
                first, expires = entry[:2]
                known[digest] = Entry(min(first, available), max(expires, fresh[1]))
