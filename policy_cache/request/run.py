"""Runs: where a breakpoint is a run of marked messages from the first one on, as for Gemini."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.request.blocks import MESSAGES, Block, message_blocks
from policy_cache.request.prompt import SYSTEM_ROLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.request.blocks import BlockRules, Order
    from policy_cache.request.prompt import Prompt


_TEXTS = ("text", "empty")


def run_ends(prompt: Prompt, rules: BlockRules) -> list[int | None]:
    """For each message, the one that ends the longest run up to it; None where there is no run.

    A run ends on a user's turn, and something else must follow it: the provider refuses a cached prompt
    that ends on another, and a request with nothing after it; litellm merges two turns of a user, which
    a run would part. A later system message would move. Some text must be in it: litellm reads the TTL of
    the stored cache from the marker of a text alone, and without one it is stored for an hour.
    """
    messages, leading = prompt.messages, prompt.leading
    if any(message.get("role") in SYSTEM_ROLES for message in messages[leading:]):
        return [None] * len(messages)
    ends: list[int | None] = []
    end: int | None = None
    has_text = False
    for index, message in enumerate(messages):
        blocks = message_blocks(prompt, rules, index)
        is_markable = any(block.markable for block in blocks)
        if message.get("role") == "developer" and not is_markable:
            return [None] * len(messages)  # litellm drops what else it has, so its marker
        has_text = has_text or is_markable
        is_last = index == len(messages) - 1 or messages[index + 1].get("role") == "user"
        if leading <= index and has_text and not is_last and message.get("role") == "user":
            is_sent = any(block.markable or block.kind not in _TEXTS for block in blocks)
            end = index if is_sent else end
        ends.append(end)
    return ends


def run_end(ends: Sequence[int | None], wanted: Order) -> int | None:
    """The message that ends the run up to a place in the prefix; see `run_ends`."""
    section, element = wanted[:2]
    return ends[min(element, len(ends) - 1)] if section == MESSAGES and ends else None


def run_block(prompt: Prompt, rules: BlockRules, index: int) -> Block:
    """What carries the marker of one message: its last markable block, or the message."""
    for block in reversed(message_blocks(prompt, rules, index)):
        if block.markable:
            return block
    return Block(("messages", index), (MESSAGES, index, 0, 0), "message", markable=True, effective=True)
