"""`Warmth`: what is warm now, and what a request would cost at each of several models."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from policy_cache.cache.cost import cost
from policy_cache.cache.entries import Entry
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.cache.memo import Memo
from policy_cache.cache.models import caches, model_of, rules_for
from policy_cache.cache.named import Reader
from policy_cache.cache.reported import reached
from policy_cache.cache.scale import UNSCALED, Fit, Scale
from policy_cache.errors import RequestError
from policy_cache.providers.cache_rules import AutomaticRules
from policy_cache.providers.price_map import route_prices
from policy_cache.request.prompt import Prompt
from policy_cache.request.session import session_of
from policy_cache.usage.account import Switch
from policy_cache.warmth.ahead import ahead
from policy_cache.warmth.quote import Quote, unknown
from policy_cache.warmth.reading import ACCOUNT, ELSEWHERE, Reading, marked, scaled
from policy_cache.warmth.table import Beliefs, Table
from policy_cache.warmth.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal

    from policy_cache.cache.explicit import CachePlan
    from policy_cache.cache.models import Model
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.engine.plan import Plan
    from policy_cache.live.engine import Engine, LiveEngine
    from policy_cache.live.experiment import Experiment
    from policy_cache.providers.cache_rules import CacheRules
    from policy_cache.providers.prices import Prices
    from policy_cache.providers.resolve import Route
    from policy_cache.request.prompt import Shape
    from policy_cache.usage.usage import CacheUsage
    from policy_cache.warmth.turns import Seen

_log = logging.getLogger("policy_cache")

_MOST_PLACES = 2_048
_MOST_ODD = 3
# Thousands of years from now; and what a small prompt may be off by, in tokens.
_LATEST, _SLACK = 1e11, 2_000
# From so many answers on, a model's own scale is known.
_FITTED = 3


class Warmth:
    """Which prefixes are cached where, until when, as far as requests and their answers tell.

    It learns from every answer that it is told of (`answered`), by the rules of the catalog, and is corrected
    by what providers report. It keeps hashes and numbers, never a text. Safe between threads.

    ```python
    warmth = Warmth(engine)
    calls = Calls(engine, warmth=warmth)
    quotes = warmth.quote(request, ["anthropic/claude-haiku-4-5", "openai/gpt-5.6"])
    ```

    Attributes:
        faults: What went wrong in it, by kind of error; never raised into a request.
    """

    def __init__(
        self,
        engine: Engine | LiveEngine | Experiment,
        *,
        table: Beliefs | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin with nothing known.

        Args:
            engine: The policy, by which each candidate's request is rewritten before it is quoted.
            table: Where beliefs are kept; by default in this process.
            clock: The time in seconds since the epoch.
        """
        self._engine = engine
        self._table: Beliefs = Table() if table is None else table
        self._clock = clock
        self._reader = Reader()
        self._turns = Turns()
        self._fits: Memo[str, Fit] = Memo(_MOST_PLACES)
        self._scales: Memo[str, Scale] = Memo(_MOST_PLACES)
        self._odd: Memo[bytes, int] = Memo(_MOST_PLACES)
        self._lock = threading.Lock()
        self.faults: Counter[str] = Counter()

    @property
    def is_shared(self) -> bool:
        """Whether other processes share what is known, so that a quote asks another machine."""
        return not isinstance(self._table, Table)

    def quote(
        self,
        request: Mapping[str, object],
        models: Sequence[str | Mapping[str, object]],
        *,
        shape: Shape | None = None,
        reply: int = 0,
    ) -> list[Quote]:
        """What the request would cost at each candidate if it were sent now. Never raises.

        Args:
            request: The request as it would be given to litellm; its `model` does not count.
            models: Names as litellm takes them, or deployments of a Router: `litellm_params`, `model_info`.
            shape: The request's shape; by default told from it.
            reply: The tokens of a reply to reckon with.
        """
        reading = self._reading(request, shape)
        quotes = []
        if isinstance(models, (str, Mapping)):
            models = (models,)
        for candidate in models if isinstance(models, Iterable) else ():
            name = ""
            try:
                name, asked, own = _asked(request, candidate)
                quotes.append(self._quoted(reading, name, asked, own, max(0, reply)))
            except RequestError as error:
                quotes.append(unknown(name, str(error)))
            except Exception as error:  # noqa: BLE001, a router must never fail because of a quote
                self._fault(error, "a request was not quoted")
                quotes.append(unknown(name, f"it could not be quoted: {type(error).__name__}"))
        return quotes

    def answered(self, plan: Plan, usage: CacheUsage | None, *, at: float | None = None) -> Switch | None:
        """Learn from an answer.

        Args:
            plan: What was sent.
            usage: What the answer reported; None where it said nothing.
            at: When the request was sent, in seconds since the epoch; by default now.

        Returns:
            What it cost that the session went on with another model; None where it did not.
        """
        try:
            return self._answered(plan, usage, at)
        except Exception as error:  # noqa: BLE001, what cannot be learned must not cost an account
            self._fault(error, "an answer taught nothing")
            return None

    def _answered(self, plan: Plan, usage: CacheUsage | None, at: float | None) -> Switch | None:
        now = self._clock()
        at = now if at is None else at
        if not (_is_time(now) and _is_time(at)):
            return None
        sent, route = plan.request, plan.route
        splits = any(edit.change == "split" for edit in plan.edits)
        original = Prompt(plan.original, route.shape)
        became = original.rewritten(sent)
        # What the quote has read before.
        plain = self._reader.plain(became if splits else original, route)
        prompt = marked(plain, became, route.markers_of(became), route)
        place = _place(route, plan.original)
        session = session_of(original, "")
        before = self._turns.add(session, at, prompt.tokens, route.qualified, place)
        told = usage.first if usage and not usage.unreadable else None
        told = told if told is not None and told.prompt else None
        if told is not None and not _is_likely(told.prompt, prompt.tokens):
            self._odd.put(place, (self._odd.get(place) or 0) + 1)
            told = None
        if told is not None:
            self._measure(route, prompt, told.prompt)
        prompt = scaled(prompt, self._scale(route))
        outcome = self._learned(place, prompt, route, sent, told, at, now)
        if before is None or before.model == route.qualified:
            return None
        paid = _cost(route, outcome if told is None else told.outcome, usage)
        stayed = self._stayed(plan, before, usage, at)
        return Switch(before.model, None if paid is None or stayed is None else paid - stayed)

    def _learned(
        self,
        place: bytes,
        prompt: CachedPrompt,
        route: Route,
        sent: Mapping[str, object],
        told: CacheUsage | None,
        at: float,
        now: float,
    ) -> CacheOutcome:
        """Believe what was sent and reported; what the rules of the cache make of it."""
        rules = rules_for(route, sent)
        if rules is None or not caches(rules, sent):
            return CacheOutcome(uncached=prompt.tokens)
        digests = prompt.prefix.digests
        known = self._table.look(place, digests)
        model = model_of(rules)
        model.entries = {digest: entry for digest in digests if (entry := known.get(digest))}
        done = model.plan(prompt, at)
        lost: list[bytes] = []
        if told is not None:
            lost = _corrected(model, prompt, done.outcome.read, told.read, at, rules)
            self._odd.put(place, (self._odd.get(place) or 0) + 1 if lost else 0)
            done = model.plan(prompt, at)
        reported = told is not None and bool(told.read or told.written)
        kept: dict[bytes, Entry] = {}
        # A provider that bills what it writes, and reports nothing, has kept nothing.
        if told is None or reported or isinstance(rules, AutomaticRules):
            model.commit(done, now)
            for ref in (*done.reads, *done.writes):
                entry = model.entries.get(ref.digest)
                if entry is not None:
                    kept[ref.digest] = entry._replace(reported=reported)
        self._table.change(place, kept, lost, now)
        return done.outcome

    def _stayed(self, plan: Plan, before: Seen, usage: CacheUsage | None, at: float) -> Decimal | None:
        """What the request would have cost where its session was before."""
        asked = {name: value for name, value in plan.original.items() if name not in ELSEWHERE}
        asked["model"] = before.model
        route, sent, prompt = self._reading(asked, plan.route.shape).sent(asked, {})
        prompt = scaled(prompt, self._scale(route))
        rules = rules_for(route, sent)
        if rules is None or not caches(rules, sent):
            known = route.mechanism == "none" or rules is not None
            return _cost(route, CacheOutcome(uncached=prompt.tokens), usage) if known else None
        cache = model_of(rules)
        cache.entries = self._table.look(before.place, prompt.prefix.digests)  # type: ignore[assignment]
        return _cost(route, cache.plan(prompt, at).outcome, usage)

    def _quoted(
        self,
        reading: Reading,
        name: str,
        asked: dict[str, object],
        own: Mapping[str, object],
        reply: int,
    ) -> Quote:
        route, sent, prompt = reading.sent(asked, own)
        if not route.provider or not route.model:
            return unknown(name, "no such model is known")
        prompt = reading.scaled(prompt, self._scale(route))
        rules = rules_for(route, sent)
        model = route.qualified
        if rules is None and route.mechanism != "none":
            size = CacheOutcome(uncached=prompt.tokens)
            return unknown(name, f"how {model} caches is not known", model=model, tokens=size)
        prices = route_prices(route)
        rates = None if prices is None else prices.for_prompt(prompt.tokens)
        if rules is None or not caches(rules, sent):
            why = f"{model} caches nothing" + (" without a `prompt_cache_key`" if rules else "")
            tokens = CacheOutcome(uncached=prompt.tokens)
            paid, stays = self._bill(reading, model, tokens, rates, None, reply)
            if paid is None or stays is None:
                return _unpriced(name, model, tokens)
            return Quote(name, model, tokens, sure="modelled", why=why, cost=paid, ahead=stays)
        place, now, digests = _place(route, asked), self._clock(), prompt.prefix.digests
        if not _is_time(now):
            return unknown(name, "the clock is not right", model=model)
        # The table's own, which nothing here changes.
        known = self._table.look(place, digests)
        plan = reading.planned(rules, prompt, known, now)
        hit = plan.hit
        if hit is None and known and any((e := known.get(d)) and e.available > now + 1 for d in digests):
            return unknown(name, "the clock went back", model=model, tokens=plan.outcome)
        if (self._odd.get(place) or 0) >= _MOST_ODD:
            why = f"the last {_MOST_ODD} answers of {model} did not follow its cache's rules"
            return unknown(name, why, model=model, tokens=plan.outcome)
        read = None if hit is None else known.get(digests[hit])
        in_conversation = hit is not None and prompt.blocks[hit].level == "messages"
        paid, stays = self._bill(reading, model, plan.outcome, rates, _lifetime(plan, rules), reply)
        if paid is None or stays is None:
            until = None if read is None else read.expires
            return _unpriced(name, model, plan.outcome, until, in_conversation=in_conversation)
        return Quote(
            candidate=name,
            model=model,
            tokens=plan.outcome,
            sure="reported" if read is not None and read.reported else "modelled",
            why=_why(plan, read, now),
            cost=paid,
            ahead=stays,
            warm_until=None if read is None else read.expires,
            in_conversation=in_conversation,
        )

    def _bill(
        self,
        reading: Reading,
        model: str,
        tokens: CacheOutcome,
        rates: Prices | None,
        lasts: float | None,
        reply: int,
    ) -> tuple[Decimal | None, Decimal | None]:
        """What a prompt costs now, and in the turns to come; worked out once for what is alike."""
        key = model, tokens, lasts
        bill = reading.bills.get(key)
        if bill is None:
            paid = None if rates is None else cost(tokens, rates, reply)
            stays = None if rates is None else ahead(tokens, rates, *reading.expected(lasts), reply)
            bill = reading.bills[key] = paid, stays
        return bill

    def _reading(self, request: Mapping[str, object], shape: Shape | None) -> Reading:
        """For the candidates of one request, under the policy in force."""
        engine = self._engine.engine_of(request, shape=shape)
        return Reading(self._reader, engine, self._turns, request, shape)

    def _fault(self, error: Exception, what: str) -> None:
        """Count something that went wrong, and log its kind once."""
        kind = type(error).__name__
        self.faults[kind] += 1
        if self.faults[kind] == 1:
            _log.warning("%s after %s (logged once)", what, kind)

    def _measure(self, route: Route, prompt: CachedPrompt, reported: int) -> None:
        with self._lock:
            name = route.qualified
            fit = self._fits.get(name)
            if fit is None:
                fit = Fit()
                self._fits.put(name, fit)
            fit.add(prompt, reported)
            if fit.requests >= _FITTED:
                self._scales.put(name, fit.scale())

    def _scale(self, route: Route) -> Scale:
        return self._scales.get(route.qualified) or UNSCALED


