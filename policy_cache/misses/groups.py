"""Misses by their session and cause, with the one change that would have mended those of a group."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.errors import RequestError
from policy_cache.misses.kept import CauseTotal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.cache.prompt import CachedPrompt, Ttl
    from policy_cache.live.engine import Engine
    from policy_cache.misses.causes import Request
    from policy_cache.misses.difference import Cause
    from policy_cache.misses.kept import Miss
    from policy_cache.request.location import Location
    from policy_cache.usage.account import Placed

CLIENT = "(client)"
"""Who placed a marker that no rule did, in the words of a plan."""


class Hour(NamedTuple):
    """What entries for an hour would have done to a session in which entries expired.

    Attributes:
        placers: Whose markers would have asked for them, in prefix order: rules, or who else in parentheses.
        requests: How many of the misses they would have mended.
        saved: What that saves in USD, less what the session's other writes cost more; None where a price is
            unknown.
    """

    placers: tuple[str, ...]
    requests: int
    saved: Decimal | None


@dataclass(frozen=True, slots=True)
class MissGroup:
    """The misses of one session for one cause.

    Attributes:
        first: The first of them.
        requests: How many requests there are.
        tokens: The tokens that were not read.
        cost: What these cost beyond the price of reading them, in USD; None where a price is unknown.
        helpless: Whether no marker could have helped the first, though one helps against most of that cause.
        hour: What an hour would have done; None where it would have mended none.
    """

    first: Miss
    requests: int
    tokens: int
    cost: Decimal | None
    helpless: bool
    hour: Hour | None


@dataclass(slots=True, eq=False)
class Writes:
    """What a session wrote for five minutes.

    Attributes:
        dearer: What that would cost more for an hour, but for what would be read then, in USD; None where a
            price is unknown.
    """

    dearer: Decimal | None = Decimal(0)


@dataclass(slots=True, eq=False)
class Session:
    """What is remembered of a session.

    Attributes:
        last: Its last request.
        writes: What it wrote.
        sums: What it missed, by cause.
    """

    last: Request
    writes: Writes = field(default_factory=Writes)
    sums: dict[Cause, _Sum] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Sum:
    """The misses of a group so far; `mended`, those that an hour would have mended.

    It has no session, which has a whole prompt: groups are kept when their sessions are forgotten.
    """

    number: int
    writes: Writes
    first: Miss
    helpless: bool
    total: CauseTotal = field(default_factory=CauseTotal)
    mended: CauseTotal = field(default_factory=CauseTotal)
    placers: dict[str, None] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[Decimal, int, int]:
        """The dearest first, those of unknown cost by their tokens."""
        return -(self.total.cost or Decimal(0)), -self.total.tokens, self.number

    def value(self) -> MissGroup:
        total, mended, dearer = self.total, self.mended, self.writes.dearer
        saved = None if mended.cost is None or dearer is None else mended.cost - dearer
        hour = Hour(tuple(self.placers), mended.requests, saved) if mended.requests else None
        return MissGroup(self.first, total.requests, total.tokens, total.cost, self.helpless, hour)


class Groups:
    """The groups of a trace, of which the dearest of each cause are kept.

    A group that was let go of is taken back with its next miss, since its session still has its sum: those
    that are kept in the end are the dearest.

    Attributes:
        number: How many groups there are in all.
    """

    def __init__(self, most: int) -> None:
        """Keep at least so many of each cause, and at most twice as many."""
        self.number = 0
        self._most = most
        self._kept: dict[Cause, dict[int, _Sum]] = {}

    def add(self, session: Session, miss: Miss, *, helpless: bool, placers: Iterable[str] | None) -> None:
        """Take a miss of a session; `placers` are those whose markers would have had to ask for an hour."""
        known = session.sums.get(miss.cause)
        if known is None:
            self.number += 1
            known = session.sums[miss.cause] = _Sum(self.number, session.writes, miss, helpless)
        known.total.add(miss)
        if placers is not None:
            known.mended.add(miss)
            known.placers.update(dict.fromkeys(placers))
        kept = self._kept.setdefault(miss.cause, {})
        kept[known.number] = known
        if len(kept) > 2 * self._most:
            dearest = sorted(kept.values(), key=lambda one: one.rank)[: self._most]
            self._kept[miss.cause] = {one.number: one for one in dearest}

    @property
    def dearest(self) -> tuple[MissGroup, ...]:
        """The groups that are kept, the dearest first."""
        sums = [one for kept in self._kept.values() for one in kept.values()]
        return tuple(one.value() for one in sorted(sums, key=lambda one: one.rank))


def placers_of(engine: Engine | None, request: Request, block: int) -> tuple[str, ...]:
    """Whose markers for five minutes a request has up to an entry, that which left the entry the last.

    All of them would have to ask for an hour: no marker for an hour may follow one for less.

    Args:
        engine: The policy; None where markers are those of the request, or those that were recorded of it.
        request: The request, of which a turn is known.
        block: The block that the entry ends with.
    """
    assert request.turn is not None
    if engine is not None:
        try:
            points = [(point.block, point.placer) for point in engine.plan(request.given).breakpoints]
        except RequestError:
            return (CLIENT,)  # it was sent as it came
    elif request.placed is not None:
        points = [(one.at, one.placer) for one in request.placed]
    else:
        return (CLIENT,)
    prompt = request.turn.prompt
    left = min((index for index in prompt.breakpoints if index >= block), default=block)
    found: dict[str, None] = {}
    for at, placer in points:
        index = None if at is None else _index(prompt, at)
        if index is not None and index <= left and prompt.breakpoints.get(index) == "5m":
            found[placer] = None
    return tuple(found)


def with_placed(prompt: CachedPrompt, placed: Iterable[Placed]) -> CachedPrompt:
    """A prompt with the breakpoints that were recorded of it."""
    found: dict[int, Ttl] = {}
    for one in placed:
        if (index := _index(prompt, one.at)) is not None:
            found[index] = "1h" if one.ttl == "1h" else "5m"
    return prompt.mark(found)


def _index(prompt: CachedPrompt, block: Location) -> int | None:
    """A block's place in a prompt; a text that was marked is a list of one block by then."""
    return prompt.places.get(block, prompt.places.get(block[:-1]))
