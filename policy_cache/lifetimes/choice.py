"""The choice between five minutes and an hour for the breakpoints of one request."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.providers.price_map import known_prices
from policy_cache.providers.resolve import qualified
from policy_cache.request.blocks import SYSTEM

if TYPE_CHECKING:
    from policy_cache.lifetimes.pauses import Law
    from policy_cache.providers.catalog import Ttl
    from policy_cache.request.blocks import Order

# Claude's, where prices are unknown: an hour costs 0.75 of the input price more to write, and spares 1.15.
_USUAL = 0.75 / 1.15


class Choice(NamedTuple):
    """How long the breakpoints of one request shall live.

    Attributes:
        prefix: Those on tools and system prompt; never shorter than `conversation`.
        conversation: Those on messages.
        because: Why that is so.
        law: What is known of the pauses here.
        expected: How many pauses of more than five minutes the conversation is expected to have before one of
            more than an hour.
        worth: From how many such pauses on an hour pays.
    """

    prefix: Ttl
    conversation: Ttl
    because: str
    law: Law
    expected: float
    worth: float

    def ttl(self, order: Order | None) -> Ttl:
        """That of a breakpoint there."""
        return self.conversation if order is None or order[0] > SYSTEM else self.prefix

    def why(self, ttl: Ttl) -> str:
        """The reason, in a sentence with its figures."""
        if self.because:
            return self.because
        law = self.law
        if law.seen:
            longer = f"of {law.seen:,} pauses here, {law.later / law.seen:.0%} were longer than five minutes"
        else:
            longer = "no pauses were seen here yet"
        outlook = f"{self.expected:.1f} such are expected, and an hour pays from {self.worth:.1f} on"
        if ttl == "1h" and self.conversation == "5m":
            outlook += ", here for the sake of other conversations"
        return f"{longer}; {outlook}"


@lru_cache(maxsize=4_096)
def worth(provider: str, model: str) -> float:
    """The number of pauses from which an hour pays: what it costs more to write over what each spares.

    Args:
        provider: litellm's name for the provider.
        model: The model; no file is read for its prices.
    """
    prices = known_prices(qualified(provider, model))
    if prices is None or prices.read is None or prices.write_5m is None or prices.write_1h is None:
        return _USUAL
    more, spared = prices.write_1h - prices.write_5m, prices.write_5m - prices.read
    return float(more / spared) if more > 0 and spared > 0 else _USUAL
