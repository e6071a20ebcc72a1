"""What it costs to send a request somewhere, now."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

Sure: TypeAlias = Literal["reported", "modelled", "unknown"]
"""How a quote is known: the provider said so, the rules of its cache say so, or nobody can."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What one candidate would do with a request that starts now.

    Attributes:
        candidate: Its name, as it was asked for; of a deployment, its id.
        model: The model with its provider's prefix; empty where it cannot be told.
        tokens: The prompt's tokens, by what would happen to them; estimated, in the model's own scale.
        sure: How that is known.
        why: The reason, in a sentence.
        cost: What the prompt, and the reply that was reckoned with, would cost, in USD; None where a price or
            the cache is unknown.
        ahead: What the turns are expected to cost, in USD, for which the conversation stays there.
        warm_until: When the entry that it would read expires, in seconds since the epoch; None where it
            reads nothing.
        in_conversation: Whether what it reads goes beyond tools and system prompt.
    """

    candidate: str
    model: str
    tokens: CacheOutcome
    sure: Sure
    why: str
    cost: Decimal | None = None
    ahead: Decimal | None = None
    warm_until: float | None = None
    in_conversation: bool = False

    @property
    def is_warm(self) -> bool:
        """Whether anything would be read."""
        return self.tokens.read > 0

    @property
    def total(self) -> Decimal | None:
        """This request and the turns to come; None where a price is unknown."""
        return None if self.cost is None or self.ahead is None else self.cost + self.ahead


def unknown(candidate: str, why: str, *, model: str = "", tokens: CacheOutcome | None = None) -> Quote:
    """A quote that promises nothing."""
    return Quote(candidate, model, tokens or CacheOutcome(), "unknown", why)


def checked_premium(max_premium: float) -> float:
    """A `max_premium` that can be one.

    Raises:
        ValueError: It is negative, or not finite.
    """
    if not 0 <= max_premium < math.inf:
        msg = f"`max_premium` is {max_premium}, and must be finite and not negative"
        raise ValueError(msg)
    return max_premium


def prefer(quotes: Sequence[Quote], max_premium: float = 0.0) -> Quote | None:
    """The cheapest candidate, this request and the turns to come; None where no price is known.

    Args:
        quotes: The candidates; of equal ones, the first.
        max_premium: The conversation's warm candidate is taken as long as it costs no more than this share
            above the cheapest: 0.1 for a tenth.

    Raises:
        ValueError: `max_premium` is negative, or not finite.
    """
    checked_premium(max_premium)
    known = [(quote.total, quote) for quote in quotes if quote.total is not None]
    if not known:
        return None
    least, cheapest = min(known, key=lambda pair: pair[0])
    warm = [pair for pair in known if pair[1].in_conversation]
    if warm:
        total, warmest = min(warm, key=lambda pair: pair[0])
        if float(total) <= float(least) * (1 + max_premium):
            return warmest
    return cheapest
