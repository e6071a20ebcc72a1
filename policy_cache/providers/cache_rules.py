"""How a provider's cache behaves for one model: the values that the models of `cache` are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from policy_cache.providers.catalog import CacheTable, LifetimeEntry, Ttl


@dataclass(frozen=True, slots=True)
class ExplicitRules:
    """A cache that markers write to.

    Attributes:
        minimum: The smallest prefix that is cached, in tokens.
        lookback: Positions that a breakpoint looks back for an entry, itself included.
        short: How long an entry for `5m` lives, in seconds.
        long: How long one for `1h` does; never shorter.
        prolonged: Whether a read starts the lifetime anew.
        approximate: What of that is assumed, in a sentence; None where all of it is documented.
    """

    minimum: int
    lookback: int
    short: float
    long: float
    prolonged: bool = True
    approximate: str | None = None

    @property
    def longest(self) -> float:
        """The seconds after which nothing is left."""
        return self.long

    def seconds(self, ttl: Ttl) -> float:
        """How long an entry lives."""
        return self.long if ttl == "1h" else self.short


@dataclass(frozen=True, slots=True)
class BreakpointRules:
    """A cache with an implicit breakpoint beside the marked ones, which bills what it writes.

    Attributes:
        minimum: The smallest prefix that is cached, in tokens.
        lookback: The latest marked breakpoints that are looked at for an entry.
        messages: The endings of earlier messages that are looked at, too.
        writes: The most breakpoints that one request writes, the implicit one among them.
        lives: How long an unused entry lives, in seconds.
        approximate: What of that is assumed, in a sentence; None where all of it is documented.
    """

    minimum: int
    lookback: int
    messages: int
    writes: int
    lives: float
    approximate: str | None = None

    @property
    def longest(self) -> float:
        """The seconds after which nothing is left."""
        return self.lives

    @property
    def prolonged(self) -> bool:
        """Whether a read starts the lifetime anew."""
        return True

    def seconds(self, _: Ttl) -> float:
        """How long an entry lives."""
        return self.lives


@dataclass(frozen=True, slots=True)
class AutomaticRules:
    """A cache that a provider keeps by itself, and that costs nothing to write.

    Attributes:
        minimum: The smallest prefix that is read, in tokens.
        step: What is read is rounded down to a multiple of so many tokens.
        lives: How long an unused prefix is taken to live, in seconds.
        approximate: What of that is assumed, in a sentence; None where all of it is documented.
        by_retention: The rules for each `prompt_cache_retention`, where a request can choose.
        needs_key: Whether only requests with a `prompt_cache_key` are cached.
    """

    minimum: int
    step: int
    lives: float
    approximate: str | None = None
    by_retention: Mapping[str, AutomaticRules] = field(default_factory=dict)
    needs_key: bool = False

    @property
    def longest(self) -> float:
        """The seconds after which nothing is left, whatever a request chooses."""
        return max((self.lives, *(rules.lives for rules in self.by_retention.values())))

    def seconds(self, _: Ttl) -> float:
        """How long an entry lives."""
        return self.lives

    def chosen(self, request: Mapping[str, object]) -> AutomaticRules:
        """The rules for a request: those of the retention that it names, if it may."""
        retention = _parameter(request, "prompt_cache_retention")
        return self.by_retention.get(retention, self) if isinstance(retention, str) else self

    def caches(self, request: Mapping[str, object]) -> bool:
        """Whether a request is cached at all."""
        return not self.needs_key or bool(_parameter(request, "prompt_cache_key"))


def _parameter(request: Mapping[str, object], name: str) -> object:
    """A parameter as it is sent: what `extra_body` says wins over an argument."""
    beside = request.get("extra_body")
    inside = beside.get(name) if isinstance(beside, Mapping) else None
    return inside or request.get(name)


CacheRules: TypeAlias = ExplicitRules | BreakpointRules | AutomaticRules


def marked_rules(table: CacheTable, minimum: int) -> ExplicitRules | BreakpointRules:
    """The rules of a cache that markers write to."""
    short = table.lifetimes["5m"]
    lookback = table.lookback or 1
    if table.kind == "breakpoints":
        return BreakpointRules(
            minimum, lookback, table.messages, table.writes or 1, short.seconds, short.assumes
        )
    long = table.lifetimes.get("1h", short)
    return ExplicitRules(minimum, lookback, short.seconds, long.seconds, table.prolonged, short.assumes)


def automatic_rules(table: CacheTable, row: LifetimeEntry | None, minimum: int) -> AutomaticRules | None:
    """The rules of an automatic cache; None where not enough is known to say anything.

    Args:
        table: The cache.
        row: Its row for the model; None where no row is.
        minimum: The smallest prefix that is cached, in tokens.
    """
    if table.models and (row is None or row.lifetime is None):
        return None
    known = {
        name: AutomaticRules(
            minimum, table.step, lifetime.seconds, lifetime.assumes, needs_key=table.needs_key
        )
        for name, lifetime in table.lifetimes.items()
    }
    usual = known[row.lifetime] if row and row.lifetime else next(iter(known.values()))
    return replace(usual, by_retention=known) if row and row.retention else usual
