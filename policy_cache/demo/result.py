"""What the demo measured."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.cache.explicit import CacheOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request, or several, used.

    Attributes:
        prompt: The tokens of the prompt: read from the cache, written to it, or neither.
        output: The tokens of the reply.
        cost: The cost in USD, unrounded.
    """

    prompt: CacheOutcome
    output: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same request, sent without the policy and with it."""

    without: Usage
    rewritten: Usage


@dataclass(frozen=True, slots=True)
class DemoResult:
    """A conversation, sent without the policy and with it.

    Attributes:
        requests: Each request, in the order of the conversation.
        plan: What the policy decided for the first one.
    """

    requests: tuple[Comparison, ...]
    plan: Plan

    @property
    def total(self) -> Comparison:
        """Everything added up."""
        return Comparison(
            _total(one.without for one in self.requests), _total(one.rewritten for one in self.requests)
        )

    @property
    def saving(self) -> Decimal:
        """The share of the cost that the policy saves; below zero when it costs more."""
        total = self.total
        return 1 - total.rewritten.cost / total.without.cost


def _total(usages: Iterable[Usage]) -> Usage:
    found = tuple(usages)
    prompt = CacheOutcome(
        read=sum(usage.prompt.read for usage in found),
        write_5m=sum(usage.prompt.write_5m for usage in found),
        write_1h=sum(usage.prompt.write_1h for usage in found),
        uncached=sum(usage.prompt.uncached for usage in found),
    )
    output = sum(usage.output for usage in found)
    return Usage(prompt, output, sum((usage.cost for usage in found), Decimal(0)))
