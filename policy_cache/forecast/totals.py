"""Sums over requests, in tokens and in money."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.cache.cost import billed
from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from policy_cache.providers.prices import Prices


@dataclass(slots=True)
class Totals:
    """What requests did to a cache. The reply costs the same under any policy, and is left out.

    Attributes:
        requests: How many.
        hits: How many of them read anything.
    """

    requests: int = 0
    hits: int = 0
    _tokens: list[tuple[Prices | None, list[int]]] = field(default_factory=list)

    def add(self, outcome: CacheOutcome, rates: Prices | None) -> None:
        """Add a request, with the rates for a prompt of its size; None where they are unknown."""
        self.requests += 1
        self.hits += outcome.read > 0
        sums = self._at(rates)
        sums[0] += outcome.read
        sums[1] += outcome.write_5m
        sums[2] += outcome.write_1h
        sums[3] += outcome.uncached

    def merge(self, other: Totals) -> None:
        """Add another's requests."""
        self.requests += other.requests
        self.hits += other.hits
        for rates, theirs in other._tokens:
            sums = self._at(rates)
            for index, tokens in enumerate(theirs):
                sums[index] += tokens

    def _at(self, rates: Prices | None) -> list[int]:
        for known, sums in self._tokens:
            if known is rates or known == rates:
                return sums
        self._tokens.append((rates, [0, 0, 0, 0]))
        return self._tokens[-1][1]

    @property
    def tokens(self) -> CacheOutcome:
        """All tokens, by what happened to them."""
        return CacheOutcome(*map(sum, zip(*(sums for _, sums in self._tokens), strict=True)))

    @property
    def cost(self) -> Decimal | None:
        """USD for the prompts, unrounded; None where a price is unknown."""
        total = Decimal(0)
        for rates, sums in self._tokens:
            if rates is not None:
                total += billed(CacheOutcome(*sums), 0, rates)
            elif any(sums):
                return None
        return total

    @property
    def saved(self) -> Decimal | None:
        """USD against the same tokens without caching; None where a price is unknown."""
        plain = Totals(_tokens=[(rates, [0, 0, 0, sum(sums)]) for rates, sums in self._tokens])
        without, cost = plain.cost, self.cost
        return None if without is None or cost is None else without - cost
