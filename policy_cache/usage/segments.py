"""The segments of a planned request: the parts of its prompt that end at a breakpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.request.blocks import ABSENT, value_of, walk
from policy_cache.request.markers import KEY
from policy_cache.request.prompt import Prompt
from policy_cache.request.tokens import chars
from policy_cache.usage.attribution import PROVIDER, Owner, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.engine.breakpoints import Breakpoint
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location


def segments(plan: Plan) -> tuple[list[Segment], int]:
    """The segments of a request in prefix order, and the size of what stands behind the last."""
    if plan.route.mechanism != "explicit":
        return [], 0
    points = [point for point in plan.breakpoints if point.slot is not None]
    # Such a provider also caches what nobody marked.
    alone = plan.route.key != KEY or plan.route.only_when_named is not None
    owners = [owner_of(point) for point in points]
    if not owners or (len(set(owners)) == 1 and not alone):
        return [Segment(owner, 1) for owner in owners[:1]], 0
    found, tail = _cut(plan, {point.block: owner_of(point) for point in points})
    return ([*found, Segment(PROVIDER, tail)], 0) if alone else (found, tail)


def owner_of(point: Breakpoint) -> Owner:
    """Whose a breakpoint is."""
    return Owner(point.party, "" if point.source is None else point.source.rule)


def _cut(plan: Plan, owners: Mapping[Location | None, Owner]) -> tuple[list[Segment], int]:
    """Each breakpoint's part of the prompt, in characters, and what is left; litellm's own is at the end."""
    prompt = Prompt(plan.request, plan.route.shape)
    found: list[Segment] = []
    size = 0
    for block in walk(prompt, plan.route.blocks):
        if block.kind not in ABSENT:
            size += chars(value_of(prompt, block), plain=True)
        owner = owners.get(block.location)
        if owner is not None:
            found.append(Segment(owner, size))
            size = 0
    if None in owners:
        found.append(Segment(owners[None], size))
        size = 0
    return found, size
