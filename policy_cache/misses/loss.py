"""Which stretches of a prompt could have been read from what the request before it left, and were not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.misses.difference import change, common_blocks
from policy_cache.misses.shortfall import shortfall
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.misses.difference import Sent
    from policy_cache.misses.miss import Cause
    from policy_cache.misses.shortfall import Turn
    from policy_cache.providers.resolve import Route
    from policy_cache.request.location import Location


class Request(NamedTuple):
    """What is known of a request.

    Attributes:
        route: Where it went.
        sent: What was sent.
        turn: What it did to the cache; None where that is not modelled.
    """

    route: Route
    sent: Sent
    turn: Turn | None

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
        said: The cause in words.
    """

    end: int
    cause: Cause
    location: Location
    said: str


def losses(before: Request, after: Request, turn: Turn, hit: int) -> Iterator[Loss]:
    """The stretches that a request did not read, in the order of the prompt.

    Args:
        before: The request before.
        after: The request.
        turn: Its turn.
        hit: The last block that it read; -1 where it read none.
    """
    common = common_blocks(before.sent.prompt, after.sent.prompt)
    if hit >= common:
        return  # it goes on from another request, and read what that one left
    blocks, ends = turn.prompt.blocks, turn.prompt.prefix.ends
    reach = next((index for index in reversed(range(common)) if blocks[index].cacheable), -1)
    entries = before.turn.entries if before.turn is not None else ()
    left = max((e for e in entries if hit < e.index < common), key=lambda e: e.index, default=None)
    known = hit
    if before.turn is None:
        if hit < reach and ends[reach] >= after.route.minimum:
            yield Loss(ends[reach], "model_switched", ("model",), _switch(before, after))
            known = reach
    elif left is not None:
        cause, said = shortfall(before.turn, turn, left)
        location = blocks[left.index].location
        if cause == "unexplained" and before.name != after.name:
            cause, location, said = "model_switched", ("model",), _switch(before, after)
        yield Loss(ends[left.index], cause, location, said)
        known = left.index
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
    blocks, ends = turn.prompt.blocks, turn.prompt.prefix.ends
    minimum = after.route.minimum
    said = ""
    if ends[reach] < minimum:
        said = f"the {ends[reach]:,} tokens up to here are below the model's minimum of {minimum:,}"
    elif before.turn is not None:
        there = [i for i in range(known + 1, reach + 1) if before.turn.prompt.blocks[i].ttl]
        if there:
            short = f"{ends[there[-1]]:,} tokens, below the model's minimum of {minimum:,}"
            said = f"the request before had its last breakpoint up to here at {short}"
    if said:
        return Loss(ends[reach], "below_minimum", blocks[reach].location, said)
    said = (
        f"the request before had no breakpoint {'up to' if known < 0 else 'between what was read and'} here"
    )
    return Loss(ends[reach], "no_breakpoint", blocks[reach].location, said)


def _changed(before: Request, after: Request, turn: Turn, common: int) -> Loss | None:
    """What the request before left behind the first change."""
    if before.turn is None:
        return None
    behind = [entry for entry in before.turn.entries if entry.index >= common]
    ends = turn.prompt.prefix.ends
    if not behind or not ends:
        return None
    start = ends[common - 1] if common else 0
    if common == len(ends):
        last = turn.prompt.blocks[-1].location
        return Loss(start, "conversation_cut", last, "is where the conversation was cut back")
    found = change(before.sent, after.sent, common)
    deepest = max(behind, key=lambda entry: entry.index)
    were = before.turn.prompt.prefix.ends
    lost = were[deepest.index] - (were[common - 1] if common else 0)
    expired = turn.at - before.turn.at >= before.turn.rules.seconds(deepest.ttl)
    said = found.said + ("; what followed had expired as well" if expired else "")
    return Loss(min(start + lost, ends[-1]), found.cause, found.location, said)