def _corrected(
    model: Model, prompt: CachedPrompt, believed: int, read: int, at: float, rules: CacheRules
) -> list[bytes]:
    """Believe what was reported in place of what was modelled; the prefixes that are lost.

    Args:
        model: What is believed.
        prompt: What was sent.
        believed: The tokens that it would have read.
        read: Those that were reported.
        at: When it was sent.
        rules: The cache's rules.
    """
    digests, _, ends = prompt.prefix
    last = reached(ends, believed, read)
    if last is None:
        return []
    if read < believed:
        return [digest for digest in digests[last + 1 :] if model.entries.pop(digest, None)]
    if last >= 0 and not _is_live(model.entries.get(digests[last]), at):
        model.entries[digests[last]] = Entry(at, at + rules.seconds("5m"))
    return []


def _is_time(seconds: float) -> bool:
    """Whether it can be a time, in seconds since the epoch."""
    return -_LATEST < seconds < _LATEST


def _is_likely(reported: int, estimated: int) -> bool:
    """Whether a prompt can have so many tokens."""
    return reported < 5 * estimated + _SLACK and estimated < 5 * reported + _SLACK


def _is_live(entry: Entry | None, at: float) -> bool:
    return entry is not None and entry.available <= at < entry.expires


def _asked(
    request: Mapping[str, object], candidate: str | Mapping[str, object]
) -> tuple[str, dict[str, object], Mapping[str, object]]:
    """The name of a candidate, the request to it, and what of that it has of its own beside where it goes."""
    if isinstance(candidate, str):
        return candidate, {**request, "model": candidate}, {}
    params, info = candidate.get("litellm_params"), candidate.get("model_info")
    params = params if isinstance(params, Mapping) else {}
    name = info.get("id") if isinstance(info, Mapping) else None
    # What a deployment has of its own are defaults, but for where it is.
    given = {**params, **request, **{member: params[member] for member in ELSEWHERE & params.keys()}}
    if info is not None:
        given["model_info"] = info
    own = {member: params[member] for member in params.keys() - request.keys() - ELSEWHERE}
    return str(name or params.get("model") or ""), given, own


