"""The account of one answered request: what its cache did, what that saved, and who caused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.engine.reasons import ACTED
from policy_cache.usage.attribution import Share, attribute
from policy_cache.usage.savings import savings
from policy_cache.usage.segments import segments
from policy_cache.usage.usage import CacheUsage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from policy_cache.engine.plan import Plan
    from policy_cache.usage.sessions import Start


@dataclass(frozen=True, slots=True)
class Account:
    """What one request did.

    Attributes:
        model: The model, with its provider's prefix.
        route: The catalog's name for the route; None for a provider it does not know.
        revision: The policy's revision.
        rules: The names of the rules that acted, in file order.
        usage: The tokens, by what they were billed as.
        saved: What caching saved in USD; negative where it cost more, None where a price is unknown.
        shares: Who caused what was read and written; they add up to `usage` and to `saved`.
        start: How it found its session.
    """

    model: str
    route: str | None
    revision: str
    rules: tuple[str, ...]
    usage: CacheUsage
    saved: Decimal | None
    shares: tuple[Share, ...]
    start: Start

    def line(self) -> dict[str, object]:
        """What a recorded line says of the policy, in JSON's types; figures that are 0 are left out."""
        return {
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
        }


def account_of(plan: Plan, usage: CacheUsage, start: Start, *, unmarked: bool = False) -> Account:
    """The account of a request that was planned, sent and answered.

    Sizes are only estimated where something was read or written.

    Args:
        plan: What was decided for it.
        usage: What the answer reported.
        start: How it found its session.
        unmarked: Whether it was sent without the policy's markers, since its route refuses them.
    """
    model = plan.route.qualified
    parts: tuple[Share, ...] = ()
    if usage.read or usage.written:
        found, tail = segments(plan, unmarked=unmarked)
        parts = attribute(found, usage.outcome, tail=tail)
    rules = (
        one.source.rule
        for one in plan.placements
        if one.reason in ACTED and not (unmarked and one.ttl is not None)
    )
    saving = savings(usage, model)
    return Account(
        model,
        plan.route.name,
        plan.policy[1],
        tuple(dict.fromkeys(rules)),
        usage,
        None if saving is None else saving.saved,
        priced(parts, usage, model),
        start,
    )


def priced(shares: Iterable[Share], usage: CacheUsage, model: str) -> tuple[Share, ...]:
    """Shares of a usage with what each of them saved; prices depend on the size of the whole prompt."""
    return tuple(share._replace(saved=_saved(share, usage.prompt, model)) for share in shares)


def _saved(share: Share, prompt: int, model: str) -> Decimal | None:
    part = CacheUsage(read=share.read, write_5m=share.write_5m, write_1h=share.write_1h)
    saving = savings(part, model, prompt=prompt)
    return None if saving is None else saving.saved
