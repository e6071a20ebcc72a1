"""What policies save, in a sentence."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.text.amounts import share, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.forecast.result import Simulation


def headline(simulation: Simulation, names: Sequence[str]) -> str:
    """What the first policy saves, and the best one beside it; in tokens where a price is unknown."""
    baseline = simulation.uncached.cost
    costs = [column.cost for column in simulation.policies]
    known = [cost for cost in costs if cost is not None]
    if baseline is None or len(known) < len(costs):
        return _read(simulation, names)
    return _paid(baseline, known, names)


def _paid(baseline: Decimal, costs: Sequence[Decimal], names: Sequence[str]) -> str:
    first, least = costs[0], min(costs)
    # Two amounts that differ must not read the same.
    cents = first == least or usd(first, cents=True) != usd(least, cents=True)
    said = (
        f"{names[0]} would cost {usd(first, cents=cents)} in place of {usd(baseline, cents=cents)} "
        f"without caching: {_less(baseline, first)}"
    )
    best = f"{names[costs.index(least)]} at {usd(least, cents=cents)}: {_less(baseline, least)}"
    beside = "no other policy is cheaper" if least == first else f"the cheapest of {len(costs)} is {best}"
    return _sentence(said, beside, costs)


def _less(baseline: Decimal, cost: Decimal) -> str:
    if cost == baseline:
        return "the same"
    less = 1 - cost / baseline if baseline else Decimal(0)
    told = f"{abs(less):.0%}"
    return "about the same" if told == "0%" else f"{told} {'less' if less > 0 else 'more'}"


def _read(simulation: Simulation, names: Sequence[str]) -> str:
    total = simulation.uncached.total.tokens.total
    read = [column.total.read for column in simulation.policies]
    first, most = read[0], max(read)
    said = f"{names[0]} would read {first:,} of {total:,} tokens from the cache: {share(first, total)}"
    best = f"{most:,} with {names[read.index(most)]}: {share(most, total)}"
    beside = "no other policy reads more" if most == first else f"the most of {len(read)} is {best}"
    return _sentence(said, beside, read)


def _sentence(said: str, beside: str, policies: Sequence[object]) -> str:
    """What is said of the first policy, and of the others if there are any."""
    return f"{said}; {beside}." if len(policies) > 1 else f"{said}."
