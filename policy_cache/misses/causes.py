"""Why stretches of a prompt, which the request before it left in the cache, were not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.misses.difference import change_at, common_blocks
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.cache.explicit import CachePlan, EntryRef
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.misses.difference import Cause, Sent
    from policy_cache.providers.cache_rules import ExplicitRules
    from policy_cache.providers.resolve import Route
    from policy_cache.request.location import Location
    from policy_cache.usage.account import Placed


class Turn(NamedTuple):
    """A prompt with its breakpoints, and what it does to the cache.

    Attributes:
        prompt: The prompt.
        plan: Its plan.
        at: When its request started.
        available: When its reply began.
        rules: How the entries of its route live, and are found.
    """

    prompt: CachedPrompt
    plan: CachePlan
    at: float
    available: float
    rules: ExplicitRules

    @property
    def entries(self) -> tuple[EntryRef, ...]:
        """The entries that it read or wrote."""
        return (*self.plan.reads, *self.plan.writes)


class Request(NamedTuple):
    """What is known of a request.

    Attributes:
        route: Where it went.
        given: What the router was given.
        sent: What was sent.
        turn: What it did to the cache; None where that is not modelled.
        placed: The breakpoints that were recorded of it; None where none were, or where they do not count.
    """

    route: Route
    given: dict[str, Any]
    sent: Sent
    turn: Turn | None
    placed: tuple[Placed, ...] | None = None

    @property
    def name(self) -> str:
        """The model's name, with its provider."""
        return self.route.qualified


class Loss(NamedTuple):
    """A stretch that was not read. It begins where the one before it ends, the first one where the read ends.

    Attributes:
        end: Where it ends, in the prompt's tokens.
        cause: Why it was not read.
        location: What changed, or the block that it ends with.
        words: The cause in words.
        helpless: Whether no marker could have helped, though one helps against most of that cause.
        outlived: The block of an entry that has expired, and that one for an hour would have outlived.
    """

    end: int
    cause: Cause
    location: Location
    words: str
    helpless: bool = False
    outlived: int | None = None


class _Shortfall(NamedTuple):
    """Why an entry was not read; `hour` says whether one for an hour would have been."""

    cause: Cause
    words: str
    hour: bool = False


def losses(before: Request, after: Request, hit: int) -> Iterator[Loss]:
    """The stretches that a request did not read, in the order of the prompt.

    Args:
        before: The request before.
        after: The request, of which a turn is known.
        hit: The last block that it read; -1 where it read none.
    """
    turn = after.turn
    assert turn is not None
    common = common_blocks(before.sent.prompt, after.sent.prompt)
    if hit >= common:
        return  # it goes on from another request, and read what that one left
    blocks, ends = turn.prompt.blocks, turn.prompt.ends
    reach = next((index for index in reversed(range(common)) if blocks[index].cacheable), -1)
    entries = before.turn.entries if before.turn is not None else ()
    left = max(
        (entry for entry in entries if hit < entry.block < common),
        key=lambda entry: entry.block,
        default=None,
    )
    known = hit
    if before.turn is None:
        if hit < reach and ends[reach] >= after.route.minimum:
            yield Loss(ends[reach], "model_switched", ("model",), _switch(before, after))
            known = reach
    elif left is not None:
        short = _shortfall(before, before.turn, after, turn, left)
        if short.cause == "unexplained" and before.name != after.name:
            yield Loss(ends[left.block], "model_switched", ("model",), _switch(before, after))
        else:
            outlived = left.block if short.hour else None
            location = blocks[left.block].location
            yield Loss(ends[left.block], short.cause, location, short.words, outlived=outlived)
        known = left.block
    changed = _changed(before, after, turn, common)
    # Where a change leaves too little to cache, or the conversation ends, no breakpoint would have helped.
    helpless = changed is not None and (
        changed.cause == "conversation_cut" or ends[reach] < after.route.minimum
    )
    if known < reach and not helpless:
        yield _uncovered(before, after, turn, known, reach)
    if changed is not None:
        yield changed


