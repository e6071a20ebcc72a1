"""Which rule each token of a simulated prompt belongs to: that of the first breakpoint at or after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.usage.attribution import CLIENT, attribute
from policy_cache.usage.segments import cut, owner_of

if TYPE_CHECKING:
    from policy_cache.cache.explicit import CacheOutcome
    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.engine.plan import Plan
    from policy_cache.usage.attribution import Share


def shares(prompt: CachedPrompt, outcome: CacheOutcome, plan: Plan | None) -> tuple[Share, ...]:
    """What each owner of a breakpoint caused of an outcome.

    Args:
        prompt: The prompt, with its breakpoints.
        outcome: What became of it.
        plan: What the policy decided; None without one.
    """
    points = plan.breakpoints if plan is not None else ()
    # The prompt is that of the request as it was, or of the one that was sent where a text was split.
    owners = {point.origin: owner_of(point) for point in points}
    owners |= {point.block: owner_of(point) for point in points}
    marked = (prompt.blocks[index].location for index in prompt.breakpoints)
    segments, tail = cut(prompt, {location: owners.get(location, CLIENT) for location in marked})
    return attribute(segments, outcome, tail=tail)
