"""The account of one answered request: what its cache did, what that saved, and who caused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.cache.cost import Saving, saving
from policy_cache.engine.reasons import ACTED
from policy_cache.providers.price_map import known_prices
from policy_cache.usage.attribution import Share, attribute
from policy_cache.usage.segments import segments

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.cache.named import Reader
    from policy_cache.engine.plan import Arm, Plan
    from policy_cache.providers.prices import Prices
    from policy_cache.request.location import Location
    from policy_cache.usage.sessions import Start
    from policy_cache.usage.usage import CacheUsage


def savings(usage: CacheUsage, model: str) -> Saving | None:
    """What caching saved on a request; None where a price is unknown, never a guess.

    Claude's list prices are known here; other models' are litellm's, in a process that has imported it.
    Batches, service tiers and regions have multipliers of their own, which are not applied.

    Args:
        usage: The usage of the request.
        model: The model as litellm spells it, best with its provider prefix.
    """
    return saving(usage.outcome, rates_of(model, usage))


def rates_of(model: str, usage: CacheUsage) -> Prices | None:
    """The prices that apply to a request, as far as they are known."""
    prices = known_prices(model)
    return None if prices is None else prices.for_prompt(usage.prompt)


class Switch(NamedTuple):
    """A request whose session went on with another model.

    Attributes:
        source: The model before, with its provider's prefix.
        cost: What that cost against staying there, in USD, its reply included; negative where it saved,
            None where a price or a cache is unknown.
    """

    source: str
    cost: Decimal | None


class Placed(NamedTuple):
    """A breakpoint that took effect in a request as it was sent.

    Attributes:
        at: Its block, in the request as it came.
        ttl: Its TTL.
        placer: Whose it is: a rule, or who else in parentheses.
    """

    at: Location
    ttl: str
    placer: str


@dataclass(frozen=True, slots=True)
class Account:
    """What one request did.

    Attributes:
        model: The model, with its provider's prefix.
        route: The catalog's name for the route; None for a provider it does not know.
        revision: The policy's revision.
        rules: The names of the rules that acted, in file order.
        usage: The tokens, by what they were billed as.
        rates: The prices that apply to a prompt of its size; None where they are unknown.
        shares: Who caused what was read and written; they add up to `usage` and to `saved`.
        start: How it found its session.
        switch: What it cost that its session went on with another model; None where it did not, or where
            no `Warmth` is told of answers.
        arm: Which policy of an experiment it was sent under; None where there is none.
        session: What stands for its session; empty where that is not known.
        policy: The policy's name; empty where that is not known.
        placed: The breakpoints that it was sent with, in prefix order.
    """

    model: str
    route: str | None
    revision: str
    rules: tuple[str, ...]
    usage: CacheUsage
    rates: Prices | None
    shares: tuple[Share, ...]
    start: Start
    switch: Switch | None = None
    arm: Arm | None = None
    session: bytes = b""
    policy: str = ""
    placed: tuple[Placed, ...] = ()

    @property
    def saved(self) -> Decimal | None:
        """What caching saved in USD; negative where it cost more, None where a price is unknown."""
        return _saved(self.usage.outcome, self.rates)

    @property
    def paid(self) -> Decimal | None:
        """What the prompt cost in USD; None where a price is unknown."""
        money = saving(self.usage.outcome, self.rates)
        return None if money is None else money.paid

    def line(self) -> dict[str, object]:
        """What a recorded line says of the policy, in JSON's types; figures that are 0 are left out."""
        given: dict[str, object] = {"name": self.policy} if self.policy else {}
        if self.arm is not None:
            given["arm"] = self.arm
        if self.switch is not None:
            cost = self.switch.cost
            given["switch"] = {
                "from": self.switch.source,
                "cost_usd": None if cost is None else float(cost),
            }
        return given | {
            "revision": self.revision,
            "route": self.route,
            "rules": list(self.rules),
            "shares": [
                {"source": owner.source}
                | ({"rule": owner.rule} if owner.rule else {})
                | {
                    name: tokens
                    for name, tokens in (("read", read), ("write_5m", short), ("write_1h", long))
                    if tokens
                }
                for owner, read, short, long, _ in self.shares
            ],
            "placed": [{"at": list(at), "ttl": ttl, "by": placer} for at, ttl, placer in self.placed],
        }


def account_of(
    plan: Plan,
    usage: CacheUsage,
    start: Start,
    switch: Switch | None = None,
    *,
    session: bytes = b"",
    reader: Reader | None = None,
) -> Account:
    """The account of a request that was planned, sent and answered.

    Sizes are only estimated where something was read or written.

    Args:
        plan: What was decided for it.
        usage: What the answer reported.
        start: How it found its session.
        switch: What it cost that its session went on with another model.
        session: What stands for its session.
        reader: What reads prompts, once for what they share; a new one by default.
    """
    model = plan.route.qualified
    rates = rates_of(model, usage)
    shares: tuple[Share, ...] = ()
    if usage.read or usage.written:
        parts, tail = segments(plan, reader)
        shares = attribute(parts, usage.outcome, tail=tail)
    rules = (placement.source.rule for placement in plan.placements if placement.reason in ACTED)
    return Account(
        model=model,
        route=plan.route.name,
        revision=plan.policy.revision,
        policy=plan.policy.name,
        rules=tuple(dict.fromkeys(rules)),
        usage=usage,
        rates=rates,
        shares=priced(shares, rates),
        start=start,
        switch=switch,
        arm=plan.arm,
        session=session,
        placed=tuple(
            Placed(point.origin, point.ttl, point.placer)
            for point in plan.breakpoints
            if point.slot is not None and point.origin is not None
        ),
    )


def priced(shares: Iterable[Share], rates: Prices | None) -> tuple[Share, ...]:
    """Shares with what each of them saved, at the prices that apply to the whole prompt."""
    return tuple(share._replace(saved=_saved(share.outcome, rates)) for share in shares)


def _saved(outcome: CacheOutcome, rates: Prices | None) -> Decimal | None:
    money = saving(outcome, rates)
    return None if money is None else money.saved
