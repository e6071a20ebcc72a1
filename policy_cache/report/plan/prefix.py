"""A prompt's prefix as it is sent: its parts with their sizes, and the breakpoints between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from policy_cache.engine.changes import edited
from policy_cache.request.blocks import ABSENT, MESSAGES, SYSTEM, TOOLS, Block, value_of, walk
from policy_cache.request.prompt import Prompt
from policy_cache.request.tokens import CHARS_PER_TOKEN, chars
from policy_cache.text.amounts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.plan import Plan
    from policy_cache.request.blocks import BlockRules
    from policy_cache.request.location import Location


@dataclass(frozen=True, slots=True)
class PrefixEnd:
    """A breakpoint, and the prefix that it ends.

    Attributes:
        breakpoint: The breakpoint.
        tokens: The estimated size of the prefix.
    """

    breakpoint: Breakpoint
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
        pieces: Its parts, and between them its breakpoints, in prefix order.
    """

    tokens: int
    pieces: tuple[Part | PrefixEnd, ...]

    @property
    def ends(self) -> list[PrefixEnd]:
        """The breakpoints alone."""
        return [piece for piece in self.pieces if isinstance(piece, PrefixEnd)]


def draw(plan: Plan) -> Drawing:
    """Draw the prefix of the request that a plan sends, or would send if it did not only observe.

    Raises:
        RequestError: A part of it is cyclic, or too large to be measured.
    """
    sent = plan.request if plan.changed else edited(plan.original, plan.edits)
    prompt = Prompt(sent, plan.route.shape)
    blocks = [(block, _size(prompt, block)) for block in walk(prompt, plan.route.blocks)]
    ends = {block.location: number for number, (block, _) in enumerate(blocks, 1)}
    # Markers on one block share a slot, and so do those of a run, which act together.
    slots = {point.slot: point for point in plan.intended if point.block is not None}
    pieces: list[Part | PrefixEnd] = []
    start, total = 0, 0
    for point in slots.values():
        assert point.block is not None
        end = ends[point.block]
        pieces += _parts(blocks, start, end)
        total += sum(size for _, size in blocks[start:end])
        pieces.append(PrefixEnd(point, round(total / CHARS_PER_TOKEN)))
        start = max(start, end)
    pieces += _parts(blocks, start, len(blocks))
    return Drawing(round(sum(size for _, size in blocks) / CHARS_PER_TOKEN), tuple(pieces))


def size_up_to(prompt: Prompt, rules: BlockRules, location: Location) -> int | None:
    """The estimated tokens of the prefix that ends with a location; None for one outside the prompt."""
    total, size = None, 0
    for block in walk(prompt, rules):
        size += _size(prompt, block)
        if overlaps(block.location, location):
            total = size
    return None if total is None else round(total / CHARS_PER_TOKEN)


def overlaps(one: Location, other: Location) -> bool:
    """Whether a location is another, lies in it, or holds it."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _size(prompt: Prompt, block: Block) -> int:
    """Characters; a text weighs the same as the block that it becomes, and what is absent nothing."""
    return 0 if block.kind in ABSENT else chars(value_of(prompt, block), plain=True)


def _parts(blocks: Sequence[tuple[Block, int]], start: int, end: int) -> Iterator[Part]:
    for section, group in groupby(blocks[start:end], key=lambda pair: pair[0].order[0]):
        pairs = list(group)
        found = [block for block, _ in pairs]
        tokens = round(sum(size for _, size in pairs) / CHARS_PER_TOKEN)
        yield Part(_name(blocks, section, found), found[0].location, found[-1].location, tokens)


def _name(blocks: Sequence[tuple[Block, int]], section: int, found: Sequence[Block]) -> str:
    first, last = found[0].order[1], found[-1].order[1]
    if section == TOOLS:
        return counted(len(found), "tool")
    if section == MESSAGES and first != last:
        return f"messages {first} to {last}"
    whole = [block for block, _ in blocks if block.order[:2] == found[-1].order[:2]]
    name = f"message {first}" if section == MESSAGES else "system prompt"
    several = (
        section == SYSTEM and len({block.order[1] for block, _ in blocks if block.order[0] == SYSTEM}) > 1
    )
    return name if len(found) == len(whole) or several else f"{name}, {len(found)} of {len(whole)} blocks"
