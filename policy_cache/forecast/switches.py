"""What switches of model cost in a trace, and what other routers would have paid for the same requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from policy_cache.cache.cost import cost
from policy_cache.cache.memo import Memo
from policy_cache.cache.reader import Readers
from policy_cache.errors import RequestError
from policy_cache.providers.price_map import prices_of, route_prices
from policy_cache.warmth import Warmth, prefer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.live.engine import Engine
    from policy_cache.trace.record import TraceRecord
    from policy_cache.warmth import Quote

RouterName: TypeAlias = Literal["recorded", "sticky", "cheapest", "quotes"]
ROUTERS: tuple[RouterName, ...] = ("recorded", "sticky", "cheapest", "quotes")
"""`sticky` stays with a session's first model, `cheapest` takes the lowest list price of a token."""

_MOST_SESSIONS = 200_000
_MOST_KEPT = 10_000
_MOST_RUNS = 200


class Switch(NamedTuple):
    """A request whose session went on with another model.

    Attributes:
        where: The request's file and line.
        at: When it started, in seconds.
        session: The session.
        source: The model before, with its provider's prefix.
        target: The model now.
        paid: What the request cost there, in USD, its reply included; None where a price is unknown.
        stayed: What it would have cost at the model before.
    """

    where: str
    at: float
    session: str
    source: str
    target: str
    paid: Decimal | None
    stayed: Decimal | None

    @property
    def cost(self) -> Decimal | None:
        """What the switch cost against staying; negative where it saved."""
        return None if self.paid is None or self.stayed is None else self.paid - self.stayed


class Run(NamedTuple):
    """Requests of a session in a row that went to one model.

    Attributes:
        model: The model, with its provider's prefix.
        requests: How many they are.
        switch: How they began, where another model was before; None where the session did.
    """

    model: str
    requests: int
    switch: Switch | None


@dataclass(slots=True)
class Pair:
    """The switches from one model to another.

    Attributes:
        count: How many they are.
        cost: What they cost against staying, in USD, of those whose prices are known.
        unknown: How many have a price that is not known.
    """

    count: int = 0
    cost: Decimal = Decimal(0)
    unknown: int = 0


@dataclass(slots=True)
class Paid:
    """What a router paid for all requests whose price is known at every model.

    Attributes:
        cost: In USD, replies included where the trace has them.
        read: Tokens read from caches.
        switches: How often a session changed its model.
    """

    cost: Decimal = Decimal(0)
    read: int = 0
    switches: int = 0


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class _Router:
    """One way to choose among models, with the caches that follow from its choices."""

    def __init__(self, engine: Engine) -> None:
        self.clock = _Clock()
        self.warmth = Warmth(engine, clock=self.clock)
        self.paid = Paid()
        self.last: Memo[tuple[str, str], str] = Memo(_MOST_SESSIONS)


