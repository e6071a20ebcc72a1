"""Prices from litellm's price map, without importing litellm.

Batches, service tiers and regions have multipliers of their own, which are not applied.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import msgspec

from policy_cache.cache.cost import WRITE_MULTIPLIERS
from policy_cache.providers.prices import Prices, list_prices
from policy_cache.providers.resolve import qualified

PriceMap: TypeAlias = Mapping[str, object]
"""Models, and what the map says of each: a mapping, or its JSON."""

_BACKUP = "model_prices_and_context_window_backup.json"
_LONG_PROMPT = re.compile(r"input_cost_per_token(_above_(\d+)k_tokens)")
_MILLION = 1_000_000
# The map rounds some of its prices.
_ROUNDING = Decimal("0.001")


def prices_of(model: str, provider: str, *, writes: bool = False) -> Prices | None:
    """The prices of a model; None where one is unknown, never a guess.

    Claude's are its list prices; other models' are litellm's: as it holds them where the process has imported
    it, else as the installed package brings them.

    Args:
        model: The model, without its provider prefix.
        provider: litellm's name for the provider; empty when it cannot be told.
        writes: Whether the provider bills what is written to its cache. That price must then be known, too,
            and be the one that `cost` takes.
    """
    name = qualified(provider, model)
    known = list_prices(name)
    if known is not None:
        return known
    entry = entry_of(name, installed_map() if (prices := imported_map()) is None else prices)
    if entry.get("tiered_pricing"):
        return None
    bands = bands_of(entry)
    usual = _prices(entry, "", writes=writes)
    if usual is None or len(bands) > 1:
        return None
    if not bands:
        return usual
    above, band = bands[0]
    long_prompt = _prices(entry, band, writes=writes)
    if long_prompt is None:
        return None
    return Prices(usual.input, usual.output, usual.read_multiplier, long_prompt, above)


def imported_map() -> PriceMap | None:
    """The map that litellm holds, what was registered with it included; None where it was not imported."""
    prices = getattr(sys.modules.get("litellm"), "model_cost", None)
    return prices if isinstance(prices, Mapping) else None


@cache
def installed_map() -> PriceMap:
    """The map that the installed litellm brings along; empty where there is none."""
    try:
        spec = find_spec("litellm")
    except ValueError:  # a module that was not loaded from anywhere
        spec = None
    for folder in (spec and spec.submodule_search_locations) or ():
        try:
            return msgspec.json.decode(Path(folder, _BACKUP).read_bytes(), type=dict[str, msgspec.Raw])
        except (OSError, msgspec.DecodeError):
            continue
    return {}


def entry_of(model: str, prices: PriceMap) -> Mapping[str, object]:
    """What a map says of a model, which is spelled as litellm does; empty where that is nothing."""
    entry = _decoded(prices.get(model))
    if entry is None:
        # The map has some models without their provider, who must then be the same.
        provider, _, name = model.partition("/")
        entry = _decoded(prices.get(name))
        if isinstance(entry, Mapping) and not _serves(entry.get("litellm_provider"), provider):
            return {}
    return entry if isinstance(entry, Mapping) else {}


def _decoded(entry: object) -> object:
    return msgspec.json.decode(entry) if isinstance(entry, msgspec.Raw) else entry


def _serves(named: object, provider: str) -> bool:
    """Whether the map means a provider: it names Bedrock's and Vertex AI's parts apart."""
    return (
        named == provider
        or (named, provider) == ("bedrock_converse", "bedrock")
        or str(named).startswith(f"{provider}-")
    )


def bands_of(entry: Mapping[str, object]) -> list[tuple[int, str]]:
    """The sizes in tokens above which a prompt has prices of its own, each with how their names end."""
    found = (_LONG_PROMPT.fullmatch(name) for name in entry)
    return sorted((int(band[2]) * 1_000, band[1]) for band in found if band)


def price_of(entry: Mapping[str, object], name: str) -> Decimal | None:
    """USD for one token; None where it is not known. The map has a 0 for some that it does not know."""
    price = entry.get(name)
    if isinstance(price, bool) or not isinstance(price, int | float):
        return None
    return Decimal(str(price)) if 0 < price < 1 else None


def _prices(entry: Mapping[str, object], band: str, *, writes: bool) -> Prices | None:
    """The prices of prompts of one band of sizes."""
    uncached = price_of(entry, f"input_cost_per_token{band}")
    output = price_of(entry, f"output_cost_per_token{band}")
    read = price_of(entry, f"cache_read_input_token_cost{band}")
    if uncached is None or output is None or read is None:
        return None
    if writes and not _writes_as_taken(entry, band, uncached):
        return None
    return Prices(uncached * _MILLION, output * _MILLION, read / uncached)


def _writes_as_taken(entry: Mapping[str, object], band: str, uncached: Decimal) -> bool:
    """Whether what is written costs what `cost` takes it to; there need be no price for an hour."""
    short = price_of(entry, f"cache_creation_input_token_cost{band}")
    long = price_of(entry, f"cache_creation_input_token_cost_above_1hr{band}")
    return (
        short is not None
        and abs(short / uncached / WRITE_MULTIPLIERS["5m"] - 1) <= _ROUNDING
        and (long is None or abs(long / uncached / WRITE_MULTIPLIERS["1h"] - 1) <= _ROUNDING)
    )
