"""What one prompt was billed as: as a model of the cache says, or as the provider reported."""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.cache.cost import WRITE_MULTIPLIERS

if TYPE_CHECKING:
    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.misses.shortfall import Turn
    from policy_cache.providers.prices import Prices
    from policy_cache.usage.usage import CacheUsage

# By how much of the prompt an estimated size may miss a reported one.
_SLACK = 0.05
_MILLION = Decimal(1_000_000)


class Bill(NamedTuple):
    """A prompt's tokens, by what they were billed as.

    Attributes:
        outcome: The tokens.
        hit: The last block that was read; -1 where none was.
        factor: Billed tokens for each one of the prompt's.
    """

    outcome: CacheOutcome
    hit: int
    factor: float = 1.0

    def cost(self, start: int, end: int, rates: Prices) -> Decimal:
        """What the tokens between two places cost beyond the price of reading them, in USD."""
        outcome, read = self.outcome, rates.read_multiplier
        cost, begin = Decimal(0), outcome.read
        for tokens, multiplier in (
            (outcome.write_1h, WRITE_MULTIPLIERS["1h"]),
            (outcome.write_5m, WRITE_MULTIPLIERS["5m"]),
            (outcome.uncached, Decimal(1)),
        ):
            inside = max(0, min(end, begin + tokens) - max(start, begin))
            cost += inside * (multiplier - read)
            begin += tokens
        return cost * rates.input / _MILLION


def modelled(turn: Turn) -> Bill:
    """The bill of a turn, as the model has it."""
    hit = turn.plan.hit
    return Bill(turn.plan.outcome, -1 if hit is None else hit)


def reported(turn: Turn, usage: CacheUsage) -> Bill:
    """The bill that a provider reported, of a prompt that is not empty."""
    outcome = usage.outcome
    ends = turn.prompt.prefix.ends
    if not usage.read or not ends:
        return Bill(outcome, -1, usage.prompt / turn.prompt.tokens)
    factor = usage.prompt / turn.prompt.tokens
    hit = turn.plan.hit
    if hit is not None and abs(ends[hit] * factor - usage.read) <= _SLACK * usage.prompt:
        return Bill(outcome, hit, factor)
    # Not what the model says: the block that ends nearest.
    at = bisect_left(ends, usage.read / factor)
    near = [index for index in (at - 1, at) if 0 <= index < len(ends)]
    return Bill(outcome, min(near, key=lambda index: abs(ends[index] * factor - usage.read)), factor)
