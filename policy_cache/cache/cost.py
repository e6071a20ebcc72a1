"""What a prompt and its reply cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.cache.prompt import Ttl
    from policy_cache.providers.prices import Prices

WRITE_MULTIPLIERS: Mapping[Ttl, Decimal] = {"5m": Decimal("1.25"), "1h": Decimal(2)}
"""The price of a token written to the cache, in uncached tokens (platform.claude.com, "Pricing")."""

_MILLION = Decimal(1_000_000)


def cost(outcome: CacheOutcome, output_tokens: int, prices: Prices) -> Decimal:
    """The cost of one request in USD, unrounded."""
    return billed(outcome, output_tokens, prices.for_prompt(outcome.total))


def billed(outcome: CacheOutcome, output_tokens: int, rates: Prices) -> Decimal:
    """The cost in USD, unrounded, at the rates that apply; of one request, or of the sum of several."""
    input_tokens = (
        outcome.uncached
        + outcome.read * rates.read_multiplier
        + outcome.write_5m * WRITE_MULTIPLIERS["5m"]
        + outcome.write_1h * WRITE_MULTIPLIERS["1h"]
    )
    return (input_tokens * rates.input + output_tokens * rates.output) / _MILLION
