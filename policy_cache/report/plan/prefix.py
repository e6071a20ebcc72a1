"""A prompt's prefix as it is sent: its parts with their sizes, and the breakpoints between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from policy_cache.engine.changes import edited
from policy_cache.engine.reasons import ACTED
from policy_cache.request.blocks import (
    MESSAGES,
    REQUEST,
    SYSTEM,
    TOOLS,
    Block,
    message_blocks,
    system_blocks,
    tool_block,
)
from policy_cache.request.location import fields_of, value_at
from policy_cache.request.prompt import Prompt
from policy_cache.request.tokens import CHARS_PER_TOKEN, chars

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.engine.changes import Source
    from policy_cache.engine.plan import Plan
    from policy_cache.request.blocks import BlockRules
    from policy_cache.request.location import Location
    from policy_cache.request.markers import ClientMarker


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A breakpoint in the request that is sent.

    Attributes:
        at: What carries the marker there: a text that was marked has become a list of one block.
        ttl: Its lifetime; a bare marker counts as `5m`.
        source: Who placed it; None for the client.
        slot: Which of the route's breakpoints it is, from 1, in prefix order.
        tokens: The estimated size of the prefix that it ends.
    """

    at: Location
    ttl: str
    source: Source | None
    slot: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Part:
    """What lies between two breakpoints.

    Attributes:
        name: What it is: `3 tools`, `system prompt`, `messages 1 to 3`.
        first: Its first block.
        last: Its last block.
        tokens: Its estimated size.
    """

    name: str
    first: Location
    last: Location
    tokens: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """The prefix as it is sent.

    Attributes:
        tokens: The estimated size of the whole prompt.
        pieces: Its parts and breakpoints, in prefix order.
    """

    tokens: int
    pieces: tuple[Part | Breakpoint, ...]

    @property
    def breakpoints(self) -> list[Breakpoint]:
        """The breakpoints alone."""
        return [piece for piece in self.pieces if isinstance(piece, Breakpoint)]


def draw(plan: Plan) -> Drawing:
    """Draw the prefix of the request that a plan sends, or would send if it did not only observe.

    Raises:
        RequestError: A part of it is cyclic, or too large to be measured.
    """
    sent = plan.request if plan.changed else edited(plan.original, plan.edits)
    prompt = Prompt(sent, plan.route.shape)
    blocks = [(block, _size(prompt, block)) for block in prompt_blocks(prompt, plan.route.blocks)]
    markers = sorted(
        (one for one in plan.route.markers_of(prompt) if one.block is not None), key=lambda one: one.order
    )
    if plan.route.run:  # the markers of a run act together
        markers = markers[-1:]
    sources = dict(_sources(plan))
    pieces: list[Part | Breakpoint] = []
    start, total = 0, 0
    for slot, marker in enumerate(markers, 1):
        end = _end(blocks, marker)
        pieces += _parts(prompt, blocks, start, end)
        total += sum(size for _, size in blocks[start:end])
        tokens = round(total / CHARS_PER_TOKEN)
        pieces.append(Breakpoint(marker.holder, marker.ttl, sources.get(marker.holder), slot, tokens))
        start = max(start, end)
    pieces += _parts(prompt, blocks, start, len(blocks))
    return Drawing(round(sum(size for _, size in blocks) / CHARS_PER_TOKEN), tuple(pieces))


def prompt_blocks(prompt: Prompt, rules: BlockRules) -> Iterator[Block]:
    """Every block of a prompt, in prefix order."""
    for index in range(len(prompt.tools)):
        yield tool_block(prompt, rules, index)
    if prompt.leading == 0:
        yield from system_blocks(prompt, rules)
    for index in range(len(prompt.messages)):
        yield from message_blocks(prompt, rules, index)


def size_up_to(prompt: Prompt, rules: BlockRules, location: Location) -> int | None:
    """The estimated tokens of the prefix that ends with a location; None for one outside the prompt."""
    total, size = None, 0
    for block in prompt_blocks(prompt, rules):
        size += _size(prompt, block)
        if overlaps(block.location, location):
            total = size
    return None if total is None else round(total / CHARS_PER_TOKEN)


def overlaps(one: Location, other: Location) -> bool:
    """Whether a location is another, lies in it, or holds it."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _size(prompt: Prompt, block: Block) -> int:
    value = value_at(prompt.request, block.location)
    if len(block.location) == 2 and block.location[0] == "messages":  # a result, which carries its marker
        value = (fields_of(value) or {}).get("content")
    return chars(value, plain=True)  # a text weighs the same as the block that it becomes


def _end(blocks: Sequence[tuple[Block, int]], marker: ClientMarker) -> int:
    """How many blocks a marker ends; a result that is one block counts whole."""
    if marker.order[0] == REQUEST:
        return len(blocks)
    return sum(1 for block, _ in blocks if block.order <= marker.order)


def _parts(prompt: Prompt, blocks: Sequence[tuple[Block, int]], start: int, end: int) -> Iterator[Part]:
    for section, group in groupby(blocks[start:end], key=lambda pair: pair[0].order[0]):
        pairs = list(group)
        found = [block for block, _ in pairs]
        tokens = round(sum(size for _, size in pairs) / CHARS_PER_TOKEN)
        yield Part(_name(prompt, blocks, section, found), found[0].location, found[-1].location, tokens)


def _name(prompt: Prompt, blocks: Sequence[tuple[Block, int]], section: int, found: Sequence[Block]) -> str:
    first, last = found[0].order[1], found[-1].order[1]
    if section == TOOLS:
        return f"{len(found)} tool{'' if len(found) == 1 else 's'}"
    if section == MESSAGES and first != last:
        return f"messages {first} to {last}"
    whole = [block for block, _ in blocks if block.order[:2] == found[-1].order[:2]]
    name = f"message {first}" if section == MESSAGES else "system prompt"
    several = section == SYSTEM and prompt.leading > 1
    return name if len(found) == len(whole) or several else f"{name}, {len(found)} of {len(whole)} blocks"


def _sources(plan: Plan) -> Iterator[tuple[Location, Source]]:
    """The places of the policy's markers in the request that is sent."""
    splits = [edit.location for edit in plan.edits if edit.change == "split"]
    acted = {*ACTED, "observed"}
    placed = [
        (one.at, one.source)
        for one in plan.placements
        if one.reason in acted and one.ttl is not None and one.at is not None
    ]
    # A run has a marker on each message, and one placement.
    for at, source in [
        *placed,
        *((edit.location, edit.source) for edit in plan.edits if edit.change == "mark"),
    ]:
        moved = _behind(at, splits)
        yield moved, source
        yield (*moved, 0), source


def _behind(location: Location, splits: Sequence[Location]) -> Location:
    """A block behind texts of its list that were split has moved by as many places."""
    last = location[-1] if location else ""
    if not isinstance(last, int):
        return location
    before = sum(
        1
        for split in splits
        if split[:-1] == location[:-1] and isinstance(number := split[-1], int) and number < last
    )
    return (*location[:-1], last + before)
