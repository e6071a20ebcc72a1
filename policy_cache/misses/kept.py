"""Misses, their sums, and those of them that are kept: as many as memory allows."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from heapq import heappush, heappushpop
from itertools import count
from typing import TYPE_CHECKING

from policy_cache.forecast.result import added

if TYPE_CHECKING:
    from policy_cache.misses.difference import Cause
    from policy_cache.request.location import Location

MOST_KEPT = 100
"""Misses that are kept of each cause, the dearest; and of all, the first."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Tokens of a request that could have been read, and were not, for one cause.

    Attributes:
        where: The request's file and line.
        session: Its conversation.
        cause: Why they were not read.
        location: What changed, or where the entry ends that was not read; empty where no place is to blame.
        detail: The cause in words; never a prompt's own.
        tokens: How many.
        cost: What they cost beyond the price of reading them, in USD; None where the price is unknown.
    """

    where: str
    session: str
    cause: Cause
    location: Location
    detail: str
    tokens: int
    cost: Decimal | None


@dataclass(slots=True)
class CauseTotal:
    """What one cause cost in all.

    Attributes:
        requests: How many requests it struck.
        tokens: How many tokens they did not read because of it.
        cost: What these cost beyond the price of reading them, in USD; None where a price is unknown.
    """

    requests: int = 0
    tokens: int = 0
    cost: Decimal | None = Decimal(0)

    def add(self, miss: Miss) -> None:
        """Add a request's miss."""
        self.requests += 1
        self.tokens += miss.tokens
        self.cost = added(self.cost, miss.cost)


class Kept:
    """The sum for each cause, and some of the misses: of each cause the dearest, and of all the first.

    Attributes:
        causes: The sums.
    """

    def __init__(self, most: int) -> None:
        """Keep no more misses than this of each kind."""
        self.causes: dict[Cause, CauseTotal] = {}
        self._most = most
        self._order = count()
        self._first: list[tuple[int, Miss]] = []
        self._dearest: dict[Cause, list[tuple[Decimal, int, int, Miss]]] = {}

    def add(self, miss: Miss) -> None:
        """Take a miss."""
        self.causes.setdefault(miss.cause, CauseTotal()).add(miss)
        number = next(self._order)
        if len(self._first) < self._most:
            self._first.append((number, miss))
        dearest = self._dearest.setdefault(miss.cause, [])
        entry = (miss.cost or Decimal(0), miss.tokens, -number, miss)
        if len(dearest) < self._most:
            heappush(dearest, entry)
        else:
            heappushpop(dearest, entry)

    @property
    def misses(self) -> tuple[Miss, ...]:
        """The misses that were kept, the dearest first."""
        kept = dict(self._first)
        kept |= {-number: miss for heap in self._dearest.values() for _, _, number, miss in heap}
        order = sorted(kept.items(), key=lambda item: (-(item[1].cost or 0), -item[1].tokens, item[0]))
        return tuple(miss for _, miss in order)
