"""The best choice of lifetimes by who knows the law of a mix, and nothing of what comes.

A token's future is that of its last write: at each request it is read if its entry is alive, and written anew
if not. With requests that follow each other by one law, what a lifetime costs from now on has a closed form,
so the one to write for is known, too. Tokens of the conversation follow the conversation's law, by what its
gaps so far say of it where it could be one of several; those of tools and system follow the requests of all
conversations that share them, whose law is that of another sample of the mix.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.cache.cost import cost
from policy_cache.cache.models import as_sent, model_of, rules_for
from policy_cache.cache.reader import Readers
from policy_cache.forecast.caches import Caches
from policy_cache.forecast.candidates import Candidate, rules
from policy_cache.live.engine import Engine
from policy_cache.providers.price_map import route_prices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.mixes import Law, Mix
    from policy_cache.cache.explicit import CachePlan
    from policy_cache.cache.models import Model
    from policy_cache.cache.prompt import CachedPrompt, Ttl
    from policy_cache.providers.prices import Prices
    from policy_cache.trace.record import TraceRecord

_SHORT, _LONG = 300.0, 3_600.0
_SAMPLE = 40
WAYS: tuple[tuple[Ttl, Ttl], ...] = (("5m", "5m"), ("1h", "5m"), ("1h", "1h"))
"""The lifetimes of tools and system, and of the conversation: a TTL never rises along the prompt."""


class Next(NamedTuple):
    """How likely a next request comes within five minutes, within an hour, and at all."""

    short: float
    long: float
    ever: float


class Values(NamedTuple):
    """What writing a token for five minutes or an hour costs from now on, in uncached tokens."""

    short: float
    long: float

    def of(self, ttl: Ttl) -> float:
        return self.short if ttl == "5m" else self.long


def values(after: Next, prices: Prices) -> Values:
    """What each lifetime costs from now on, its write included; after a miss, the better one is written."""
    assert prices.input
    assert prices.read
    assert prices.write_5m
    assert prices.write_1h
    read = float(prices.read / prices.input)
    written = [float(price / prices.input) for price in (prices.write_5m, prices.write_1h)]
    # Of a choice that is always the same: its write, and the reads and writes that follow until none does.
    always = [
        (write * (1 - alive) + read * alive) / (1 - after.ever)
        for write, alive in zip(written, after[:2], strict=True)
    ]
    missed = min(always)
    return Values(
        *(
            write + (read * alive + missed * (after.ever - alive)) / (1 - alive)
            for write, alive in zip(written, after[:2], strict=True)
        )
    )


def of_law(law: Law) -> Next:
    """A conversation's next request."""
    return Next(law.within(_SHORT), law.within(_LONG), law.returns)


def of_scope(records: Sequence[TraceRecord]) -> Next:
    """The next request of any conversation of a scope, as these are."""
    times: dict[str, list[float]] = defaultdict(list)
    for record in records:
        times[record.scope].append(record.at)
    gaps = [later - earlier for scope in times.values() for earlier, later in pairwise(scope)]
    count = len(records)
    short, long = (sum(gap < seconds for gap in gaps) / count for seconds in (_SHORT, _LONG))
    return Next(short, long, len(gaps) / count)


class Belief:
    """Which law a conversation follows, by its gaps so far."""

    def __init__(self, laws: Sequence[Law]) -> None:
        self._laws = laws
        self._weights = [1.0] * len(laws)
        self._last: float | None = None

    def see(self, at: float) -> list[float]:
        """A request starts: the laws' probabilities."""
        if self._last is not None:
            gap = max(at - self._last, 1e-6)
            self._weights = [
                weight * law.density(gap) for weight, law in zip(self._weights, self._laws, strict=True)
            ]
        self._last = at
        total = sum(self._weights)
        self._weights = [weight / total for weight in self._weights]
        return self._weights


class KnownLaw:
    """A placement by who knows the law: the shipped policies' breakpoints, each with the best lifetime."""

    def __init__(self, mix: Mix, model: str) -> None:
        self._mix = mix
        self._engines = {
            way: Engine.from_text(
                "\n".join(
                    [
                        "version: 1",
                        "name: way",
                        "rules:",
                        *rules(Candidate(way[0], "always", way[1]), ['provider: "*"'], "way"),
                    ]
                )
            )
            for way in WAYS
        }
        route = next(iter(self._engines.values())).route({"model": model, "messages": []})
        prices = route_prices(route)
        assert prices is not None
        self._prices = prices
        self._laws = [values(of_law(law), prices) for law in mix.laws]
        sample = mix._replace(seed=mix.seed + 1_000, conversations=_SAMPLE * mix.together)
        self._shared = values(of_scope(sample.records(model)), prices) if mix.together > 1 else None

    def costs(self, records: Sequence[TraceRecord]) -> list[Decimal]:
        """What each of the requests costs, in USD."""
        readers = Readers({})
        caches: Caches[Model] = Caches(_cache)
        beliefs: dict[str, Belief] = {}
        paid: list[Decimal] = []
        for record in records:
            facts = self._engines[WAYS[0]].facts(record.request)
            model = caches.of(facts.route, record)
            plain = readers.of(facts.prompt, facts.route, record.scope)
            belief = beliefs.setdefault(record.session, Belief(self._mix.laws))
            weights = belief.see(record.at)
            own = Values(
                *(
                    sum(weight * value[n] for weight, value in zip(weights, self._laws, strict=True))
                    for n in (0, 1)
                )
            )

            def planned(way: tuple[Ttl, Ttl]) -> CachePlan:
                seen, sent = readers.sent(self._engines[way], facts, plain)  # noqa: B023
                route = facts.route  # noqa: B023
                prompt = as_sent(route.cache, seen, sent.prompt, sent.markers, route)
                return model.plan(prompt, record.at)  # noqa: B023

            plan = planned(WAYS[0])
            way = self._choose(plain, plan, own)
            if way != WAYS[0]:
                plan = planned(way)
            model.commit(plan, record.at + record.waited)
            paid.append(cost(plan.outcome, self._prices) or Decimal(0))
        return paid

    def _choose(self, prompt: CachedPrompt, plan: CachePlan, own: Values) -> tuple[Ttl, Ttl]:
        """The lifetimes to write for; what is read for five minutes is written on for as long only."""
        hit = max(plan.reads, default=None)
        if hit is not None and hit.ttl == "5m":
            return WAYS[0]
        sizes = [sum(block.tokens for block in prompt.blocks if block.level != "messages")]
        sizes.append(prompt.tokens - prompt.tail - sizes[0])
        if hit is not None:
            # Alive, and for an hour: tools and system are as they are.
            return min(WAYS[1:], key=lambda way: own.of(way[1]))
        shared = self._shared or own
        return min(WAYS, key=lambda way: sizes[0] * shared.of(way[0]) + sizes[1] * own.of(way[1]))


def _cache(route, request):
    known = rules_for(route, request)
    assert known is not None
    return model_of(known)
