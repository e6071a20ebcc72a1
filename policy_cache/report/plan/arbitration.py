"""Who wanted which place in which order, who got it, and who held it where it was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.engine.reasons import ACTED
from policy_cache.engine.run import run_block, run_end, run_ends
from policy_cache.request.blocks import REQUEST
from policy_cache.request.prefix import Prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.engine.changes import Placement
    from policy_cache.engine.compile import CompiledRule, CompiledTarget
    from policy_cache.engine.match import Facts
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location
    from policy_cache.request.targets import Hit

_GIVEN = ACTED | {"observed"}


@dataclass(frozen=True, slots=True)
class Step:
    """One wish for a marker, in the order in which wishes were decided.

    Attributes:
        number: Its place in that order, from 1.
        placement: The wish, and how it ended.
        wanted: The block that was to carry the marker; None where none could.
        slot: Which of the route's breakpoints it took, from 1; None where it was dropped.
        holder: The number of the step that has the place it wanted.
    """

    number: int
    placement: Placement
    wanted: Location | None
    slot: int | None
    holder: int | None = None


@dataclass(frozen=True, slots=True)
class Arbitration:
    """How a route's breakpoints were given away.

    Attributes:
        limit: How many breakpoints the route takes.
        client: How many of them the client holds.
        steps: The wishes, in order.
    """

    limit: int
    client: int
    steps: tuple[Step, ...]


def arbitration(rules: Sequence[CompiledRule], facts: Facts, plan: Plan) -> Arbitration:
    """Follow a plan's wishes for markers; those that named nothing, or had no route, took no part."""
    targets = {t.source: t for rule in rules if rule.marks for t in rule.targets}
    prefix = Prefix(facts.prompt, plan.route.blocks)
    client = _staying(plan)
    used = client
    steps: list[Step] = []
    takers: dict[Location, int] = {}
    wishes = [one for one in plan.placements if one.source in targets and one.location is not None]
    for number, one in enumerate(wishes, 1):
        wanted = one.at or _wanted(targets[one.source], facts, plan, prefix, one)
        if one.reason in _GIVEN:
            used += 1
            steps.append(Step(number, one, wanted, used))
            if wanted is not None:
                takers[wanted] = number
        else:
            holder = takers.get(wanted) if wanted is not None and one.reason == "duplicate" else None
            steps.append(Step(number, one, wanted, None, holder))
    return Arbitration(plan.route.breakpoints, client, tuple(steps))


def _staying(plan: Plan) -> int:
    """How many of the client's markers took a breakpoint: those that take effect and stay.

    One that was removed and is set anew, the same, is no edit; the place tells whose it is now.
    """
    gone = {edit.location for edit in plan.edits if edit.change == "unmark" or edit.before is not None}
    given = {one.at for one in plan.placements if one.reason in _GIVEN and one.ttl is not None}
    effective = [marker for marker in plan.client_markers if marker.block is not None]
    return sum(1 for marker in effective if marker.holder not in gone and marker.block not in given)


def _wanted(
    target: CompiledTarget, facts: Facts, plan: Plan, prefix: Prefix, wish: Placement
) -> Location | None:
    hits = [hit for hit in target.find(facts.prompt) if hit.location == wish.location]
    return settled(hits[0], facts, plan, prefix) if hits else None


def settled(hit: Hit, facts: Facts, plan: Plan, prefix: Prefix) -> Location | None:
    """The block that carries a marker for a hit on this route; None where there is none."""
    order = hit.order
    if order is None:
        return None
    if order[0] == REQUEST:
        return () if plan.route.request_marker else None
    if plan.route.run:
        end = run_end(run_ends(facts.prompt), order)
        return None if end is None else run_block(facts.prompt, plan.route.blocks, end).location
    block = prefix.settle(order)
    return None if block is None else block.location


def holders(found: Arbitration) -> Iterator[str]:
    """Who has the breakpoints, as a person says it: `the client (1)`, `steps 1, 2 and 3`."""
    if found.client:
        yield f"the client ({found.client})"
    numbers = [str(step.number) for step in found.steps if step.slot is not None]
    if numbers:
        joined = " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
        yield f"step{'s' if len(numbers) > 1 else ''} {joined}"
