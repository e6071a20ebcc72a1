"""The prefix up to a block: where the nearest marker can stand, and how large it is."""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from policy_cache.request.blocks import (
    ABSENT,
    END,
    SYSTEM,
    TOOLS,
    Block,
    BlockRules,
    Order,
    message_blocks,
    system_blocks,
    tool_block,
    value_of,
    walk,
)
from policy_cache.request.tokens import DENSEST_CHARS_PER_TOKEN, chars

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from policy_cache.request.prompt import Prompt

EVERYTHING: Order = (END, END, END, END)

_order_of = itemgetter(1)


class Prefix:
    """The prefix of one request on one route, read from the end and only as far as needed."""

    __slots__ = (
        "_known_large",
        "_made",
        "_minimum",
        "_nearest",
        "_nearest_tool",
        "_threshold",
        "prompt",
        "rules",
    )

    def __init__(self, prompt: Prompt, rules: BlockRules, minimum: int) -> None:
        self.prompt = prompt
        self.rules = rules
        self._minimum = minimum
        self._known_large = EVERYTHING
        self._threshold: Order | None = None
        self._made: dict[int, Sequence[Block]] = {}
        self._nearest: dict[int, Block | None] = {}
        self._nearest_tool: dict[int, Block | None] = {}

    def settle(self, order: Order) -> Block | None:
        """The last markable block at or before a place in the prefix."""
        section, element, part, _ = order
        if section == TOOLS:
            return self._tool_at_or_before(element)
        prompt = self.prompt
        last = prompt.leading - 1 if section == SYSTEM else len(prompt.messages) - 1
        start = min(last, element)
        if start == element and part < END:
            blocks = self._blocks(element)
            for place in range(bisect_right(blocks, order, key=_order_of) - 1, -1, -1):
                if blocks[place].markable:
                    return blocks[place]
            start -= 1
        elif section == SYSTEM and prompt.leading == 0:
            return self._before_messages(order)
        return _at_or_before(self._nearest, start, self._last_in_message)

    def _last_in_message(self, index: int) -> Block | None:
        """The last markable block of one message; -1 is what stands before all of them."""
        if index < 0:
            return self._before_messages(EVERYTHING)
        for block in reversed(self._blocks(index)):
            if block.markable:
                return block
        return None

    def _before_messages(self, order: Order) -> Block | None:
        if self.prompt.leading == 0:
            for block in reversed(self._blocks(-1)):
                if block.markable and block.order <= order:
                    return block
        return self._tool_at_or_before(len(self.prompt.tools) - 1)

    def _tool_at_or_before(self, index: int) -> Block | None:
        return _at_or_before(self._nearest_tool, min(index, len(self.prompt.tools) - 1), self._tool)

    def _tool(self, index: int) -> Block | None:
        """A tool, if it can carry a marker; nothing stands before the first."""
        block = tool_block(self.prompt, self.rules, index) if index >= 0 else None
        return block if block is not None and block.markable else None

    def _blocks(self, index: int) -> Sequence[Block]:
        """The blocks of a message, made once; -1 is the top-level system prompt."""
        blocks = self._made.get(index)
        if blocks is None:
            prompt, rules = self.prompt, self.rules
            blocks = message_blocks(prompt, rules, index) if index >= 0 else system_blocks(prompt, rules)
            self._made[index] = blocks
        return blocks

    def reaches(self, order: Order) -> bool:
        """Whether the prefix up to a block may have the route's minimum of tokens; False only when it cannot.

        The prefix is measured once.
        """
        if order >= self._known_large:
            return True
        if self._threshold is None:
            if described(self.prompt, order, self._minimum):
                self._known_large = order
                return True
            self._threshold = self._known_large = threshold(self.prompt, self.rules, self._minimum)
        return order >= self._threshold

    def is_small(self, order: Order) -> bool:
        """Whether the prefix up to a place is known to be below the minimum; nothing is measured."""
        return self._threshold is not None and order < self._threshold


def last_effective(prompt: Prompt, rules: BlockRules) -> Block | None:
    """The last block of the prompt on which a marker takes effect: there, one on the request itself does."""
    elements: Iterator[Sequence[Block]] = chain(
        (message_blocks(prompt, rules, index) for index in reversed(range(len(prompt.messages)))),
        (system_blocks(prompt, rules) for _ in (None,)),
        ([tool_block(prompt, rules, index)] for index in reversed(range(len(prompt.tools)))),
    )
    return next((block for blocks in elements for block in reversed(blocks) if block.effective), None)


def _at_or_before(
    known: dict[int, Block | None], start: int, look: Callable[[int], Block | None]
) -> Block | None:
    """The nearest block that `look` finds at an index or before it; each index is looked at once."""
    index = start
    while index not in known:
        block = look(index)
        if block is not None or index < 0:
            known[index] = block
            break
        index -= 1
    nearest = known[index]
    for passed in range(index + 1, start + 1):
        known[passed] = nearest
    return nearest


def threshold(prompt: Prompt, rules: BlockRules, minimum: int) -> Order:
    """The first block whose prefix may have a number of tokens; `EVERYTHING` where none has."""
    missing = int(minimum * DENSEST_CHARS_PER_TOKEN)
    if missing <= 0:
        return (TOOLS, 0, 0, 0)
    if _is_short_talk(prompt, missing):
        return EVERYTHING
    for block in walk(prompt, rules):
        if block.kind in ABSENT:
            continue
        missing -= chars(value_of(prompt, block), enough=missing)
        if missing <= 0:
            return block.order
    return EVERYTHING


def _is_short_talk(prompt: Prompt, most: int) -> bool:
    """Whether it is nothing but texts of fewer characters together; then no block is made of them."""
    if prompt.tools or prompt.rich or prompt.area != "messages" or prompt.system is not None:
        return False
    for message in prompt.messages:
        if message.get("tool_calls"):
            return False
        text: Any = message["content"]
        most -= len(text) if text.isascii() else 2 * len(text)
        if most <= 0:
            return False
    return True


def described(prompt: Prompt, order: Order, minimum: int) -> bool:
    """Whether the descriptions of the tools up to a block alone have a number of tokens.

    They usually do, and then no schema is read.
    """
    missing = int(minimum * DENSEST_CHARS_PER_TOKEN)
    left = order[1] + 1 if order[0] == TOOLS else len(prompt.tools)
    tools: Sequence[Any] = prompt.tools
    try:
        for tool in tools[:left]:
            function = tool["function"]
            if "defer_loading" in tool or "defer_loading" in function:
                return False
            missing -= len(function["description"])
            if missing <= 0:
                return True
    except (AttributeError, KeyError, TypeError):
        pass
    return False
