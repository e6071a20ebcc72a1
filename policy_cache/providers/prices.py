"""List prices of Claude models in USD per million tokens.

From platform.claude.com, "Pricing", as of 2026-11-23. Batches, fast mode, `inference_geo` and
regional endpoints have multipliers of their own, which are not applied here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from policy_cache.providers.claude import claude_name


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model costs.

    Attributes:
        input: A million uncached input tokens.
        output: A million output tokens.
        read_multiplier: The price of a cached token, as a share of an uncached one.
        long_prompt: The prices of a prompt larger than `long_above` tokens, where they differ.
        long_above: That size; cached tokens count.
    """

    input: Decimal
    output: Decimal
    read_multiplier: Decimal = Decimal("0.1")
    long_prompt: Prices | None = None
    long_above: int = 0

    def for_prompt(self, tokens: int) -> Prices:
        """The prices that apply to a prompt of this size."""
        if self.long_prompt is not None and tokens > self.long_above:
            return self.long_prompt
        return self


def _usd(input_: str, output: str, read_multiplier: str = "0.1") -> Prices:
    return Prices(Decimal(input_), Decimal(output), Decimal(read_multiplier))


_PRICES: tuple[tuple[str, Prices], ...] = (
    ("claude-fable-5-2", _usd("8", "40", "0.025")),  # read in copies only: archid21/rightsize v0.10.2
    ("claude-mythos-5-2", _usd("8", "40", "0.025")),  # likewise
    ("claude-fable-5-1", _usd("10", "50", "0.025")),
    ("claude-mythos-5-1", _usd("10", "50", "0.025")),
    ("claude-fable-5", _usd("10", "50")),
    ("claude-mythos-5", _usd("10", "50")),
    ("claude-opus-5-5", _usd("4", "20", "0.05")),
    ("claude-opus-5", _usd("5", "25")),
    ("claude-opus-4-[5678]", _usd("5", "25")),
    ("claude-opus-4-1", _usd("15", "75")),
    ("claude-opus-4", _usd("15", "75")),
    ("claude-4-opus", _usd("15", "75")),
    ("claude-sonnet-5-5", _usd("2", "10", "0.05")),  # since 2026-10-07; 0.1 before
    ("claude-sonnet-5", _usd("2", "10")),
    ("claude-sonnet-4-[56]", _usd("3", "15")),
    ("claude-4-5-sonnet", _usd("3", "15")),
    ("claude-sonnet-4", _usd("3", "15")),
    ("claude-4-sonnet", _usd("3", "15")),
    (
        "claude-haiku-5-5",
        Prices(Decimal("0.10"), Decimal("0.50"), long_prompt=_usd("0.50", "2.50"), long_above=100_000),
    ),
    ("claude-haiku-4-5", _usd("1", "5")),
    ("claude-4-5-haiku", _usd("1", "5")),
    ("claude-3-5-haiku", _usd("0.80", "4")),
)


def list_prices(model: str) -> Prices | None:
    """The list prices of a model; None where they are unknown, never a guess."""
    name = claude_name(model)
    if name is None:
        return None
    return next((found for pattern, found in _PRICES if fnmatchcase(name, pattern)), None)
