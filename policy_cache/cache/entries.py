"""Caches in which every entry lives equally long."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.cache.explicit import CachePlan, EntryRef

_PURGED_ABOVE = 1024


class Entries:
    """Prefixes by their hash, each for so many seconds after it was last written or read.

    Args:
        seconds: How long an unused entry lives.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # When it becomes readable, and when it expires.
        self._known: dict[bytes, tuple[float, float]] = {}
        self._purge_above = _PURGED_ABOVE

    def __len__(self) -> int:
        return len(self._known)

    def is_live(self, digest: bytes, now: float) -> bool:
        """Whether a request that starts now can read a prefix."""
        entry = self._known.get(digest)
        return entry is not None and entry[0] <= now < entry[1]

    def keep(self, refs: Iterable[EntryRef], *, started: float, available: float) -> None:
        """A request that started then has read prefixes, or written them, readable from `available` on."""
        fresh = available, started + self._seconds
        known = self._known
        for ref in refs:
            digest = ref.digest
            entry = known.get(digest)
            if entry is None or entry[1] <= started:
                known[digest] = fresh
            else:
                # Of two requests at once, the first reply makes it readable, and the later start prolongs it.
                first, expires = entry
                known[digest] = min(first, available), max(expires, fresh[1])

    def purge(self, now: float) -> None:
        """Forget what has expired, once there is enough of it to be worth a look."""
        if len(self._known) > self._purge_above:
            self._known = {digest: entry for digest, entry in self._known.items() if entry[1] > now}
            # Doubling keeps the cost of purging constant per entry.
            self._purge_above = max(_PURGED_ABOVE, 2 * len(self._known))


class EntryModel:
    """A cache whose entries live for so many seconds after they were last written or read."""

    def __init__(self, seconds: float) -> None:
        """Begin with an empty cache."""
        self._entries = Entries(seconds)

    def __len__(self) -> int:
        return len(self._entries)

    def refresh(self, plan: CachePlan) -> None:
        """The request starts: what it reads lives on from then, for nothing."""
        self._entries.keep(plan.reads, started=plan.started, available=plan.started)

    def commit(self, plan: CachePlan, available: float) -> None:
        """The reply begins: what else the plan names becomes readable. Refreshes its reads too."""
        self.refresh(plan)
        self._entries.keep(plan.writes, started=plan.started, available=available)
        self._entries.purge(plan.started)
