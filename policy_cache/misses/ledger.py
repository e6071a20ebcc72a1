"""Why the requests of a session did not read what the one before them left in the cache."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheModel, CacheOutcome
from policy_cache.cache.memo import Memo
from policy_cache.cache.reader import Readers
from policy_cache.cache.reading import marked
from policy_cache.engine.transit import Outgoing
from policy_cache.errors import RequestError
from policy_cache.forecast.caches import Caches
from policy_cache.forecast.calibration import Calibration
from policy_cache.forecast.result import added
from policy_cache.lifetimes import Lifetimes
from policy_cache.live.engine import Engine
from policy_cache.misses.causes import Request, Turn, losses
from policy_cache.misses.difference import Sent
from policy_cache.misses.groups import Groups, Session, placers_of, with_placed
from policy_cache.misses.kept import MOST_KEPT, Kept, Miss
from policy_cache.providers.cache_rules import ExplicitRules
from policy_cache.providers.price_map import prices_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.engine.match import Facts
    from policy_cache.misses.difference import Cause
    from policy_cache.misses.groups import MissGroup
    from policy_cache.misses.kept import CauseTotal
    from policy_cache.providers.prices import Prices
    from policy_cache.providers.resolve import Route
    from policy_cache.trace.record import TraceRecord
    from policy_cache.usage.usage import CacheUsage

# What is remembered of sessions, in tokens; a block takes up as much as so many.
_MOST_TOKENS = 20_000_000
_PER_BLOCK = 64

# By how much of the prompt an estimated size may miss a reported one.
_SLACK = 0.05


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
        counted: What counting some prompts told of sizes, by model.
    """

    def __init__(
        self,
        engine: Engine | None,
        *,
        router: Engine | None = None,
        calibration: Calibration | None = None,
        session: str | None = None,
        most: int = MOST_KEPT,
    ) -> None:
        """Begin with empty caches.

        Args:
            engine: The policy; None takes requests as they are, and what was reported of them as the truth.
            router: What tells where requests go, where there is no policy.
            calibration: What sizes are fitted to; without, they are as they are estimated.
            session: The only session to look at; the others still fill the caches.
            most: Misses to keep of each cause, the dearest; and of all, the first. So many groups, too.
        """
        self.requests = self.sessions = self.missed = self.tokens = 0
        self.unmodelled: Counter[str] = Counter()
        self.unread: Counter[str] = Counter()
        self.unpriced: set[str] = set()
        self._now, self._scope = 0.0, ""
        # It learns what `ttl: auto` means from this trace alone, and only from what came before.
        self._engine = engine and engine.learning(
            Lifetimes(clock=lambda: self._now, scope=lambda: self._scope)
        )
        self._router = engine or router or Engine.passing()
        calibration = calibration or Calibration()
        self.counted = calibration.counted
        self._readers = Readers(calibration.scales)
        self._session = session
        self._kept = Kept(most)
        self._groups = Groups(most)
        self._most = most
        self._caches: Caches[CacheModel | None] = Caches(_cache)
        self._known_prices: dict[str, Prices | None] = {}
        self._sessions: Memo[tuple[str, str], Session] = Memo(_MOST_TOKENS)

    @property
    def kept(self) -> tuple[Miss, ...]:
        """The misses that were kept, the dearest first."""
        return self._kept.misses

    @property
    def groups(self) -> tuple[MissGroup, ...]:
        """The misses by session and cause, the dearest first: as many as were kept."""
        return self._groups.dearest

    @property
    def group_count(self) -> int:
        """How many groups there are in all."""
        return self._groups.number

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
            facts = self._router.facts(record.request)
            route = facts.route
            plain = self._readers.of(facts.prompt, route, record.scope)
        except RequestError as error:
            self.unread[str(error)] += 1
            return
        self._now, self._scope = record.at, record.scope
        if self._engine is None:
            prompt, sent = plain, Outgoing(facts.prompt, route.markers_of(facts.prompt))
        else:
            incoming = self._engine.incoming(record.request, prompt=facts.prompt)
            prompt, sent = self._readers.sent(self._engine, incoming, plain)
        seen = record.request if prompt is plain else sent.prompt.request
        placed = record.placed if self._engine is None else None
        with_markers = marked(prompt, sent.markers, route) if placed is None else with_placed(prompt, placed)
        turn = self._turn(record, route, with_markers)
        request = Request(route, record.request, Sent(seen, prompt), turn, placed)
        if turn is not None:
            self._learn(facts, turn, sent)
        key = (record.scope, record.session)
        session = self._sessions.get(key)
        before = None if session is None else session.last
        if session is None:
            session = Session(request)
        session.last = request
        self._sessions.put(key, session, prompt.tokens + _PER_BLOCK * len(prompt.blocks))
        if self._session not in {None, record.session}:
            return
        if turn is None:
            self.unmodelled[request.name] += 1
            return
        self.requests += 1
        self.sessions += before is None
        self._judge(record, session, before, request, turn)

    def _turn(self, record: TraceRecord, route: Route, prompt: CachedPrompt) -> Turn | None:
        rules, cache = route.marked, self._caches.of(route, record)
        if cache is None or not isinstance(rules, ExplicitRules):
            return None
        plan = cache.plan(prompt, record.at)
        available = record.at + record.waited
        cache.commit(plan, available)
        return Turn(prompt, plan, record.at, available, rules)

    def _learn(self, facts: Facts, turn: Turn, sent: Outgoing) -> None:
        """Learn for `ttl: auto`, as a router would from the answer."""
        if self._engine is None or not self._engine.learns:
            return
        done = turn.plan.outcome
        self._engine.lifetimes.learn(
            facts.prompt,
            facts.route,
            sent.markers,
            at=turn.at,
            read=done.read,
            written=done.write_5m + done.write_1h,
        )

    def _judge(
        self, record: TraceRecord, session: Session, before: Request | None, request: Request, turn: Turn
    ) -> None:
        recorded = record.usage.first if record.usage and self._engine is None else None
        bill = _modelled(turn) if recorded is None or not recorded.prompt else _reported(turn, recorded)
        whole = bill.outcome.total
        self.tokens += whole
        prices = self._prices(request)
        if prices is None and before is not None:
            self.unpriced.add(request.name)
        rates = None if prices is None else prices.for_prompt(whole)
        at, missed, again = bill.outcome.read, False, bill.outcome.write_5m
        for loss in () if before is None else losses(before, request, bill.hit):
            end = min(round(loss.end * bill.factor), whole)
            if end > at:
                cost = None if rates is None else bill.cost(at, end, rates)
                where, name = record.where, record.session
                miss = Miss(where, name, loss.cause, loss.location, loss.words, end - at, cost)
                self._kept.add(miss)
                placers = None
                if loss.outlived is not None and before is not None and self._most:
                    placers = placers_of(self._engine, before, loss.outlived)
                    again -= bill.outcome.between(at, end).write_5m
                self._groups.add(session, miss, helpless=loss.helpless, placers=placers)
                at, missed = end, True
        if "1h" in request.route.ttls:
            session.writes.dearer = added(session.writes.dearer, _dearer(again, rates))
        self.missed += missed

    def _prices(self, request: Request) -> Prices | None:
        if request.name not in self._known_prices:
            self._known_prices[request.name] = prices_of(
                request.route.model, request.route.provider, writes=True
            )
        return self._known_prices[request.name]


