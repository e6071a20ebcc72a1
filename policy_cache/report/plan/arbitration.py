"""Who wanted which place in which order, who got it, and who held it where it was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy_cache.engine.reasons import GRANTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.engine.changes import Placement
    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location


@dataclass(frozen=True, slots=True)
class Wish:
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
    steps: tuple[Wish, ...]


def arbitration(plan: Plan) -> Arbitration:
    """Follow a plan's wishes for markers; those that named nothing, or had no route, took no part."""
    client = len({point.slot for point in plan.intended if point.party == "client" and point.slot})
    on_request = next((point.origin for point in plan.intended if point.at == ()), None)
    used = client
    steps: list[Wish] = []
    takers: dict[Location, int] = {}
    wishes = [wish for wish in plan.placements if wish.ttl is not None and wish.location is not None]
    for number, wish in enumerate(wishes, 1):
        wanted = wish.wanted
        if wish.reason in GRANTED:
            used += 1
            steps.append(Wish(number, wish, wanted, used))
            for place in (wanted, on_request if wanted == () else None):
                if place is not None:
                    takers[place] = number
        else:
            holder = takers.get(wanted) if wanted is not None and wish.reason == "duplicate" else None
            steps.append(Wish(number, wish, wanted, None, holder))
    return Arbitration(plan.route.breakpoints, client, tuple(steps))


def holders(found: Arbitration) -> Iterator[str]:
    """Who has the breakpoints, as a person says it: `the client (1)`, `steps 1, 2 and 3`."""
    if found.client:
        yield f"the client ({found.client})"
    numbers = [str(step.number) for step in found.steps if step.slot is not None]
    if numbers:
        joined = " and ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
        yield f"step{'s' if len(numbers) > 1 else ''} {joined}"
