"""What caching saved on one request, or lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.providers.price_map import bands_of, entry_of, imported_map, price_of
from policy_cache.providers.prices import list_prices

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from policy_cache.usage.usage import CacheUsage


@dataclass(frozen=True, slots=True)
class Saving:
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


def savings(usage: CacheUsage, model: str, *, prompt: int | None = None) -> Saving | None:
    """What caching saved on a request; None where a price is unknown, never a guess.

    Claude's list prices are known here; other models' are litellm's, in a process that has imported it.
    Batches, service tiers and regions have multipliers of their own, which are not applied.

    Args:
        usage: The usage of the request.
        model: The model as litellm spells it, best with its provider prefix.
        prompt: The size in tokens of the prompt that the usage is a part of, where it is not all of it.
    """
    prompt = usage.prompt if prompt is None else prompt
    prices = list_prices(model)
    if prices is None:
        return _by_price_map(usage, entry_of(model, imported_map() or {}), prompt)
    prices = prices.for_prompt(prompt)
    outcome = usage.outcome
    return Saving(cost(outcome, 0, prices), cost(CacheOutcome(uncached=usage.prompt), 0, prices))


def _by_price_map(usage: CacheUsage, entry: Mapping[str, object], prompt: int) -> Saving | None:
    if entry.get("tiered_pricing"):
        return None
    # The last one is the largest.
    band = next((band for above, band in reversed(bands_of(entry)) if prompt > above), "")
    uncached = price_of(entry, f"input_cost_per_token{band}")
    if uncached is None:
        return None
    paid = usage.uncached * uncached
    for tokens, name in (
        (usage.read, "cache_read_input_token_cost"),
        (usage.write_5m, "cache_creation_input_token_cost"),
        (usage.write_1h, "cache_creation_input_token_cost_above_1hr"),
    ):
        if tokens:
            price = price_of(entry, name + band)
            if price is None:
                return None
            paid += tokens * price
    return Saving(paid, usage.prompt * uncached)
