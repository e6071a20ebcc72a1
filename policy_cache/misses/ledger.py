"""Why the requests of a session did not read what the one before them left in the cache."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from policy_cache.cache.caches import Caches
from policy_cache.cache.explicit import CacheModel
from policy_cache.cache.memo import Memo
from policy_cache.engine.engine import Engine
from policy_cache.errors import RequestError
from policy_cache.forecast.reader import Readers, marked
from policy_cache.misses.bill import modelled, reported
from policy_cache.misses.difference import Sent
from policy_cache.misses.loss import Request, losses
from policy_cache.misses.miss import Kept, Miss
from policy_cache.misses.shortfall import Turn
from policy_cache.providers.cache_rules import ExplicitRules
from policy_cache.providers.price_map import prices_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.cache.prompt import Prompt
    from policy_cache.forecast.scale import Scale
    from policy_cache.misses.miss import Cause, CauseTotal
    from policy_cache.providers.prices import Prices
    from policy_cache.providers.resolve import Route
    from policy_cache.trace.record import TraceRecord

MOST_KEPT = 100
"""Misses that are kept of each cause, the dearest; and of all, the first."""

# What is remembered of sessions, in tokens; a block takes up as much as so many.
_MOST_TOKENS = 20_000_000
_PER_BLOCK = 64


class Misses:
    """The misses of a trace, request by request in the order of their start.

    A request is held against the one before it in its session. What lies in both and was not read is a miss,
    and so is what the one before left in the cache behind the first thing that changed. A request that reads
    beyond what both have in common follows another one, and missed nothing. The first request of a session,
    which might read what other sessions share with it, is not looked at. Only providers whose caches take
    `cache_control` are.

    Attributes:
        requests: How many requests were looked at, the first ones of their sessions included.
        sessions: How many sessions they belong to.
        missed: How many requests missed something.
        tokens: The tokens of all these prompts.
        unmodelled: How many requests went to each provider whose cache is not looked at.
        unread: How many could not be read, by why.
        unpriced: The models whose price is unknown.
    """

    def __init__(
        self,
        engine: Engine | None,
        *,
        router: Engine | None = None,
        scales: Mapping[str, Scale] | None = None,
        session: str | None = None,
        most: int = MOST_KEPT,
    ) -> None:
        """Begin with empty caches.

        Args:
            engine: The policy; None takes requests as they are, and what was reported of them as the truth.
            router: What tells where requests go, where there is no policy.
            scales: For a model, its own tokens for each estimated one.
            session: The only session to look at; the others still fill the caches.
            most: Misses to keep of each cause, the dearest; and of all, the first.
        """
        self.requests = self.sessions = self.missed = self.tokens = 0
        self.unmodelled: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.unpriced: set[str] = set()
        self._engine = engine
        self._router = engine or router or Engine.from_config(None)
        self._readers = Readers(scales or {})
        self._session = session
        self._kept = Kept(most)
        self._caches: Caches[CacheModel | None] = Caches(_cache)
        self._known_prices: dict[str, Prices | None] = {}
        self._sessions: Memo[tuple[str, str], Request] = Memo(_MOST_TOKENS)

    @property
    def found(self) -> tuple[Miss, ...]:
        """The misses that were kept, the dearest first."""
        return self._kept.misses

    @property
    def causes(self) -> Mapping[Cause, CauseTotal]:
        """The sum for each cause, of all misses."""
        return self._kept.causes

    def add(self, record: TraceRecord) -> None:
        """Look at a request.

        Args:
            record: The next request of the trace; what it holds must not change later.
        """
        try:
            route = self._router.facts(record.request).route
        except RequestError as error:
            self.unread[str(error)] += 1
            return
        plain = self._readers.read(record.request, route, record.scope)
        sent, prompt = record.request, plain
        if self._engine is not None:
            sent, prompt = self._readers.sent(self._engine, sent, plain, route)
        seen = record.request if prompt is plain else sent
        request = Request(route, Sent(seen, prompt), self._turn(record, route, marked(prompt, sent, route)))
        key = (record.scope, record.session)
        before = self._sessions.get(key)
        self._sessions.put(key, request, prompt.tokens + _PER_BLOCK * len(prompt.blocks))
        if self._session not in {None, record.session}:
            return
        if request.turn is None:
            self.unmodelled[request.name] += 1
            return
        self.requests += 1
        self.sessions += before is None
        self._judge(record, before, request, request.turn)

    def _turn(self, record: TraceRecord, route: Route, prompt: Prompt) -> Turn | None:
        rules, cache = route.marked, self._caches.of(route, record)
        if cache is None or not isinstance(rules, ExplicitRules):
            return None
        plan = cache.plan(prompt, record.at)
        available = record.at + record.waited
        cache.commit(plan, available)
        return Turn(prompt, plan, record.at, available, rules)

    def _judge(self, record: TraceRecord, before: Request | None, request: Request, turn: Turn) -> None:
        recorded = record.usage if self._engine is None else None
        bill = modelled(turn) if recorded is None or not recorded.prompt else reported(turn, recorded)
        whole = bill.outcome.total
        self.tokens += whole
        if before is None:
            return
        prices = self._prices(request)
        rates = None if prices is None else prices.for_prompt(whole)
        at, missed = bill.outcome.read, False
        for loss in losses(before, request, turn, bill.hit):
            end = min(round(loss.end * bill.factor), whole)
            if end > at:
                cost = None if rates is None else bill.cost(at, end, rates)
                where, session = record.where, record.session
                self._kept.add(Miss(where, session, loss.cause, loss.location, loss.said, end - at, cost))
                at, missed = end, True
        self.missed += missed

    def _prices(self, request: Request) -> Prices | None:
        if request.name not in self._known_prices:
            self._known_prices[request.name] = prices_of(
                request.route.model, request.route.provider, writes=True
            )
        prices = self._known_prices[request.name]
        if prices is None:
            self.unpriced.add(request.name)
        return prices


def _cache(route: Route, _: Mapping[str, object]) -> CacheModel | None:
    """The cache of a route; None where it takes no `cache_control`."""
    return CacheModel(route.marked) if isinstance(route.marked, ExplicitRules) else None
