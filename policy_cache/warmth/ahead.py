"""What the turns to come would cost, if a conversation stays where it is."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from policy_cache.providers.prices import Prices
    from policy_cache.warmth.turns import Outlook


def ahead(
    tokens: CacheOutcome, rates: Prices, outlook: Outlook, alive: float | None, reply: int
) -> Decimal | None:
    """USD for them: what is cached is read, or written again after a long pause.

    Args:
        tokens: What becomes of the prompt now.
        rates: The model's prices.
        outlook: How conversations go on.
        alive: The share of pauses that what the request leaves in the cache outlives; None where it leaves
            nothing.
        reply: The tokens of each reply.

    Returns:
        None where a price is unknown.
    """
    turns, growth = outlook
    size = tokens.total + round(growth * (turns + 1) / 2)
    if alive is None:
        each = cost(CacheOutcome(uncached=size), rates, reply)
        return None if each is None else each * _decimal(turns)
    rest = min(size, tokens.uncached) if tokens.write_5m or tokens.write_1h else 0
    # As much as is read on average, since what is cached is alive or not: costs are linear in tokens.
    read = round(max(0, size - rest - round(growth)) * alive)
    new = size - rest - read
    if tokens.write_1h:
        turn = CacheOutcome(read=read, write_1h=new, uncached=rest)
    elif rates.write_5m is None:
        turn = CacheOutcome(read=read, uncached=new + rest)
    else:
        turn = CacheOutcome(read=read, write_5m=new, uncached=rest)
    each = cost(turn, rates, reply)
    return None if each is None else each * _decimal(turns)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))
