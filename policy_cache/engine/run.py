"""Runs: where a breakpoint is a run of marked messages from the first one on, as for Gemini."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.request.blocks import MESSAGES, Block, message_blocks
from policy_cache.request.prompt import SYSTEM_ROLES

if TYPE_CHECKING:
    from policy_cache.engine.arbitrate import Accepted
    from policy_cache.request.blocks import BlockRules, Order
    from policy_cache.request.prompt import Prompt


def run_end(prompt: Prompt, wanted: Order) -> int | None:
    """The message that ends the longest run up to a place in the prefix; None where there is no run.

    A run ends on a user's turn, and something must follow it: the provider refuses a cached prompt
    that ends on another, and a request with nothing after it. A later system message would move.
    """
    messages = prompt.messages
    if wanted[0] != MESSAGES or any(
        message.get("role") in SYSTEM_ROLES for message in messages[prompt.leading :]
    ):
        return None
    for index in range(min(wanted[1], len(messages) - 2), prompt.leading - 1, -1):
        if messages[index].get("role") == "user":
            return index
    return None


def run_block(prompt: Prompt, rules: BlockRules, index: int) -> Block:
    """What carries the marker of one message: its last markable block, or the message."""
    for block in reversed(message_blocks(prompt, rules, index)):
        if block.markable:
            return block
    return Block(("messages", index), (MESSAGES, index, 0, 0), markable=True)


def spread(prompt: Prompt, rules: BlockRules, accepted: Accepted) -> list[Accepted]:
    """A breakpoint as the markers of its run."""
    blocks = [run_block(prompt, rules, index) for index in range(accepted.order[1] + 1)]
    return [accepted._replace(order=block.order, location=block.location) for block in blocks]
