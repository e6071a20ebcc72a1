"""What a replay found, for every way of marking that it tried."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.usage.totals import Entry, Totals

if TYPE_CHECKING:
    from typing import Self

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.forecast.counting import Counted
    from policy_cache.providers.prices import Prices


@dataclass(slots=True)
class Column(Entry):
    """What one way of marking did: to the requests that are the first of their session, and to the others.

    Attributes:
        groups: All requests, by what they are grouped by.
        pings: What was sent between them to keep prefixes warm, with what its replies cost.
        pings_of: The same, by what their requests are grouped by.
    """

    groups: dict[str, Totals] = field(default_factory=dict)
    pings: Totals = field(default_factory=Totals)
    pings_of: dict[str, Totals] = field(default_factory=dict)

    @property
    def cost(self) -> Decimal | None:
        """USD for all of that; None where a price is unknown."""
        return added(self.total.cost, self.pings.cost)

    @property
    def whole(self) -> Totals:
        """All requests, with what the pings between them cost."""
        return _with(self.total, self.pings)

    def whole_of(self, group: str) -> Totals:
        """The same for a group."""
        return _with(self.groups[group], self.pings_of.get(group))

    def add(self, outcome: CacheOutcome, rates: Prices | None, *, cold: bool, group: str | None) -> None:
        """Add a request."""
        (self.cold if cold else self.warm).add(outcome, rates)
        if group is not None:
            self.groups.setdefault(group, Totals()).add(outcome, rates)

    def ping(self, outcome: CacheOutcome, rates: Prices | None, reply: int, *, group: str | None) -> None:
        """Add a ping.

        Args:
            outcome: The tokens of its prompt.
            rates: The prices for a prompt of its size.
            reply: The tokens of its reply.
            group: What its request is grouped by.
        """
        self.pings.ping(outcome, rates, reply)
        if group is not None:
            self.pings_of.setdefault(group, Totals()).ping(outcome, rates, reply)

    def merge(self, other: Self) -> None:
        """Add another's requests."""
        Entry.merge(self, other)
        self.pings.merge(other.pings)
        for mine, theirs in ((self.groups, other.groups), (self.pings_of, other.pings_of)):
            for name, totals in theirs.items():
                mine.setdefault(name, Totals()).merge(totals)


def _with(totals: Totals, pings: Totals | None) -> Totals:
    """Requests that cost what pings cost beside them; how many there are stays."""
    return totals if pings is None else replace(totals, paid=totals.paid + pings.paid)


@dataclass(slots=True)
class SizeError:
    """By how much estimated sizes miss the reported ones, in tenths of a per cent."""

    _seen: Counter[int] = field(default_factory=Counter)

    def add(self, estimated: int, reported: int) -> None:
        """Take a prompt that was reported."""
        if reported > 0:
            self._seen[min(round(1_000 * abs(estimated - reported) / reported), 10_000)] += 1

    def merge(self, other: SizeError) -> None:
        """Take another's prompts, too."""
        self._seen.update(other._seen)

    @property
    def requests(self) -> int:
        """How many prompts were compared."""
        return self._seen.total()

    def share(self, quantile: float) -> float:
        """The error that this share of the prompts does not exceed, as a share of their size."""
        wanted = quantile * self.requests
        passed = 0
        for error in sorted(self._seen):
            passed += self._seen[error]
            if passed >= wanted:
                return error / 1_000
        return 0.0


@dataclass(slots=True)
class Simulation:
    """What a replay found.

    Attributes:
        policies: For each policy, in the order given.
        kept: For each of them, the same with its prefixes kept warm; empty where that was not asked for.
        uncached: Without any caching.
        as_sent: Without a policy: the client's own markers, and what providers do by themselves.
        recorded: What providers reported, of the requests that have usage.
        optimum: The least that any placement of breakpoints could cost, in USD; None where it is unknown.
        pinged: The same with any pings; None where it was not asked for, too.
        optimal: How many requests that is about: those to providers with explicit breakpoints.
        sizes: How far the estimated sizes are from the reported ones.
        requests: How many requests were replayed.
        sessions: How many conversations they belong to.
        models: How many went to each model.
        approximate: How many requests met a model of a cache that is an approximation, by what it says.
        ineffective: How many of the clients' markers take no effect, by the model that they went to.
        unread: How many could not be replayed, by why.
        warm_starts: How many sessions read more at their first request than any before it had left.
        summed: How many have a usage that is the mere sum of several calls of the model: no size is known.
        near: Those whose prefix is as large as the minimum under the first policy, as far as sizes are known:
            what they cost as it is reckoned, and uncached.
        span: When the first and the last one started, in seconds.
        unpriced: The models whose price is unknown.
        counted: What counting some prompts told of sizes, by model.
    """

    policies: list[Column]
    kept: list[Column] = field(default_factory=list)
    uncached: Column = field(default_factory=Column)
    as_sent: Column = field(default_factory=Column)
    recorded: Column = field(default_factory=Column)
    optimum: Decimal | None = Decimal(0)
    pinged: Decimal | None = None
    optimal: int = 0
    sizes: SizeError = field(default_factory=SizeError)
    requests: int = 0
    sessions: int = 0
    models: Counter[str] = field(default_factory=Counter)
    approximate: Counter[str] = field(default_factory=Counter)
    ineffective: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    warm_starts: int = 0
    summed: int = 0
    near: Totals = field(default_factory=Totals)
    span: tuple[float, float] | None = None
    unpriced: set[str] = field(default_factory=set)
    counted: tuple[Counted, ...] = ()

    def merge(self, other: Simulation) -> None:
        """Add what another replay found, of other caches."""
        columns = (*self.policies, *self.kept), (*other.policies, *other.kept)
        for mine, theirs in zip(*columns, strict=True):
            mine.merge(theirs)
        self.uncached.merge(other.uncached)
        self.as_sent.merge(other.as_sent)
        self.recorded.merge(other.recorded)
        self.optimum = added(self.optimum, other.optimum)
        self.pinged = added(self.pinged, other.pinged)
        self.optimal += other.optimal
        self.sizes.merge(other.sizes)
        self.requests += other.requests
        self.sessions += other.sessions
        self.warm_starts += other.warm_starts
        self.summed += other.summed
        self.near.merge(other.near)
        for name in ("models", "approximate", "ineffective", "unread"):
            getattr(self, name).update(getattr(other, name))
        spans = [span for span in (self.span, other.span) if span is not None]
        self.span = (min(s for s, _ in spans), max(e for _, e in spans)) if spans else None
        self.unpriced |= other.unpriced


def added(amount: Decimal | None, other: Decimal | None) -> Decimal | None:
    """Two amounts together; None where one is unknown."""
    return None if amount is None or other is None else amount + other
