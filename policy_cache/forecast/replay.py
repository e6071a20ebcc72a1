"""Replaying requests against a model of each provider's cache, once for every policy."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.cache.entries import Entry
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.cache.memo import Memo
from policy_cache.cache.models import as_sent, caches, model_of, rules_for
from policy_cache.cache.reader import Readers
from policy_cache.cache.reported import reached
from policy_cache.engine.transit import Outgoing
from policy_cache.errors import RequestError
from policy_cache.forecast.caches import Caches
from policy_cache.forecast.calibration import Calibration
from policy_cache.forecast.optimum import Optimum
from policy_cache.forecast.pings import Pings, Sent
from policy_cache.forecast.result import Column, Simulation, added
from policy_cache.forecast.shares import shares
from policy_cache.lifetimes import Lifetimes
from policy_cache.providers.cache_rules import AutomaticRules, ExplicitRules
from policy_cache.providers.price_map import route_prices
from policy_cache.text.words import word
from policy_cache.usage.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy_cache.cache.models import Model
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.engine.match import Facts
    from policy_cache.engine.transit import Incoming
    from policy_cache.live.engine import Engine
    from policy_cache.providers.prices import Prices
    from policy_cache.providers.resolve import Route
    from policy_cache.request.markers import ClientMarker
    from policy_cache.trace.record import TraceRecord

_MOST_LATEST = 256
_MOST_SESSIONS = 200_000
# What an estimated size may be off by, as recorded ones tell.
_NEAR = 0.05


class _Cache:
    """What requests of one scope to one model share: a cache for each policy, and one for none."""

    def __init__(self, route: Route, request: Mapping[str, object], ways: int) -> None:
        self.models: list[Model] = []
        self.optimum: Optimum | None = None
        self.pinged: Optimum | None = None
        self.prices = route_prices(route)
        rules = rules_for(route, request)
        self._rules = rules
        self.approximate = None if rules is None else rules.approximate
        if rules is not None:
            self.models = [model_of(rules) for _ in range(ways)]
            if isinstance(rules, ExplicitRules):
                self.optimum, self.pinged = Optimum(rules), Optimum(rules, pings=True)
        elif route.mechanism != "none":
            name = word(route.qualified)
            self.approximate = f"the cache of {name} is not modelled: everything is taken to be uncached"

    def find(self, model: Model, digests: Sequence[bytes], at: float) -> None:
        """Take prefixes as cached when a request finds them, for five minutes, or what the provider gives."""
        assert self._rules is not None
        entry = Entry(at, at + self._rules.seconds("5m"))
        for digest in digests:
            known = model.entries.get(digest)
            if known is None or known.expires <= at:
                model.entries[digest] = entry

    def is_near(self, prompt: CachedPrompt) -> bool:
        """Whether the longest prefix that may be cached is as large as the minimum, as far as is known."""
        ends, rules = prompt.ends, self._rules
        if rules is None or not ends:
            return False
        if isinstance(rules, AutomaticRules):
            longest = ends[-1]
        else:
            longest = ends[max(prompt.breakpoints)] if prompt.breakpoints else 0
        return abs(longest - rules.minimum) <= _NEAR * rules.minimum

    def caches(self, request: Mapping[str, object]) -> bool:
        """Whether a request is cached at all."""
        return caches(self._rules, request)

    def prompt(self, prompt: CachedPrompt, sent: Outgoing, route: Route) -> CachedPrompt:
        """A prompt with the breakpoints that it has once a request was sent so."""
        return as_sent(self._rules, prompt, sent.prompt, sent.markers, route)


class Replay:
    """A replay of the requests of a trace, in the order of their start.

    Attributes:
        found: What was found so far.
        engines: The policies, each learning from this trace alone; then those kept warm.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        *,
        calibration: Calibration | None = None,
        by: Callable[[TraceRecord], str] | None = None,
        by_rule: bool = False,
        keep_warm: float | None = None,
    ) -> None:
        """Begin with empty caches.

        Args:
            engines: The policies.
            calibration: What sizes are fitted to; without, they are as they are estimated.
            by: What to group requests by.
            by_rule: Whether to group tokens, instead, by the rule whose breakpoint they belong to.
            keep_warm: Replay each policy with pings, too: each is expected to gain so many USD, at least.
        """
        calibration = calibration or Calibration()
        self.found = Simulation([Column() for _ in engines], counted=calibration.counted)
        self._now, self._scope = 0.0, ""
        # Each learns what `ttl: auto` means from this trace alone, and only from what came before.
        self.engines = [self._learning(engine) for engine in engines]
        self._pings: list[Pings | None] = [None] * len(engines)
        if keep_warm is not None:
            self.found.kept = [Column() for _ in engines]
            self.found.pinged = Decimal(0)
            kept = [self._learning(engine) for engine in engines]
            self._pings += [
                Pings(engine.lifetimes, column, keep_warm, switches=engine.learns)
                for engine, column in zip(kept, self.found.kept, strict=True)
            ]
            self.engines += kept
        self._readers = Readers(calibration.scales)
        self._by = by
        self._by_rule = by_rule
        self._caches = Caches(
            lambda route, request: _Cache(route, request, len(self.engines) + 1), end=self._settle
        )
        self._sessions: Memo[tuple[str, str], bool] = Memo(_MOST_SESSIONS)
        self._latest: Memo[tuple[str, str], CachedPrompt] = Memo(_MOST_LATEST)

    def add(self, record: TraceRecord) -> None:
        """Replay a request."""
        found = self.found
        request = record.request
        try:
            incoming = self.engines[0].incoming(request)
            facts, route = incoming.facts, incoming.route
            prompt = self._readers.of(facts.prompt, route, record.scope)
        except RequestError as error:
            found.unread[str(error)] += 1
            return
        conversation = (record.scope, record.session)
        before = self._latest.get(conversation)
        if before is not None:
            prompt.begin_as(before)
        cache = self._caches.of(route, record)
        size = prompt.tokens
        rates = cache.prices and cache.prices.for_prompt(size)
        cold = self._is_cold(record)
        group = None if self._by is None else self._by(record)
        self._count(record, route)
        came = Outgoing(facts.prompt, route.markers_of(facts.prompt))
        found.ineffective.update(route.qualified for marker in came.markers if marker.block is None)
        if cache.approximate:
            found.approximate[cache.approximate] += 1
        if rates is None:
            found.unpriced.add(route.qualified)
        usage = record.usage
        # Tools of the provider's: the model is called again, with what they found behind the prompt.
        growths = usage.growths if usage is not None else ()
        calls = [prompt, *map(prompt.grown, growths)]
        uncached = CacheOutcome(uncached=sum([call.tokens for call in calls]))
        found.uncached.add(uncached, rates, cold=cold, group=group)
        # Some traces know the replies alone.
        if usage is not None and usage.prompt:
            first = usage.first
            billed = cache.prices and cache.prices.for_prompt((first or usage).prompt)
            found.recorded.add(usage.outcome, billed, cold=cold, group=group)
            if first is None:
                found.summed += 1
            else:
                found.sizes.add(size, first.prompt)
        if cold:
            self._begin(record, came, cache, prompt, route)
        if not cache.caches(request):
            for column in (*found.policies, *found.kept, found.as_sent):
                column.add(uncached, rates, cold=cold, group=group)
            return
        self._send(record, incoming, came, cache, prompt, rates, cold=cold, group=group)
        if cache.optimum is not None:
            found.optimal += 1
            for call in calls:
                cache.optimum.add(call, record.at, rates)
        if cache.pinged is not None and found.kept:
            for call in calls:
                cache.pinged.add(call, record.at, rates)
        if prompt.is_hashed:
            self._latest.put(conversation, prompt)

    def _send(
        self,
        record: TraceRecord,
        incoming: Incoming,
        came: Outgoing,
        cache: _Cache,
        prompt: CachedPrompt,
        rates: Prices | None,
        *,
        cold: bool,
        group: str | None,
    ) -> None:
        """Send a request that is cached in every way, and last as it came."""
        found, request = self.found, record.request
        facts, route = incoming.facts, incoming.route
        for pings in self._pings:
            if pings is not None:
                pings.until(record.at)
        self._now, self._scope = record.at, record.scope
        columns = (*found.policies, *found.kept, found.as_sent)
        ways = zip((*self.engines, None), (*self._pings, None), columns, cache.models, strict=True)
        for engine, pings, column, model in ways:
            seen, sent = prompt, came
            if engine is not None:
                if engine is not self.engines[0]:
                    incoming = engine.incoming(request, prompt=facts.prompt)
                seen, sent = self._readers.sent(engine, incoming, prompt)
            prompt_sent = cache.prompt(seen, sent, route)
            plan = model.plan(prompt_sent, record.at)
            answered = record.at + record.waited
            model.commit(plan, answered)
            outcome = plan.outcome
            done = [(prompt_sent, outcome)]
            for growth in record.usage.growths if record.usage is not None else ():
                # It reads what the first call wrote; by how few seconds it prolongs that is left out.
                again = prompt_sent.grown(growth)
                part = model.plan(again, answered).outcome
                done.append((again, part))
                outcome += part
            if engine is not None and (engine.learns or pings is not None):
                _learn(engine, facts, sent.markers, record.at, plan.outcome)
            if pings is not None:
                pings.answered(facts, Sent(prompt_sent, model, cache.prices, group), plan)
            column.add(outcome, rates, cold=cold, group=group)
            if column is found.policies[0] and cache.is_near(prompt_sent):
                found.near.add(outcome, rates)
            if self._by_rule:
                placed = None if engine is None else engine.plan(request)
                caused: defaultdict[str, CacheOutcome] = defaultdict(CacheOutcome)
                for call, part in done:
                    for share in shares(call, part, placed):
                        caused[str(share.owner)] += share.outcome
                for owner, part in caused.items():
                    column.groups.setdefault(owner, Totals()).add(part, rates)

    def _begin(
        self, record: TraceRecord, came: Outgoing, cache: _Cache, prompt: CachedPrompt, route: Route
    ) -> None:
        """Take what a session's first request was reported to read as cached before the trace began."""
        first = record.usage and record.usage.first
        read = first.read if first else 0
        if not read or not cache.models:
            return
        sent = cache.prompt(prompt, came, route)
        digests, _, ends = prompt.prefix
        believed = cache.models[-1].plan(sent, record.at).outcome.read
        last = reached(ends, believed, read)
        if read < believed or last is None or last < 0:
            return
        self.found.warm_starts += 1
        for model in cache.models:
            cache.find(model, digests[: last + 1], record.at)
        prefix = replace(prompt, blocks=prompt.blocks[: last + 1])
        for optimum in filter(None, (cache.optimum, cache.pinged)):
            optimum.begin(prefix, record.at, cache.prices)

    def _learning(self, engine: Engine) -> Engine:
        return engine.learning(Lifetimes(clock=lambda: self._now, scope=lambda: self._scope))

    def _count(self, record: TraceRecord, route: Route) -> None:
        found = self.found
        found.requests += 1
        found.models[route.qualified] += 1
        start, end = found.span or (record.at, record.at)
        found.span = min(start, record.at), max(end, record.at)

    def finish(self) -> Simulation:
        """What was found, once every request was added."""
        for pings in self._pings:
            if pings is not None:
                pings.until(float("inf"))
        self._caches.close()
        return self.found

    def _settle(self, cache: _Cache) -> None:
        if cache.optimum is not None:
            self.found.optimum = added(self.found.optimum, cache.optimum.total)
        if cache.pinged is not None:
            self.found.pinged = added(self.found.pinged, cache.pinged.total)

    def _is_cold(self, record: TraceRecord) -> bool:
        key = (record.scope, record.session)
        if self._sessions.get(key):
            return False
        self._sessions.put(key, True)
        self.found.sessions += 1
        return True


def _learn(
    engine: Engine, facts: Facts, markers: Sequence[ClientMarker], at: float, done: CacheOutcome
) -> None:
    written = done.write_5m + done.write_1h
    engine.lifetimes.learn(facts.prompt, facts.route, markers, at=at, read=done.read, written=written)
