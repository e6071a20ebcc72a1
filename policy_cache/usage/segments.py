"""The segments of a planned request: the parts of its prompt that end at a breakpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.cache.named import Reader
from policy_cache.request.markers import KEY
from policy_cache.request.prompt import Prompt
from policy_cache.usage.attribution import PROVIDER, Owner, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location


def segments(plan: Plan, reader: Reader | None = None) -> tuple[list[Segment], int]:
    """The segments of a request in prefix order, and the size of what stands behind the last.

    Args:
        plan: What was decided for it.
        reader: What reads its prompt; a new one by default.
    """
    if plan.route.mechanism != "explicit":
        return [], 0
    points = [point for point in plan.breakpoints if point.slot is not None]
    # Such a provider also caches what nobody marked.
    alone = plan.route.key != KEY or plan.route.only_when_named is not None
    owners = [owner_of(point) for point in points]
    if not owners or (len(set(owners)) == 1 and not alone):
        return [Segment(owner, 1) for owner in owners[:1]], 0
    route = plan.route
    prompt = (reader or Reader()).plain(Prompt(plan.request, route.shape), route)
    found, tail = cut(prompt, {point.block: owner_of(point) for point in points})
    return ([*found, Segment(PROVIDER, tail)], 0) if alone else (found, tail)


def owner_of(point: Breakpoint) -> Owner:
    """Whose a breakpoint is."""
    return Owner(point.party, "" if point.source is None else point.source.rule)


def cut(prompt: CachedPrompt, owners: Mapping[Location | None, Owner]) -> tuple[list[Segment], int]:
    """Each breakpoint's part of a prompt, in tokens, and what is left behind the last.

    Args:
        prompt: The prompt.
        owners: Whose the breakpoint on a block is; of None, whose the one at the end is.
    """
    found: list[Segment] = []
    start = 0
    for block, end in zip(prompt.blocks, prompt.ends, strict=True):
        owner = owners.get(block.location)
        if owner is not None:
            found.append(Segment(owner, end - start))
            start = end
    if None in owners:
        return [*found, Segment(owners[None], prompt.tokens - start)], 0
    return found, prompt.tokens - start
