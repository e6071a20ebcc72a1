"""What caching saved on one request, or lost."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.simulate.cache import CacheOutcome
from policy_cache.simulate.cost import cost
from policy_cache.simulate.prices import list_prices

if TYPE_CHECKING:
    from policy_cache.integrations.usage import CacheUsage

_LONG_PROMPT = re.compile(r"input_cost_per_token(_above_(\d+)k_tokens)")


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


def savings(usage: CacheUsage, model: str) -> Saving | None:
    """What caching saved on a request; None where a price is unknown, never a guess.

    Claude's list prices are known here; other models' are litellm's, in a process that has imported it.
    Batches, service tiers and regions have multipliers of their own, which are not applied.

    Args:
        usage: The usage of the request.
        model: The model as litellm spells it, best with its provider prefix.
    """
    prices = list_prices(model)
    if prices is None:
        return _by_price_map(usage, _entry(model))
    outcome = CacheOutcome(usage.read, usage.write_5m, usage.write_1h, usage.uncached)
    return Saving(cost(outcome, 0, prices), cost(CacheOutcome(uncached=usage.prompt), 0, prices))


def _by_price_map(usage: CacheUsage, entry: Mapping[str, object]) -> Saving | None:
    if entry.get("tiered_pricing"):
        return None
    band = _band(entry, usage.prompt)
    uncached = _price(entry, f"input_cost_per_token{band}")
    if uncached is None:
        return None
    paid = usage.uncached * uncached
    for tokens, name in (
        (usage.read, "cache_read_input_token_cost"),
        (usage.write_5m, "cache_creation_input_token_cost"),
        (usage.write_1h, "cache_creation_input_token_cost_above_1hr"),
    ):
        if tokens:
            price = _price(entry, name + band)
            if price is None:
                return None
            paid += tokens * price
    return Saving(paid, usage.prompt * uncached)


def _entry(model: str) -> Mapping[str, object]:
    """The model in litellm's price map; empty where it has none, or litellm was never imported."""
    prices = getattr(sys.modules.get("litellm"), "model_cost", None)
    if not isinstance(prices, Mapping):
        return {}
    entry = prices.get(model)
    if entry is None:
        # The map has some models without their provider, who must then be the same.
        provider, _, name = model.partition("/")
        entry = prices.get(name)
        if isinstance(entry, Mapping) and entry.get("litellm_provider") != provider:
            return {}
    return entry if isinstance(entry, Mapping) else {}


def _band(entry: Mapping[str, object], prompt: int) -> str:
    """How the names of the prices end that apply to a prompt of this size."""
    bands = (_LONG_PROMPT.fullmatch(name) for name in entry)
    above = [(int(band[2]), band[1]) for band in bands if band and prompt > int(band[2]) * 1_000]
    return max(above)[1] if above else ""


def _price(entry: Mapping[str, object], name: str) -> Decimal | None:
    """USD for one token; None where it is not known. The map has a 0 for some that it does not know."""
    price = entry.get(name)
    if isinstance(price, bool) or not isinstance(price, int | float):
        return None
    return Decimal(str(price)) if 0 < price < 1 else None
