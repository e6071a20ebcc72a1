"""What models cost: prices as values, and Claude's list prices, which `prices.yaml` has with their source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Any

from policy_cache.packaged import packaged_data

_VERSIONS = re.compile(r"(-v\d+(-\d+)?|-\d{8}|-latest|-default)+$")


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens of a model cost, in USD; None where that is not known.

    Attributes:
        input: Of the prompt, neither read from the cache nor written to it.
        output: Of the reply.
        read: Read from the cache.
        write_5m: Written for five minutes, or for as long as the provider does unasked.
        write_1h: Written for an hour.
        larger: The prices of prompts with more than so many tokens, the largest first; cached tokens count.
    """

    input: Decimal | None
    output: Decimal | None
    read: Decimal | None
    write_5m: Decimal | None
    write_1h: Decimal | None
    larger: tuple[tuple[int, Prices], ...] = ()

    def for_prompt(self, tokens: int) -> Prices:
        """The prices that apply to a prompt of this size."""
        for above, prices in self.larger:
            if tokens > above:
                return prices
        return self


@lru_cache(maxsize=1_024)
def list_prices(model: str) -> Prices | None:
    """The list prices of a model; None where they are unknown, never a guess."""
    name = claude_name(model)
    if name is None:
        return None
    return next((prices for pattern, prices in _listed() if fnmatchcase(name, pattern)), None)


def claude_prices(
    input_: Decimal,
    output: Decimal,
    *,
    read: Decimal | None = None,
    larger: tuple[tuple[int, Prices], ...] = (),
) -> Prices:
    """The prices of a Claude model by two of them; the others are multiples.

    Args:
        input_: USD for a million uncached tokens.
        output: USD for a million tokens of the reply.
        read: What a token that is read costs, in uncached ones; None for what most models have.
        larger: The prices of larger prompts, where they differ.
    """
    data = _data()
    return Prices(
        input=input_,
        output=output,
        read=input_ * (_decimal(data["read"]) if read is None else read),
        write_5m=input_ * _decimal(data["write_5m"]),
        write_1h=input_ * _decimal(data["write_1h"]),
        larger=larger,
    )


def claude_name(model: str) -> str | None:
    """The bare name of a Claude model, or None for any other model.

    `us.anthropic.claude-sonnet-4-5-20250929-v1:0` and `anthropic/claude-sonnet-4.5` are both
    `claude-sonnet-4-5`.
    """
    lowered = model.lower()
    start = lowered.rfind("claude-")
    if start < 0:
        return None
    return _VERSIONS.sub("", re.sub(r"[.@:]", "-", lowered[start:]))


@cache
def _listed() -> tuple[tuple[str, Prices], ...]:
    """Globs over bare names, each with its prices."""
    return tuple((pattern, _prices(entry)) for entry in _data()["models"] for pattern in entry["match"])


def _prices(entry: dict[str, Any]) -> Prices:
    larger = entry.get("larger")
    return claude_prices(
        _decimal(entry["input"]),
        _decimal(entry["output"]),
        read=_decimal(entry["read"]) if "read" in entry else None,
        larger=((larger["above"], _prices(larger)),) if larger else (),
    )


@cache
def _data() -> dict[str, Any]:
    return packaged_data("prices.yaml")


def _decimal(number: float) -> Decimal:
    return Decimal(str(number))
