"""The prefix up to a block: where the nearest marker can stand, and how large it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy_cache.request.blocks import (
    END,
    MESSAGES,
    SYSTEM,
    TOOLS,
    Block,
    BlockRules,
    Order,
    message_blocks,
    system_blocks,
    tool_block,
)
from policy_cache.request.tokens import DENSEST_CHARS_PER_TOKEN, chars

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy_cache.request.prompt import Prompt

EVERYTHING: Order = (END, END, END, END)


class Prefix:
    """The prefix of one request on one route, read from the end and only as far as needed."""

    __slots__ = ("_known_large", "_known_small", "_made", "_nearest", "_nearest_tool", "prompt", "rules")

    def __init__(self, prompt: Prompt, rules: BlockRules) -> None:
        self.prompt = prompt
        self.rules = rules
        self._known_large = EVERYTHING
        self._known_small: Order = (-1, 0, 0, 0)
        self._made: dict[int, list[Block]] = {}
        self._nearest: dict[int, Block | None] = {}
        self._nearest_tool: dict[int, Block | None] = {}

    def settle(self, order: Order) -> Block | None:
        """The last markable block at or before a place in the prefix."""
        section, element, part, number = order
        if section == TOOLS:
            return self._tool_at_or_before(element)
        prompt = self.prompt
        last = prompt.leading - 1 if section == SYSTEM else len(prompt.messages) - 1
        start = min(last, element)
        if start == element and part < END:
            blocks = self._blocks(element)
            # The blocks of a content stand at their own numbers, and calls come after them.
            end = number + 1 if part == 0 and number < len(blocks) else len(blocks)
            for place in range(end - 1, -1, -1):
                block = blocks[place]
                if block[2] and block[1] <= order:
                    return block
            start -= 1
        elif section == SYSTEM and prompt.leading == 0:
            return self._before_messages(order)
        return _at_or_before(self._nearest, start, self._last_in_message)

    def _last_in_message(self, index: int) -> Block | None:
        """The last markable block of one message; -1 is what stands before all of them."""
        if index < 0:
            return self._before_messages(EVERYTHING)
        for block in reversed(self._blocks(index)):
            if block[2]:
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
        return block if block is not None and block[2] else None

    def _blocks(self, index: int) -> list[Block]:
        """The blocks of a message, made once; -1 is the top-level system prompt."""
        blocks = self._made.get(index)
        if blocks is None:
            prompt, rules = self.prompt, self.rules
            blocks = message_blocks(prompt, rules, index) if index >= 0 else system_blocks(prompt, rules)
            self._made[index] = blocks
        return blocks

    def last(self) -> Block | None:
        """The last markable block of the prompt: where a marker on the request itself takes effect."""
        return self.settle(EVERYTHING)

    def reaches(self, order: Order, minimum: int) -> bool:
        """Whether the prefix up to a block may have a number of tokens; False only when it cannot."""
        if order >= self._known_large:
            return True
        if order <= self._known_small:
            return False
        if reaches(self.prompt, order, minimum):
            self._known_large = order
            return True
        self._known_small = order
        return False


def _at_or_before(
    known: dict[int, Block | None], start: int, look: Callable[[int], Block | None]
) -> Block | None:
    """The nearest block that `look` finds at an index or before it; each index is looked at once."""
    index = start
    while index not in known:
        found = look(index)
        if found is not None or index < 0:
            known[index] = found
            break
        index -= 1
    nearest = known[index]
    for passed in range(index + 1, start + 1):
        known[passed] = nearest
    return nearest


def reaches(prompt: Prompt, order: Order, minimum: int) -> bool:
    """Whether the prefix up to a block may have a number of tokens; False only when it cannot."""
    enough = int(minimum * DENSEST_CHARS_PER_TOKEN)
    if order[0] == TOOLS and _descriptions(prompt.tools, order[1] + 1, enough):
        return True
    return _chars(prompt, order, enough) >= enough


def _chars(prompt: Prompt, order: Order, enough: int) -> int:
    """Count the prefix's characters until there are enough, cheapest parts first."""
    total = 0
    section, element, part, number = order
    if section >= SYSTEM:
        if prompt.leading == 0:
            total = chars(prompt.system, enough=enough) if prompt.system is not None else 0
        elif section == SYSTEM:
            total = _messages_chars(prompt, 0, element, number, enough)
        else:
            total = _messages_chars(prompt, 0, prompt.leading - 1, END, enough)
    if section >= MESSAGES and total < enough:
        last = len(prompt.messages) - 1 if section > MESSAGES else element
        upto = END if part or section > MESSAGES else number
        total += _messages_chars(prompt, prompt.leading, last, upto, enough - total)
    if total < enough and prompt.tools:
        tools = prompt.tools[: element + 1] if section == TOOLS else prompt.tools
        total += chars(tools, enough=enough - total)
    return total


def _messages_chars(prompt: Prompt, first: int, last: int, upto: int, enough: int) -> int:
    total = 0
    for index in range(first, last + 1):
        message = prompt.messages[index]
        content = message.get("content")
        if index == last and isinstance(content, (list, tuple)) and upto < END:
            content = content[: upto + 1]
        total += chars(content, enough=enough - total)
        if message.get("tool_calls"):
            total += chars(message["tool_calls"], enough=enough - total)
        if total >= enough:
            break
    return total


def _descriptions(tools: Sequence[Any], upto: int, enough: int) -> bool:
    """Whether the tools' descriptions alone suffice; they nearly always do, and schemas go unread."""
    try:
        for tool in tools:
            enough -= len(tool["function"]["description"])
            if enough <= 0:
                return True
            upto -= 1
            if upto == 0:
                break
    except (KeyError, TypeError):
        pass
    return False
