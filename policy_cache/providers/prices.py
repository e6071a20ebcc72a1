"""List prices of Claude models in USD per million tokens.

From platform.claude.com, "Pricing", as of 2026-11-23. Batches, fast mode, `inference_geo` and
regional endpoints have multipliers of their own, which are not applied here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from policy_cache.providers.claude import claude_name

# What is written to Claude's cache costs as many uncached tokens, by how long it is kept.
WRITE_5M, WRITE_1H = Decimal("1.25"), Decimal(2)


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


def claude_prices(
    input_: str, output: str, read: str = "0.1", larger: tuple[int, Prices] | None = None
) -> Prices:
    """The prices of a Claude model.

    Args:
        input_: USD for a million uncached tokens.
        output: USD for a million tokens of the reply.
        read: What a token that is read costs, in uncached tokens.
        larger: The prices of prompts with more than so many tokens, where they differ.
    """
    uncached = Decimal(input_)
    return Prices(
        input=uncached,
        output=Decimal(output),
        read=uncached * Decimal(read),
        write_5m=uncached * WRITE_5M,
        write_1h=uncached * WRITE_1H,
        larger=() if larger is None else (larger,),
    )


_PRICES: tuple[tuple[str, Prices], ...] = (
    (
        "claude-fable-5-2",
        claude_prices("8", "40", "0.025"),
    ),  # read in copies only: archid21/rightsize v0.10.2
    ("claude-mythos-5-2", claude_prices("8", "40", "0.025")),  # likewise
    ("claude-fable-5-1", claude_prices("10", "50", "0.025")),
    ("claude-mythos-5-1", claude_prices("10", "50", "0.025")),
    ("claude-fable-5", claude_prices("10", "50")),
    ("claude-mythos-5", claude_prices("10", "50")),
    ("claude-opus-5-5", claude_prices("4", "20", "0.05")),
    ("claude-opus-5", claude_prices("5", "25")),
    ("claude-opus-4-[5678]", claude_prices("5", "25")),
    ("claude-opus-4-1", claude_prices("15", "75")),
    ("claude-opus-4", claude_prices("15", "75")),
    ("claude-4-opus", claude_prices("15", "75")),
    ("claude-sonnet-5-5", claude_prices("2", "10", "0.05")),  # since 2026-10-07; 0.1 before
    ("claude-sonnet-5", claude_prices("2", "10")),
    ("claude-sonnet-4-[56]", claude_prices("3", "15")),
    ("claude-4-5-sonnet", claude_prices("3", "15")),
    ("claude-sonnet-4", claude_prices("3", "15")),
    ("claude-4-sonnet", claude_prices("3", "15")),
    (
        "claude-haiku-5-5",
        claude_prices("0.10", "0.50", larger=(100_000, claude_prices("0.50", "2.50"))),
    ),
    ("claude-haiku-4-5", claude_prices("1", "5")),
    ("claude-4-5-haiku", claude_prices("1", "5")),
    ("claude-3-5-haiku", claude_prices("0.80", "4")),
)


def list_prices(model: str) -> Prices | None:
    """The list prices of a model; None where they are unknown, never a guess."""
    name = claude_name(model)
    if name is None:
        return None
    return next((prices for pattern, prices in _PRICES if fnmatchcase(name, pattern)), None)
