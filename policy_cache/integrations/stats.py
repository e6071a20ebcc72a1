"""Totals of a recorded trace: what each model read from its cache and wrote to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from policy_cache.integrations.savings import savings
from policy_cache.integrations.usage import CacheUsage

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Totals:
    """Sums over the requests of one model, in tokens.

    Attributes:
        requests: How many requests said what they used.
        hits: How many of them read from the cache.
        read: Tokens read from the cache.
        written: Tokens written to it.
        uncached: Tokens that were neither.
        saved: USD against no caching; None once a price is unknown.
    """

    requests: int = 0
    hits: int = 0
    read: int = 0
    written: int = 0
    uncached: int = 0
    saved: Decimal | None = Decimal(0)

    def add(self, usage: CacheUsage, model: str) -> None:
        """Add one request."""
        self.requests += 1
        self.hits += usage.read > 0
        self.read += usage.read
        self.written += usage.written
        self.uncached += usage.uncached
        saving = savings(usage, model)
        self.saved = None if saving is None or self.saved is None else self.saved + saving.saved

    @property
    def share_read(self) -> float:
        """The share of all prompt tokens that was read from the cache."""
        prompt = self.read + self.written + self.uncached
        return self.read / prompt if prompt else 0.0


@dataclass(slots=True)
class Stats:
    """What a trace holds.

    Attributes:
        models: The totals by model, as the requests name it.
        without_usage: How many requests came without usage.
        broken: The numbers of the lines that are no record, from 1.
    """

    models: dict[str, Totals] = field(default_factory=dict)
    without_usage: int = 0
    broken: list[int] = field(default_factory=list)


def stats(lines: Iterable[bytes]) -> Stats:
    """Sum up the lines of a trace, one at a time; a line that is no record is counted and passed over."""
    found = Stats()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            model = record["request"]["model"]
        except (ValueError, TypeError, KeyError, RecursionError):
            found.broken.append(number)
            continue
        usage = CacheUsage.from_response(record.get("usage"))
        if usage is None or not isinstance(model, str):
            found.without_usage += 1
            continue
        found.models.setdefault(model, Totals()).add(usage, model)
    return found
