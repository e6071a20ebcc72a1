"""The dearest sessions of a trace, picked in bounded memory."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from policy_cache.cache.memo import Memo

if TYPE_CHECKING:
    from policy_cache.usage.totals import Totals

Key: TypeAlias = tuple[str, str]
"""What tells sessions apart: what shares a cache, and the conversation."""

_MOST_SESSIONS = 200_000


class Sum(NamedTuple):
    """The requests of a session, without caching.

    Attributes:
        cost: In USD; 0 where every price is unknown.
        tokens: Their size.
        requests: How many.
        priced: Whether every price is known.
    """

    cost: Decimal = Decimal(0)
    tokens: int = 0
    requests: int = 0
    priced: bool = True


class Dearest:
    """The sessions that cost the most without caching; by their tokens where they cost the same.

    A session that was forgotten, because very many others were met since, counts as another one.
    """

    def __init__(self, most: int) -> None:
        """Keep so many."""
        self._most = most
        self._sums: Memo[Key, Sum] = Memo(_MOST_SESSIONS)
        self._kept: dict[Key, Sum] = {}
        self._least = (Decimal(0), 0)

    def add(self, key: Key, request: Totals) -> None:
        """Add a request of a session."""
        cost, before = request.cost, self._kept.get(key) or self._sums.get(key) or Sum()
        after = Sum(
            before.cost + (cost or 0),
            before.tokens + request.tokens.total,
            before.requests + 1,
            before.priced and cost is not None,
        )
        self._sums.put(key, after)
        if key not in self._kept and len(self._kept) >= self._most and after[:2] <= self._least:
            return
        self._kept[key] = after
        if len(self._kept) > self._most:
            del self._kept[min(self._kept, key=lambda kept: self._kept[kept][:2])]
        self._least = min((kept[:2] for kept in self._kept.values()), default=self._least)

    @property
    def sums(self) -> dict[Key, Sum]:
        """The dearest, the dearest of them first."""
        return dict(sorted(self._kept.items(), key=lambda item: (-item[1].cost, -item[1].tokens, item[0])))