@dataclass(slots=True)
class Switches:
    """The switches of a trace, and what each router paid.

    Attributes:
        engine: The policy by which every request is rewritten.
        models: What the routers may choose among: names as litellm takes them.
        routers: The routers that are given the requests; `recorded` must be one of them.
        max_premium: What the quote-following router lets a warm model cost above the cheapest.
        requests: How many requests were looked at.
        compared: Those whose price is known at every model: the routers' bills are of these.
        unread: Requests that could not be read, by why.
        found: The switches, in order; the first ten thousand.
        pairs: All of them, by source and target.
        runs: The sessions that changed their model, as the first two hundred runs of each; the first ten
            thousand sessions are followed.
        bills: What each router paid.
    """

    engine: Engine
    models: Sequence[str]
    max_premium: float = 0.0
    requests: int = 0
    compared: int = 0
    unread: dict[str, int] = field(default_factory=dict)
    found: list[Switch] = field(default_factory=list)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)
    routers: Sequence[RouterName] = ROUTERS
    _runs: dict[tuple[str, str], list[Run]] = field(default_factory=dict)
    _routers: dict[RouterName, _Router] = field(init=False)
    _cheapest: str = field(init=False)
    _readers: Readers = field(default_factory=lambda: Readers({}))

    def __post_init__(self) -> None:
        """Begin with empty caches."""
        self._routers = {name: _Router(self.engine) for name in self.routers}
        self._cheapest = min(self.models, key=self._price)

    @property
    def runs(self) -> dict[tuple[str, str], list[Run]]:
        """The sessions that changed their model, by scope and session."""
        return {key: runs for key, runs in self._runs.items() if len(runs) > 1}

    @property
    def bills(self) -> dict[RouterName, Paid]:
        """What each router paid."""
        return {name: router.paid for name, router in self._routers.items()}

    def add(self, record: TraceRecord) -> None:
        """Look at a request; they come in the order of their start."""
        own = str(record.request.get("model", ""))
        request = {**record.request, "api_key": record.scope}
        try:
            plan = self.engine.plan(request)
            self._readers.read(record.request, plan.route)  # what a quote would call unknown is told of here
        except RequestError as error:
            self.unread[str(error)] = self.unread.get(str(error), 0) + 1
            return
        self.requests += 1
        reply = record.usage.output if record.usage is not None else 0
        key = (record.scope, record.session)
        stayed = (router.last.get(key) for router in self._routers.values())
        names = list(dict.fromkeys([own, *(name for name in stayed if name is not None), *self.models]))
        quotes: dict[RouterName, dict[str, Quote]] = {}
        for name, router in self._routers.items():
            router.clock.now = record.at
            asked = router.warmth.quote(request, names, reply=reply)
            quotes[name] = {quote.candidate: quote for quote in asked}
        switch = self._look(record, key, own, quotes["recorded"])
        self._follow(key, quotes["recorded"][own].model, switch)
        counts = all(quote.cost is not None for quote in quotes["recorded"].values())
        self.compared += counts
        for name, router in self._routers.items():
            before = router.last.get(key)
            chosen = self._choice(name, own, before, quotes[name])
            quote = quotes[name][chosen]
            told = record.usage if name == "recorded" else None
            if counts and quote.cost is not None:
                paid = quote.cost if told is None else self._paid(record, quote)
                router.paid.cost += quote.cost if paid is None else paid
                router.paid.read += told.read if told is not None and told.prompt else quote.tokens.read
                router.paid.switches += before is not None and before != chosen
            router.last.put(key, chosen)
            router.clock.now = record.at + record.waited
            sent = plan if chosen == own else self.engine.plan({**request, "model": chosen})
            router.warmth.answered(sent, told, at=record.at)

    def _look(
        self, record: TraceRecord, key: tuple[str, str], own: str, quotes: dict[str, Quote]
    ) -> Switch | None:
        router = self._routers["recorded"]
        before = router.last.get(key)
        if before is None or before == own:
            return None
        here, there = quotes[own], quotes[before]
        switch = Switch(
            record.where,
            record.at,
            record.session,
            there.model or before,
            here.model or own,
            self._paid(record, here),
            there.cost,
        )
        if len(self.found) < _MOST_KEPT:
            self.found.append(switch)
        pair = self.pairs.setdefault((switch.source, switch.target), Pair())
        pair.count += 1
        if switch.cost is None:
            pair.unknown += 1
        else:
            pair.cost += switch.cost
        return switch

    def _follow(self, key: tuple[str, str], model: str, switch: Switch | None) -> None:
        """Add a request to its session's runs."""
        runs = self._runs.get(key)
        if runs is None:
            if len(self._runs) < _MOST_KEPT:
                self._runs[key] = [Run(model, 1, None)]
        elif switch is None and runs[-1].model == model:
            runs[-1] = runs[-1]._replace(requests=runs[-1].requests + 1)
        elif len(runs) < _MOST_RUNS:
            runs.append(Run(model, 1, switch))

    def _paid(self, record: TraceRecord, quote: Quote) -> Decimal | None:
        """What a request cost where it went: by its usage, where the trace has that of the prompt."""
        usage = record.usage
        if usage is None or not usage.prompt:
            return quote.cost
        route = self.engine.route(record.request)
        prices = route_prices(route)
        return None if prices is None else cost(usage.outcome, prices.for_prompt(usage.prompt), usage.output)

    def _choice(self, name: RouterName, own: str, before: str | None, quotes: dict[str, Quote]) -> str:
        match name:
            case "recorded":
                return own
            case "sticky":
                return own if before is None else before
            case "cheapest":
                return self._cheapest
            case "quotes":
                best = prefer([quotes[model] for model in self.models], self.max_premium)
                return own if best is None else best.candidate

    def _price(self, model: str) -> Decimal:
        """What a million tokens of the prompt cost by the list; a model without a price comes last."""
        route = self.engine.route({"model": model, "messages": []})
        prices = prices_of(route.model, route.provider)
        return Decimal("Infinity") if prices is None or prices.input is None else prices.input
