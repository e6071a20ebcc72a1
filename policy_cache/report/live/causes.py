"""Why the cache was not read, by cause, as requests come."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.forecast.result import added
from policy_cache.live.engine import Engine
from policy_cache.misses.ledger import Misses
from policy_cache.report.misses import TITLES
from policy_cache.usage.live import Missed, last_minutes
from policy_cache.usage.live import Misses as Shown

if TYPE_CHECKING:
    from policy_cache.misses.difference import Cause
    from policy_cache.providers.catalog import Catalog
    from policy_cache.trace.record import TraceRecord

_MOST_SESSIONS = 10_000
# Each has a cache of its own, and beyond two thousand all of them are looked at for each request.
_MOST_MODELS = 1_000


class _Sum(NamedTuple):
    """What was missed for one cause."""

    requests: int = 0
    tokens: int = 0
    cost: Decimal | None = Decimal(0)

    def plus(self, other: _Sum) -> _Sum:
        return _Sum(self.requests + other.requests, self.tokens + other.tokens, added(self.cost, other.cost))


class Causes:
    """Holds each request against the one before it in its session, with no policy, as it was sent."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        """Begin with no session."""
        self._router = Engine.passing(catalog)
        self._misses = self._begun()
        self._sessions: set[int] = set()
        self._models: set[int] = set()
        self._before: dict[Cause, _Sum] = {}
        self._looked = self._missed = self._left_out = 0
        self._minutes: dict[int, Counter[Cause]] = {}
        self._latest: dict[Cause, float] = {}

    def _begun(self) -> Misses:
        return Misses(None, router=self._router, most=0)

    def add(self, record: TraceRecord, at: float, now: float) -> None:
        """Look at a request.

        Args:
            record: The request, in its turn.
            at: When it was, in seconds since the epoch; 0 where that is not known.
            now: The time.
        """
        self._bound(record)
        known = Counter({cause: total.requests for cause, total in self._misses.causes.items()})
        self._misses.add(record)
        found = Counter({cause: total.requests for cause, total in self._misses.causes.items()}) - known
        for cause in found:
            self._latest[cause] = max(min(at, now), self._latest.get(cause, 0.0))
        if found and (minute := int(record.at // 60)) in last_minutes(now):
            self._minutes.setdefault(minute, Counter()).update(found)
            self._forget(now)

    def shown(self, now: float) -> Shown:
        """What was missed so far, the cause that struck last first."""
        self._forget(now)
        hour = sum(self._minutes.values(), Counter())
        sums = self._sums()
        order = sorted(sums, key=lambda cause: (-self._latest[cause], cause))
        looked, missed, left_out = self._counts()
        causes = tuple(
            Missed(cause, TITLES[cause], self._latest[cause], hour[cause], *sums[cause]) for cause in order
        )
        return Shown(looked, missed, left_out, causes)

    def _bound(self, record: TraceRecord) -> None:
        """Begin anew after many sessions or models, which forgets the requests before those that come.

        The ledger of misses also keeps the names of models that it met, which a client may choose.
        """
        model = hash((record.scope, record.request["model"]))
        self._models.add(model)
        self._sessions.add(hash((model, record.session)))
        if len(self._models) > _MOST_MODELS or len(self._sessions) > _MOST_SESSIONS:
            self._before = self._sums()
            self._looked, self._missed, self._left_out = self._counts()
            self._misses = self._begun()
            self._sessions.clear()
            self._models.clear()

    def _sums(self) -> dict[Cause, _Sum]:
        sums = dict(self._before)
        for cause, total in self._misses.causes.items():
            now = _Sum(total.requests, total.tokens, total.cost)
            sums[cause] = sums.get(cause, _Sum()).plus(now)
        return sums

    def _counts(self) -> tuple[int, int, int]:
        left_out = self._misses.unmodelled.total() + self._misses.unread.total()
        return (
            self._looked + self._misses.requests,
            self._missed + self._misses.missed,
            self._left_out + left_out,
        )

    def _forget(self, now: float) -> None:
        first = last_minutes(now)[0]
        for number in [number for number in self._minutes if number < first]:
            del self._minutes[number]
