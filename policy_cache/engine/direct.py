"""The direct way to a usual request: the marks that `decide` gives, without a record of how each ended.

It serves a request without client markers, under rules that only mark, with named targets that settle at
once, or that only remove client markers. For anything else it says None, and `decide` is asked; a property
test holds the two together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.engine.injection import POINTS
from policy_cache.request.blocks import SYSTEM, TOOLS, message_blocks, system_blocks, tool_block
from policy_cache.request.markers import may_hold_markers
from policy_cache.request.prefix import EVERYTHING, described, threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.engine.compile import CompiledRule
    from policy_cache.lifetimes import Choice, Lifetimes
    from policy_cache.providers.catalog import Ttl
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Order
    from policy_cache.request.location import Location
    from policy_cache.request.prompt import Prompt


def direct(
    rules: Sequence[CompiledRule], prompt: Prompt, route: Route, lifetimes: Lifetimes
) -> dict[Location, tuple[Order, Ttl]] | None:
    """The blocks to mark, each with its place and lifetime; None where it takes `decide` to tell."""
    if may_hold_markers(prompt) or POINTS in prompt.request:
        return None
    carriers, markers, most = route.blocks, route.markers, route.breakpoints
    large, measured = EVERYTHING, False
    marks: dict[Location, tuple[Order, Ttl]] = {}
    last_long: Order | tuple[()] = ()
    first_short: Order = EVERYTHING
    wanted = 0
    choice: Choice | None = None
    for rule in rules:
        for target in rule.targets if rule.marks else ():
            find, ttl = target.place, target.ttl
            place = None if find is None else find(prompt)
            if place is None:
                return None
            section, index = place
            if ttl == "auto":
                if choice is None:
                    choice = lifetimes.choose(prompt, route)
                ttl = choice.conversation if section > SYSTEM else choice.prefix
            if ttl not in markers:
                return None
            if section == TOOLS:
                if not carriers.tools:  # and so none before it
                    continue
                block = tool_block(prompt, carriers, index)
            else:
                blocks = (
                    message_blocks(prompt, carriers, index) if index >= 0 else system_blocks(prompt, carriers)
                )
                if not blocks:
                    return None
                block = blocks[-1]
            location, order, _, markable, _ = block
            if not markable or len(marks) == most:
                return None
            if order < large and not measured:
                if described(prompt, order, route.minimum):
                    large = order
                else:
                    large, measured = threshold(prompt, carriers, route.minimum), True
            if order < large:
                continue
            marks[location] = order, ttl
            wanted += 1
            if ttl != "5m":
                last_long = max(last_long, order)
            elif order < first_short:
                first_short = order
    if len(marks) < wanted or last_long > first_short:  # two targets on one block, or TTLs out of order
        return None
    return marks