def _switch(before: Request, after: Request) -> str:
    return f"changed from {word(before.name)} to {word(after.name)}"


def _uncovered(before: Request, after: Request, turn: Turn, known: int, reach: int) -> Loss:
    """What both requests have, and the one before left no entry of."""
    blocks, ends = turn.prompt.blocks, turn.prompt.ends
    minimum = after.route.minimum
    words, small = "", ends[reach] < minimum
    if small:
        words = f"the {ends[reach]:,} tokens up to here are below the model's minimum of {minimum:,}"
    elif before.turn is not None:
        marked = [i for i in before.turn.prompt.breakpoints if known < i <= reach]
        if marked:
            short = f"{ends[marked[-1]]:,} tokens, below the model's minimum of {minimum:,}"
            words = f"the request before had its last breakpoint up to here at {short}"
    if words:
        return Loss(ends[reach], "below_minimum", blocks[reach].location, words, helpless=small)
    words = (
        f"the request before had no breakpoint {'up to' if known < 0 else 'between what was read and'} here"
    )
    return Loss(ends[reach], "no_breakpoint", blocks[reach].location, words)


def _changed(before: Request, after: Request, turn: Turn, common: int) -> Loss | None:
    """What the request before left behind the first change."""
    if before.turn is None:
        return None
    behind = [entry for entry in before.turn.entries if entry.block >= common]
    ends = turn.prompt.ends
    if not behind or not ends:
        return None
    start = ends[common - 1] if common else 0
    if common == len(ends):
        last = turn.prompt.blocks[-1].location
        return Loss(start, "conversation_cut", last, "is where the conversation was cut back")
    change = change_at(before.sent, after.sent, common)
    deepest = max(behind, key=lambda entry: entry.block)
    were = before.turn.prompt.ends
    lost = were[deepest.block] - (were[common - 1] if common else 0)
    expired = turn.at - before.turn.at >= before.turn.rules.seconds(deepest.ttl)
    words = change.words + ("; what followed had expired as well" if expired else "")
    return Loss(min(start + lost, ends[-1]), change.cause, change.location, words)


def _shortfall(earlier: Request, before: Turn, later: Request, after: Turn, entry: EntryRef) -> _Shortfall:
    """Why a prompt that begins with an entry of the request before did not read it."""
    positions = after.prompt.prefix.positions
    behind = [index for index in after.prompt.breakpoints if index >= entry.block]
    if not behind:
        return _Shortfall("no_breakpoint", "this request has none at or behind the entry that ends here")
    away = min(positions[index] for index in behind) - positions[entry.block]
    found = away < after.rules.lookback
    unready = entry in before.plan.writes and after.at < before.available
    late = after.at - before.at - before.rules.seconds(entry.ttl)
    if late >= 0:
        # Its cache is another one where the model was switched, whatever lives there.
        takes = earlier.name == later.name and "1h" in earlier.route.ttls
        hour = takes and after.at - before.at < before.rules.long and found and not unready
        words = f"the {entry.ttl} entry that ends here had expired {late:,.0f} s before"
        return _Shortfall("expired", words + ("; 1h would have kept it" if hour else ""), hour)
    if not found:
        return _Shortfall(
            "lookback",
            f"the entry that ends here is {away} positions before the next breakpoint, "
            f"which looks back {after.rules.lookback - 1}",
        )
    if unready:
        wait = before.available - after.at
        return _Shortfall("not_readable_yet", f"the entry that ends here became readable {wait:,.1f} s later")
    if entry in before.plan.reads and not before.rules.prolonged:
        words = f"the {entry.ttl} entry that ends here had expired: a read does not prolong it"
        return _Shortfall("expired", words)
    return _Shortfall(
        "unexplained", "the entry that ends here should have been read; it was evicted, or is somewhere else"
    )