def _cost(route: Route, tokens: CacheOutcome, usage: CacheUsage | None) -> Decimal | None:
    prices = route_prices(route)
    reply = 0 if usage is None else usage.output
    return None if prices is None else cost(tokens, prices.for_prompt(tokens.total), reply)


def _place(route: Route, request: Mapping[str, object]) -> bytes:
    """What stands for a scope and a model: whose account it is, and which model."""
    account = [value if isinstance(value := request.get(name), str) else None for name in ACCOUNT]
    known = route.provider, route.deployment or route.model
    # No secret is kept, not even in memory.
    return _hashed(*known, account) if any(account) else _of_model(*known)


def _hashed(provider: str, model: str, account: list[str | None]) -> bytes:
    return blake2b(repr((provider, model, account)).encode(), digest_size=16).digest()


@lru_cache(maxsize=_MOST_PLACES)
def _of_model(provider: str, model: str) -> bytes:
    return _hashed(provider, model, [None] * len(ACCOUNT))


def _lifetime(plan: CachePlan, rules: CacheRules) -> float | None:
    """How long what the request leaves lives: that of its longest prefix."""
    last = max((*plan.reads[-1:], *plan.writes[-1:]), default=None)
    return None if last is None else rules.seconds(last.ttl)


def _unpriced(
    name: str,
    model: str,
    tokens: CacheOutcome,
    until: float | None = None,
    *,
    in_conversation: bool = False,
) -> Quote:
    why = f"the prices of {model} are not known"
    return Quote(name, model, tokens, "unknown", why, warm_until=until, in_conversation=in_conversation)


def _why(plan: CachePlan, read: Entry | None, now: float) -> str:
    if read is not None:
        left = max(0, round(read.expires - now))
        who = "as its last answer reported" if read.reported else "by the rules of its cache"
        return f"{plan.outcome.read:,} tokens are warm for {left:,} s more, {who}"
    return "nothing of it is warm there" if plan.writes else "nothing of it can be cached"
