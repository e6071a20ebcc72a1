"""Which rule each token of a simulated prompt belongs to: that of the first breakpoint at or after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.cache.explicit import CacheOutcome
from policy_cache.engine.reasons import ACTED
from policy_cache.forecast.reader import block_at
from policy_cache.usage.attribution import CLIENT, Owner, Segment, attribute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.cache.prompt import Prompt
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location


def shares(prompt: Prompt, outcome: CacheOutcome, plan: Plan | None) -> Iterator[tuple[Owner, CacheOutcome]]:
    """What each owner of a breakpoint caused of an outcome.

    Args:
        prompt: The prompt, with its breakpoints.
        outcome: What became of it.
        plan: What the policy decided; None without one.
    """
    places = {block.location: index for index, block in enumerate(prompt.blocks)}
    rules: dict[int, str] = {}
    for placement in plan.placements if plan is not None else ():
        if placement.reason in ACTED and placement.at is not None:
            index = _placed(places, placement.at) if placement.at else prompt.last_cacheable
            if index is not None:
                rules[index] = placement.source.rule
    segments: list[Segment] = []
    start = 0
    for index, block in enumerate(prompt.blocks):
        if block.ttl is not None:
            end = prompt.prefix.ends[index]
            owner = Owner("policy", rules[index]) if index in rules else CLIENT
            segments.append(Segment(owner, end - start))
            start = end
    for share in attribute(segments, outcome, tail=prompt.tokens - start):
        yield share.owner, CacheOutcome(share.read, share.write_5m, share.write_1h)


def _placed(places: Mapping[Location, int], at: Location) -> int | None:
    """The block that a placement marked; of a text that was split, the first half."""
    found = block_at(places, at)
    return places.get((*at, 0)) if found is None else found
