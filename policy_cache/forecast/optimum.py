"""The least that any placement of breakpoints and lifetimes could cost, in hindsight.

A lower bound. A prompt's tokens are each billed once, so its cost is a sum over blocks, and each block
is given the cheapest history that the cache allows it, whatever the others do. For a block (a prefix,
by its digest) only the requests that contain it matter, since no other reads, writes or refreshes an
entry that covers it:

- It is read while a live entry covers it, and is then covered for no longer than before: what was
  read from an entry for five minutes lives for five minutes.
- Otherwise it is billed plainly, and nothing new covers it; or written, and covered for that long.
- An entry that covers it lives, at most, its lifetime from the last request that contains the block.

Reading a block whenever it is live is never worse: nothing is cheaper, and it stays covered. So three
costs tell all about its past: the least so far, and the least that leaves it covered for five minutes,
and for an hour. What is left out only ever adds cost: that an entry is readable once its reply has
begun, is found within the lookback, and covers all the blocks before it.

It is attained by a conversation that only grows: the older a block, the longer it pays to keep, so the
best for each block is also one for all of them. Where conversations branch it can be out of reach.

With pings, an entry may also be read between requests, for nothing but the price of reading it, as often
as it takes to outlive a pause: a pause of 11 minutes takes two for an entry of five minutes. For a block
that is, again, the cheapest that anything could do.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.providers.cache_rules import ExplicitRules
    from policy_cache.providers.prices import Prices

_MILLION = Decimal(1_000_000)


class _Rates(NamedTuple):
    """What a million tokens cost."""

    plain: Decimal
    read: Decimal
    write_5m: Decimal
    write_1h: Decimal


@dataclass(slots=True)
class _Run:
    """Blocks in a row that the same requests contain, as far as costs can tell.

    Attributes:
        digests: Of the prefix that ends with each block.
        ends: The tokens of that prefix.
        start: The tokens before the run.
        at: When the last request that contains it started.
        minutes: What covering a million tokens of it for five minutes has cost above the least.
        hour: The same for an hour; never less.
        read: The least that reading a million tokens of it has cost.
        runs: Those that follow it, by their first digest.
    """

    digests: list[bytes]
    ends: list[int]
    start: int
    at: float = float("-inf")
    minutes: Decimal = Decimal(0)
    hour: Decimal = Decimal(0)
    read: Decimal = Decimal("Infinity")
    runs: dict[bytes, _Run] = field(default_factory=dict)

    def touch(self, at: float, rates: _Rates, rules: ExplicitRules, *, pings: bool) -> Decimal:
        """A request contains it: what that adds to the least cost of the whole run."""
        gap = at - self.at
        hour, minutes = rates.write_1h, rates.write_5m
        if gap < rules.long or pings:
            hour = min(hour, rates.read + self.hour + self._renewed(gap, rules.long))
        if gap < rules.short or pings:
            minutes = min(minutes, rates.read + self.minutes + self._renewed(gap, rules.short))
        minutes = min(minutes, hour)
        least = min(rates.plain, minutes)
        self.at, self.minutes, self.hour = at, minutes - least, hour - least
        self.read = min(self.read, rates.read)
        return least * (self.ends[-1] - self.start)

    def _renewed(self, gap: float, lifetime: float) -> Decimal:
        """What the pings cost that keep it through a pause; too much, before its first request."""
        return int(gap // lifetime) * self.read if gap < float("inf") else self.read

    def split(self, index: int) -> None:
        """Leave the blocks from here on to a run of their own."""
        rest = _Run(
            self.digests[index:],
            self.ends[index:],
            self.ends[index - 1],
            self.at,
            self.minutes,
            self.hour,
            self.read,
            self.runs,
        )
        del self.digests[index:], self.ends[index:]
        self.runs = {rest.digests[0]: rest}

    def joins(self, following: _Run) -> bool:
        """Whether the run after it, just touched too, has no other beside it and the same costs."""
        costs = self.minutes, self.hour, self.read
        return len(self.runs) == 1 and costs == (following.minutes, following.hour, following.read)

    def join(self, following: _Run) -> None:
        """Take in the run after it."""
        self.digests += following.digests
        self.ends += following.ends
        self.runs = following.runs


class Optimum:
    """The least that the prompts of one scope and model could cost.

    Holds what was part of a prompt in the last two of its longest lifetimes; with pings, for as many of them
    as it could pay to keep. Not for several threads at once.

    Args:
        rules: How entries live, and the smallest prefix that is cached.
        pings: Whether entries may be read between requests, to live on.
    """

    def __init__(self, rules: ExplicitRules, *, pings: bool = False) -> None:
        self._rules = rules
        self._pings = pings
        self._runs: dict[bytes, _Run] = {}
        self._swept = float("-inf")
        # Decimals hold every sum of prices and tokens exactly, so no rounding lifts the bound.
        self._total: Decimal | None = Decimal(0)

    @property
    def total(self) -> Decimal | None:
        """USD for the prompts so far, unrounded, without their replies; None where a price is unknown."""
        return None if self._total is None else self._total / _MILLION

    def add(self, prompt: CachedPrompt, at: float, prices: Prices | None) -> None:
        """Add the next prompt.

        Args:
            prompt: With or without breakpoints; they are not looked at.
            at: When its request started, in seconds; never before the previous one.
            prices: The model's prices, or those for a prompt of its size; None where they are unknown.
        """
        digests, _, ends = prompt.prefix
        size = ends[-1] if ends else 0
        rates = None if prices is None else _rates(prices.for_prompt(size + prompt.tail))
        if rates is None:
            self._total = None
        if rates is None or self._total is None:
            return
        if size < self._rules.minimum:
            self._total += rates.plain * (size + prompt.tail)
            return
        path = self._path(digests, ends)
        self._total += rates.plain * prompt.tail
        for run in path:
            self._total += run.touch(at, rates, self._rules, pings=self._pings)
        _join(path)
        # An entry is worth no more pings than it takes to pay a write.
        kept = self._rules.long * (1 + int(rates.write_1h / rates.read) if self._pings else 1)
        if at - self._swept >= kept:
            self._sweep(at, kept)

    def _path(self, digests: list[bytes], ends: list[int]) -> list[_Run]:
        """The runs that make up a prompt, split and begun as it takes."""
        path: list[_Run] = []
        runs, done = self._runs, 0
        while done < len(digests):
            run = runs.get(digests[done])
            if run is None:
                run = _Run(digests[done:], ends[done:], ends[done - 1] if done else 0)
                runs[digests[done]] = run
            else:
                common = _common(run.digests, digests, done)
                if common < len(run.digests):
                    run.split(common)
            path.append(run)
            runs, done = run.runs, done + len(run.digests)
        return path

    def _sweep(self, now: float, kept: float) -> None:
        """Forget what is as if new; all that follows a run was last touched no later than the run."""
        self._swept = now
        open_ = [self._runs]
        while open_:
            runs = open_.pop()
            for first in [first for first, run in runs.items() if now - run.at >= kept]:
                del runs[first]
            open_.extend(run.runs for run in runs.values())


def _rates(prices: Prices) -> _Rates | None:
    """None where one of them is unknown."""
    plain, read, write_5m, write_1h = prices.input, prices.read, prices.write_5m, prices.write_1h
    if plain is None or read is None or write_5m is None or write_1h is None:
        return None
    return _Rates(plain, read, write_5m, write_1h)


def _common(known: list[bytes], digests: list[bytes], start: int) -> int:
    """How many blocks of a run a prompt has from here; a digest stands for all before it."""
    most = min(len(known), len(digests) - start)
    if known[most - 1] == digests[start + most - 1]:
        return most
    return bisect_left(range(most), x=True, key=lambda index: known[index] != digests[start + index])


def _join(path: list[_Run]) -> None:
    """Join neighbours that have come to cost the same, so that a long conversation stays a few runs."""
    for index in range(len(path) - 2, -1, -1):
        if path[index].joins(path[index + 1]):
            path[index].join(path[index + 1])
