"""Prices from litellm's price map, without importing litellm.

Batches, service tiers and regions have multipliers of their own, which are not applied.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from policy_cache.providers.prices import Prices, claude_prices, list_prices
from policy_cache.providers.resolve import qualified

if TYPE_CHECKING:
    from policy_cache.providers.resolve import Route

PriceMap: TypeAlias = Mapping[str, object]
"""Models, and what the map says of each: a mapping, or its JSON."""

_BACKUP = "model_prices_and_context_window_backup.json"
_LONG_PROMPT = re.compile(r"input_cost_per_token(_above_(\d+)k_tokens)")
_MILLION = 1_000_000
_MOST_MODELS = 1_024
_worked_out: dict[tuple[str, bool], tuple[Mapping[str, object], Prices | None]] = {}
_NOTHING = Prices(input=None, output=None, read=None, write_5m=None, write_1h=None)


def prices_of(model: str, provider: str, *, writes: bool = False) -> Prices | None:
    """All the prices of a model; None where one is unknown, never a guess.

    Claude's are its list prices; other models' are litellm's: as it holds them where the process has imported
    it, else as the installed package brings them. Where the map has no price for what is written for an hour,
    or to a cache whose provider does not bill writes, it is taken to cost what Claude's would.

    Args:
        model: The model, without its provider prefix.
        provider: litellm's name for the provider; empty when it cannot be told.
        writes: Whether the provider bills what is written to its cache. That price must then be known, too.
    """
    name = qualified(provider, model)
    prices = list_prices(name)
    if prices is not None:
        return prices
    imported = imported_map()
    if imported is None:
        return _installed_prices(name, writes=writes)
    entry = entry_of(name, imported)
    known = _worked_out.get((name, writes))
    if known is None or known[0] != entry:
        if len(_worked_out) >= _MOST_MODELS:
            _worked_out.clear()
        # Of the entry as it is now: litellm changes what it holds, where somebody registers a price.
        known = _worked_out[name, writes] = dict(entry), _prices(entry, writes=writes)
    return known[1]


@lru_cache(maxsize=_MOST_MODELS)
def _installed_prices(name: str, *, writes: bool) -> Prices | None:
    return _prices(entry_of(name, installed_map()), writes=writes)


def _prices(entry: Mapping[str, object], *, writes: bool) -> Prices | None:
    prices = prices_in(entry)
    return None if prices is None else _completed(prices, writes=writes)


def route_prices(route: Route) -> Prices | None:
    """All the prices of a route's model; see `prices_of`."""
    return prices_of(route.model, route.provider, writes=route.marked is not None)


def known_prices(name: str) -> Prices | None:
    """What this process knows of a model's prices without reading a file; None where that is nothing.

    Claude's are its list prices; other models' are litellm's where the process has imported it.

    Args:
        name: The model as litellm spells it, best with its provider prefix.
    """
    return list_prices(name) or prices_in(entry_of(name, imported_map() or {}))


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


def prices_in(entry: Mapping[str, object]) -> Prices | None:
    """The prices that an entry of the map has, some of them unknown; None where it has them by tiers."""
    if not entry or entry.get("tiered_pricing"):
        return None
    bands = (band for name in entry if "_above_" in name and (band := _LONG_PROMPT.fullmatch(name)))
    found = ((int(band[2]) * 1_000, _band(entry, band[1])) for band in bands)
    # litellm's Router gives an entry what it has not, as None.
    larger = sorted((band for band in found if band[1] != _NOTHING), key=lambda band: -band[0])
    return _band(entry, "", tuple(larger))


def _band(entry: Mapping[str, object], ending: str, larger: tuple[tuple[int, Prices], ...] = ()) -> Prices:
    """The prices of prompts of one band of sizes, whose names end so."""
    return Prices(
        input=_price(entry, f"input_cost_per_token{ending}"),
        output=_price(entry, f"output_cost_per_token{ending}"),
        read=_price(entry, f"cache_read_input_token_cost{ending}"),
        write_5m=_price(entry, f"cache_creation_input_token_cost{ending}"),
        write_1h=_price(entry, f"cache_creation_input_token_cost_above_1hr{ending}"),
        larger=larger,
    )


def _price(entry: Mapping[str, object], name: str) -> Decimal | None:
    """USD for a million tokens; None where that is not known. The map has a 0 for some of those."""
    price = entry.get(name)
    if isinstance(price, bool) or not isinstance(price, int | float):
        return None
    return _of_million(price) if 0 < price < 1 else None


@lru_cache(maxsize=1_024)
def _of_million(price: float) -> Decimal:
    return Decimal(str(price)) * _MILLION


def _completed(prices: Prices, *, writes: bool) -> Prices | None:
    """All prices of an entry; None where one that must be known is not."""
    if prices.input is None or prices.output is None or prices.read is None:
        return None
    if writes and prices.write_5m is None:
        return None
    larger = []
    for above, band in prices.larger:
        completed = _completed(band, writes=writes)
        if completed is None:
            return None
        larger.append((above, completed))
    claude = claude_prices(prices.input, prices.output)
    return replace(
        prices,
        write_5m=prices.write_5m or claude.write_5m,
        write_1h=prices.write_1h or claude.write_1h,
        larger=tuple(larger),
    )
