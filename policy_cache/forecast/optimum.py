"""The least that any placement of breakpoints and lifetimes could cost, in hindsight.

A lower bound. A prompt's tokens are each billed once, so its cost is a sum over blocks, and each block
is given the cheapest history that the cache allows it. For a block (a prefix, by its digest) only the
requests that contain it matter, since no other reads, writes or refreshes an entry that covers it:

- It is read while a live entry covers it, and is then covered for no longer than before: what was
  read from an entry for five minutes lives for five minutes.
- Otherwise it is billed plainly, and nothing new covers it; or written, and covered for that long.
- An entry that covers it lives, at most, its lifetime from the last request that contains the block.

Reading a block whenever it is live is never worse: nothing is cheaper, and it stays covered. So a few
costs tell all about its past: the least so far, and the least that leaves it covered for five minutes,
and for an hour.

Blocks depend on each other in one way that is counted: an entry for an hour covers all the blocks before
it, and what is read from one for five minutes never becomes one. So whoever wants an hour behind a shared
prefix pays for an hour of the prefix, once until all that covers it has expired; or nothing behind it is
ever written for an hour. What is left out only ever adds cost: that a shared prefix may have to be written
for an hour again, that breakpoints are few, that an entry is readable once its reply has begun, and is
found within the lookback.

It is attained by a conversation that only grows: the older a block, the longer it pays to keep, so the
best for each block is also one for all of them. Where conversations branch it can be out of reach.

With pings, an entry may also be read between requests, for nothing but the price of reading it, as often
as it takes to outlive a pause: a pause of 11 minutes takes two for an entry of five minutes.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.providers.cache_rules import ExplicitRules
    from policy_cache.providers.prices import Prices

_MILLION = Decimal(1_000_000)
_NEVER = Decimal("Infinity")
_FREE = Decimal(0)


class _Rates(NamedTuple):
    """What a million tokens cost."""

    plain: Decimal
    read: Decimal
    write_5m: Decimal
    write_1h: Decimal


@dataclass(slots=True)
class _Run:
    """Blocks in a row that the same requests contain, as far as costs can tell.

    Costs are those of a million tokens of it, above the least that five minutes alone have cost.

    Attributes:
        digests: Of the prefix that ends with each block.
        ends: The tokens of that prefix.
        start: The tokens before the run.
        at: When the last request that contains it started.
        minutes: What covering it for five minutes has cost, and nothing of it for an hour ever.
        once: The least with a write for an hour among it.
        once_minutes: That, and covered for five minutes now.
        hour: That, and covered for an hour now.
        read: The least that reading a million tokens of it has cost.
        saved: What hours have saved behind it, where that has ended; never above 0.
        runs: Those that follow it, by their first digest.
    """

    digests: list[bytes]
    ends: list[int]
    start: int
    at: float = float("-inf")
    minutes: Decimal = _NEVER
    once: Decimal = _NEVER
    once_minutes: Decimal = _NEVER
    hour: Decimal = _NEVER
    read: Decimal = _NEVER
    saved: Decimal = Decimal(0)
    runs: dict[bytes, _Run] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Its tokens."""
        return self.ends[-1] - self.start

    def touch(self, at: float, rates: _Rates, rules: ExplicitRules, *, pings: bool) -> Decimal:
        """A request contains it: what that adds to the least cost of the whole run, without hours."""
        short = rates.read + self._renewed(at - self.at, rules.short, pings=pings)
        long = rates.read + self._renewed(at - self.at, rules.long, pings=pings)
        minutes = min(rates.write_5m, short + self.minutes)
        hour = min(rates.write_1h + min(Decimal(0), self.once), long + self.hour)
        once_minutes = min(rates.write_5m + self.once, short + self.once_minutes, hour)
        once = min(rates.plain + self.once, once_minutes)
        least = min(rates.plain, minutes)
        self.minutes, self.hour = minutes - least, hour - least
        self.once, self.once_minutes = once - least, once_minutes - least
        self.at, self.read = at, min(self.read, rates.read)
        return least * self.size

    def _renewed(self, gap: float, lifetime: float, *, pings: bool) -> Decimal:
        """What it costs to keep it through a pause: nothing, its pings, or what nobody has."""
        if gap < lifetime:
            return Decimal(0)
        return int(gap // lifetime) * self.read if pings and gap < float("inf") else _NEVER

    def hours(self) -> Decimal:
        """What hours save, it and all that follows it: nothing without one that is paid for the run, too."""
        runs = [self]
        for run in runs:  # which grows meanwhile, by all that follow
            runs.extend(run.runs.values())
        saved: dict[int, Decimal] = {}
        for run in reversed(runs):
            behind = sum((saved[id(after)] for after in run.runs.values()), run.saved)
            saved[id(run)] = min(Decimal(0), run.once * run.size + behind)
        return saved[id(self)]

    def split(self, index: int) -> None:
        """Leave the blocks from here on to a run of their own."""
        rest = _Run(
            self.digests[index:],
            self.ends[index:],
            self.ends[index - 1],
            self.at,
            self.minutes,
            self.once,
            self.once_minutes,
            self.hour,
            self.read,
            self.saved,
            self.runs,
        )
        self.saved = Decimal(0)
        del self.digests[index:], self.ends[index:]
        self.runs = {rest.digests[0]: rest}

    def joins(self, following: _Run) -> bool:
        """Whether the run after it, just touched too, never had another beside it, and has the same costs."""
        return len(self.runs) == 1 and not self.saved and self._costs() == following._costs()

    def _costs(self) -> tuple[Decimal, ...]:
        return self.minutes, self.once, self.once_minutes, self.hour, self.read

    def join(self, following: _Run) -> None:
        """Take in the run after it."""
        self.digests += following.digests
        self.ends += following.ends
        self.saved = following.saved
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
        self._root = _Run([], [], 0)
        self._swept = float("-inf")
        # Decimals hold every sum of prices and tokens exactly, so no rounding lifts the bound.
        self._total: Decimal | None = Decimal(0)

    @property
    def total(self) -> Decimal | None:
        """USD for the prompts so far, unrounded, without their replies; None where a price is unknown."""
        if self._total is None:
            return None
        saved = sum((run.hours() for run in self._root.runs.values()), self._root.saved)
        return (self._total + saved) / _MILLION

    def begin(self, prompt: CachedPrompt, at: float, prices: Prices | None) -> None:
        """Take a prefix as cached before anything was seen, for whatever lifetime is best, at no cost.

        Args:
            prompt: The prefix, as a prompt that ends with it.
            at: When it was found, in seconds.
            prices: The model's prices.
        """
        if prices is not None:
            free = replace(prices, input=_FREE, write_5m=_FREE, write_1h=_FREE, larger=())
            self.add(replace(prompt, tail=0), at, free)

    def add(self, prompt: CachedPrompt, at: float, prices: Prices | None) -> None:
        """Add the next prompt.

        Args:
            prompt: With or without breakpoints; they are not looked at.
            at: When its request started, in seconds; never before the previous one.
            prices: The model's prices, or those for a prompt of its size; None where they are unknown.
        """
        size = prompt.tokens - prompt.tail
        rates = None if prices is None else _rates(prices.for_prompt(size + prompt.tail))
        if rates is None:
            self._total = None
        if rates is None or self._total is None:
            return
        if size < self._rules.minimum:
            self._total += rates.plain * (size + prompt.tail)
            return
        # An entry is worth no more pings than it takes to pay a write.
        kept = self._rules.long * (1 + int(rates.write_1h / rates.read) if self._pings else 1)
        digests, _, ends = prompt.prefix
        path = self._path(digests, [*ends], at - kept)
        self._total += rates.plain * prompt.tail
        for run in path:
            self._total += run.touch(at, rates, self._rules, pings=self._pings)
        _join(path)
        if at - self._swept >= kept:
            self._swept = at
            _forget(self._root, at - kept)

    def _path(self, digests: list[bytes], ends: list[int], since: float) -> list[_Run]:
        """The runs that make up a prompt, split and begun as it takes; of those that have ended, new ones."""
        path: list[_Run] = []
        before, done = self._root, 0
        while done < len(digests):
            run = before.runs.get(digests[done])
            if run is not None and run.at <= since:
                _end(before, digests[done])
                run = None
            if run is None:
                run = _Run(digests[done:], ends[done:], ends[done - 1] if done else 0)
                before.runs[digests[done]] = run
            else:
                common = _common(run.digests, digests, done)
                if common < len(run.digests):
                    run.split(common)
            path.append(run)
            before, done = run, done + len(run.digests)
        return path


def _end(before: _Run, first: bytes) -> None:
    """Forget a run, and all that follows it, but for what hours have saved."""
    before.saved += before.runs.pop(first).hours()


def _forget(root: _Run, since: float) -> None:
    """Forget what is as if new; all that follows a run was last touched no later than the run."""
    open_ = [root]
    while open_:
        before = open_.pop()
        for first, run in list(before.runs.items()):
            if run.at <= since:
                _end(before, first)
            else:
                open_.append(run)


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