def _cache(route: Route, _: Mapping[str, object]) -> CacheModel | None:
    """The cache of a route; None where it takes no `cache_control`."""
    return CacheModel(route.marked) if isinstance(route.marked, ExplicitRules) else None


def _dearer(tokens: int, rates: Prices | None) -> Decimal | None:
    """What it costs more to write tokens for an hour than for five minutes, in USD."""
    if not tokens:
        return Decimal(0)
    if rates is None:
        return None
    hour, short = cost(CacheOutcome(write_1h=tokens), rates), cost(CacheOutcome(write_5m=tokens), rates)
    return None if hour is None or short is None else hour - short


class _Bill(NamedTuple):
    """A prompt's tokens, by what they were billed as.

    Attributes:
        outcome: The tokens.
        hit: The last block that was read; -1 where none was.
        factor: Billed tokens for each one of the prompt's.
    """

    outcome: CacheOutcome
    hit: int
    factor: float = 1.0

    def cost(self, start: int, end: int, rates: Prices) -> Decimal | None:
        """What the tokens between two places cost beyond the price of reading them, in USD."""
        inside = self.outcome.between(start, end)
        paid, read = cost(inside, rates), cost(CacheOutcome(read=inside.total), rates)
        return None if paid is None or read is None else paid - read


def _modelled(turn: Turn) -> _Bill:
    """The bill of a turn, as the model has it."""
    hit = turn.plan.hit
    return _Bill(turn.plan.outcome, -1 if hit is None else hit)


def _reported(turn: Turn, usage: CacheUsage) -> _Bill:
    """The bill that a provider reported, of a prompt that is not empty."""
    outcome = usage.outcome
    ends = turn.prompt.ends
    if not usage.read or not ends:
        return _Bill(outcome, -1, usage.prompt / turn.prompt.tokens)
    factor = usage.prompt / turn.prompt.tokens
    hit = turn.plan.hit
    if hit is not None and abs(ends[hit] * factor - usage.read) <= _SLACK * usage.prompt:
        return _Bill(outcome, hit, factor)
    # Not what the model says: the block that ends nearest.
    at = bisect_left(ends, usage.read / factor)
    near = [index for index in (at - 1, at) if 0 <= index < len(ends)]
    return _Bill(outcome, min(near, key=lambda index: abs(ends[index] * factor - usage.read)), factor)
