"""Sums over requests, in tokens and in money, with cold starts apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.cache.cost import cost, saving
from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from policy_cache.providers.prices import Prices
    from policy_cache.usage.sessions import Start


@dataclass(slots=True)
class Totals:
    """What requests, or parts of them, did to a cache. Replies cost the same either way: no money is theirs.

    Attributes:
        requests: How many requests.
        hits: How many of them read from the cache.
        read: Tokens read from the cache.
        write_5m: Tokens written for five minutes, or for as long as the provider does unasked.
        write_1h: Tokens written for an hour.
        uncached: The rest of the prompts.
        output: Tokens of the replies.
        paid: USD for those prompts whose price is known.
        without_cache: USD for the same prompts with every token uncached.
        unpriced: How many requests have an unknown price.
    """

    requests: int = 0
    hits: int = 0
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0
    uncached: int = 0
    output: int = 0
    paid: Decimal = Decimal(0)
    without_cache: Decimal = Decimal(0)
    unpriced: int = 0

    def add(self, outcome: CacheOutcome, rates: Prices | None, output: int = 0) -> None:
        """Add a request.

        Args:
            outcome: The tokens of its prompt, or of a part of it.
            rates: The prices for a prompt of its size; None where they are unknown.
            output: The tokens of its reply.
        """
        self.requests += 1
        self.hits += outcome.read > 0
        self.read += outcome.read
        self.write_5m += outcome.write_5m
        self.write_1h += outcome.write_1h
        self.uncached += outcome.uncached
        self.output += output
        money = saving(outcome, rates)
        if money is None:
            self.unpriced += 1
        else:
            self.paid += money.paid
            self.without_cache += money.without_cache

    def ping(self, outcome: CacheOutcome, rates: Prices | None, output: int = 0) -> None:
        """Add a request that would not be there otherwise: its reply is paid, too."""
        self.add(outcome, rates, output)
        self.paid += (rates and cost(CacheOutcome(), rates, output)) or 0

    def merge(self, other: Totals) -> None:
        """Add another's requests."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def tokens(self) -> CacheOutcome:
        """The tokens of the prompts, by what happened to them."""
        return CacheOutcome(self.read, self.write_5m, self.write_1h, self.uncached)

    @property
    def prompt(self) -> int:
        """Tokens of the prompts."""
        return self.tokens.total

    @property
    def written(self) -> int:
        """Tokens written to the cache."""
        return self.write_5m + self.write_1h

    @property
    def cost(self) -> Decimal | None:
        """USD for the prompts, unrounded; None once a price is unknown, never a part of the sum."""
        return None if self.unpriced else self.paid

    @property
    def saved(self) -> Decimal | None:
        """USD against no caching; None once a price is unknown."""
        return None if self.unpriced else self.known_saved

    @property
    def known_saved(self) -> Decimal:
        """USD against no caching, of those whose price is known."""
        return self.without_cache - self.paid

    def as_dict(self) -> dict[str, object]:
        """The figures in JSON's types, as a ledger and `policy-cache stats` give them."""
        return {
            "requests": self.requests,
            "hits": self.hits,
            "read": self.read,
            "written": self.written,
            "write_5m": self.write_5m,
            "write_1h": self.write_1h,
            "uncached": self.uncached,
            "output": self.output,
            "saved_usd": None if self.saved is None else float(self.saved),
            "unpriced": self.unpriced,
        }


def summed(parts: Iterable[Totals]) -> Totals:
    """All together; no part is changed, now or later."""
    total = Totals()
    for part in parts:
        total.merge(part)
    return total


@dataclass(slots=True)
class Entry:
    """The totals of one name, or of one way of marking.

    Attributes:
        cold: Over the requests that could find nothing of their session in the cache.
        warm: Over the others.
    """

    cold: Totals = field(default_factory=Totals)
    warm: Totals = field(default_factory=Totals)

    @property
    def total(self) -> Totals:
        """Over all requests."""
        return summed((self.cold, self.warm))

    def at(self, start: Start) -> Totals:
        """Those of the requests that found their session so."""
        return self.cold if start == "cold" else self.warm

    def merge(self, other: Self) -> None:
        """Add another's requests."""
        self.cold.merge(other.cold)
        self.warm.merge(other.warm)

    def as_dict(self) -> dict[str, object]:
        """The figures in JSON's types."""
        return {**self.total.as_dict(), "cold": self.cold.as_dict(), "warm": self.warm.as_dict()}
