"""What a prompt and its reply cost, and what caching saved of that. All money is worked out here."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from policy_cache.providers.prices import Prices

_MILLION = Decimal(1_000_000)


def cost(outcome: CacheOutcome, rates: Prices, output: int = 0) -> Decimal | None:
    """USD, unrounded; None where a price of what was billed is unknown.

    Args:
        outcome: The tokens of a prompt, or of a part of one.
        rates: The prices that apply to a prompt of its size.
        output: The tokens of the reply.
    """
    total = Decimal(0)
    for tokens, price in (
        (outcome.uncached, rates.input),
        (outcome.read, rates.read),
        (outcome.write_5m, rates.write_5m),
        (outcome.write_1h, rates.write_1h),
        (output, rates.output),
    ):
        if tokens:
            if price is None:
                return None
            total += tokens * price
    return total / _MILLION


class Saving(NamedTuple):
    """What a prompt cost, in USD, unrounded. The reply costs the same either way and is left out.

    Attributes:
        paid: With what it read from the cache and wrote to it.
        without_cache: With every token uncached.
    """

    paid: Decimal
    without_cache: Decimal

    @property
    def saved(self) -> Decimal:
        """What caching saved; negative where it cost more than it saved."""
        return self.without_cache - self.paid


def saving(outcome: CacheOutcome, rates: Prices | None) -> Saving | None:
    """What caching saved on a prompt, or on a part of one; None where a price is unknown.

    Args:
        outcome: Its tokens.
        rates: The prices that apply to a prompt of its size; None where they are unknown.
    """
    if rates is None:
        return None
    paid = cost(outcome, rates)
    total = outcome.total
    without_cache = paid if outcome.uncached == total else cost(CacheOutcome(uncached=total), rates)
    return None if paid is None or without_cache is None else Saving(paid, without_cache)
