"""The provider's prompt cache, as a model: what a prompt reads, what it writes, and for how long.

The way it works is Anthropic's (platform.claude.com, "Prompt caching"), and its figures are the catalog's.
Time is always passed in.

One rule is not documented: how long an entry for an hour lives whose beginning was read from one for five
minutes. Only what was written for an hour is taken to live for one, so such an entry lives for five minutes:
a forecast must not promise what nobody has paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.cache.entries import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.cache.prompt import CachedPrompt, Ttl
    from policy_cache.providers.cache_rules import ExplicitRules


@dataclass(frozen=True, slots=True)
class CacheOutcome:
    """The tokens of one prompt, by what happened to them."""

    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    uncached: int = 0

    @property
    def total(self) -> int:
        """The size of the whole prompt."""
        return self.read + self.write_5m + self.write_1h + self.uncached

    def __add__(self, other: CacheOutcome) -> CacheOutcome:
        """Two parts of a prompt together."""
        return CacheOutcome(
            self.read + other.read,
            self.write_5m + other.write_5m,
            self.write_1h + other.write_1h,
            self.uncached + other.uncached,
        )

    def between(self, start: int, end: int) -> CacheOutcome:
        """The tokens between two places of the prompt, counted from its front.

        A prompt is billed as read first, then as written for an hour, then for less, then as uncached.
        """
        parts: list[int] = []
        place = 0
        for tokens in (self.read, self.write_1h, self.write_5m, self.uncached):
            parts.append(max(0, min(end, place + tokens) - max(start, place)))
            place += tokens
        read, hour, short, uncached = parts
        return CacheOutcome(read, short, hour, uncached)


class EntryRef(NamedTuple):
    """A cache entry that a prompt reads or writes: the block that ends it, by its index, and its TTL."""

    block: int
    digest: bytes
    ttl: Ttl


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What one prompt does to the cache.

    Attributes:
        started: When its request started; lifetimes run from here.
        outcome: Its tokens.
        reads: For each breakpoint that finds an entry, the highest it finds; in prefix order.
        writes: The breakpoints where it leaves an entry, in prefix order.
    """

    started: float
    outcome: CacheOutcome
    reads: Sequence[EntryRef]
    writes: Sequence[EntryRef]

    @property
    def hit(self) -> int | None:
        """The index of the block that ends the prefix read from the cache."""
        return self.reads[-1].block if self.reads else None


class CacheModel:
    """A provider's cache for models of the same rules. Not for several threads at once.

    Attributes:
        entries: Prefixes by their hash.
    """

    def __init__(self, rules: ExplicitRules) -> None:
        """Begin with an empty cache."""
        self._rules = rules
        self.entries: dict[bytes, Entry] = {}
        self._purge_above = 1024

    def __len__(self) -> int:
        return len(self.entries)

    def plan(self, prompt: CachedPrompt, now: float) -> CachePlan:
        """Work out what a prompt would read and write if its request started now; change nothing."""
        if not prompt.breakpoints:
            return CachePlan(now, CacheOutcome(uncached=prompt.tokens), (), ())
        digests, positions, ends = prompt.prefix
        minimum = self._rules.minimum
        reads: list[EntryRef] = []
        writes: list[EntryRef] = []
        for index, ttl in prompt.breakpoints.items():
            # A prefix below the minimum is neither read nor written, and nothing says so.
            if ends[index] < minimum:
                continue
            found = self._look_back(index, digests, positions, now) if self.entries else None
            if found is not None:
                reads.append(found)
            if found is None or found.block < index:
                writes.append(EntryRef(index, digests[index], ttl))
        outcome = _outcome(prompt, ends, reads, writes)
        if reads and reads[-1].ttl == "5m":
            writes = [EntryRef(write.block, write.digest, "5m") for write in writes]
        return CachePlan(now, outcome, tuple(reads), tuple(writes))

    def refresh(self, plan: CachePlan) -> None:
        """The request starts: what it reads lives on from then, each entry with its own lifetime."""
        for read in plan.reads if self._rules.prolonged else ():
            self._keep(read, started=plan.started, available=plan.started)

    def commit(self, plan: CachePlan, available: float) -> None:
        """The reply begins: what the request wrote becomes readable. Refreshes its reads too."""
        self.refresh(plan)
        for write in plan.writes:
            self._keep(write, started=plan.started, available=available)
        if len(self.entries) > self._purge_above:
            self._purge(plan.started)

    def _look_back(
        self, breakpoint_: int, digests: list[bytes], positions: list[int], now: float
    ) -> EntryRef | None:
        lookback = self._rules.lookback
        for index in range(breakpoint_, -1, -1):
            if positions[breakpoint_] - positions[index] >= lookback:
                return None
            entry = self.entries.get(digests[index])
            if entry is not None and entry.available <= now < entry.expires:
                return EntryRef(index, digests[index], entry.ttl)
        return None

    def _keep(self, ref: EntryRef, *, started: float, available: float) -> None:
        entry = self.entries.get(ref.digest)
        seconds = self._rules.seconds
        if entry is None or entry.expires <= started:
            self.entries[ref.digest] = Entry(available, started + seconds(ref.ttl), ref.ttl)
            return
        # Two requests at once may write the same prefix: the first reply makes it readable, and
        # the longer lifetime was paid for.
        ttl: Ttl = "1h" if "1h" in {entry.ttl, ref.ttl} else "5m"
        self.entries[ref.digest] = Entry(
            min(entry.available, available), max(entry.expires, started + seconds(ttl)), ttl
        )

    def _purge(self, now: float) -> None:
        self.entries = {digest: entry for digest, entry in self.entries.items() if entry.expires > now}
        # Doubling keeps the cost of purging constant per entry.
        self._purge_above = max(1024, 2 * len(self.entries))


def _outcome(
    prompt: CachedPrompt, ends: Sequence[int], reads: list[EntryRef], writes: list[EntryRef]
) -> CacheOutcome:
    """Bill a prompt: read up to A, write for an hour up to B, for five minutes up to C.

    A is the highest hit, B the highest one-hour breakpoint after it, C the last breakpoint.
    A breakpoint before A leaves an entry for nothing.
    """
    hit = reads[-1].block if reads else -1
    last_1h = max((write.block for write in writes if write.ttl == "1h"), default=-1)
    last = writes[-1].block if writes else -1
    a = ends[hit] if hit >= 0 else 0
    b = ends[last_1h] if last_1h > hit else a
    c = ends[last] if last > hit else a
    return CacheOutcome(read=a, write_1h=b - a, write_5m=c - b, uncached=prompt.tokens - c)
