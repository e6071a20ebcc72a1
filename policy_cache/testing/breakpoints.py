"""The breakpoints of the request that a plan sends, each with whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.engine.reasons import ACTED
from policy_cache.request.prompt import Prompt
from policy_cache.testing.checks import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location


class Found(NamedTuple):
    """A marker in the request that is sent.

    Attributes:
        at: What carries it, in that request.
        ttl: Its lifetime; a bare marker counts as `5m`.
        rule: Who placed it: a rule, or `(client)`.
    """

    at: Location
    ttl: str
    rule: str


def breakpoints(plan: Plan) -> list[Found]:
    """Every marker of the request that is sent, those that the provider will not see too, in prefix order."""
    markers = sorted(
        plan.route.markers_of(Prompt(plan.request, plan.route.shape)), key=lambda marker: marker.order
    )
    placed = dict(_placed(plan)) if plan.changed else {}
    return [Found(one.holder, one.ttl, placed.get(one.holder, CLIENT)) for one in markers]


def _placed(plan: Plan) -> Iterator[tuple[Location, str]]:
    """The places of the policy's markers in the request that is sent."""
    splits = [edit.location for edit in plan.edits if edit.change == "split"]
    for one in plan.placements:
        if one.reason in ACTED and one.ttl is not None and one.at is not None:
            yield from _places(one.at, splits, one.source.rule)
    for edit in plan.edits:  # a run has a marker on each message, and one placement
        if edit.change == "mark":
            yield from _places(edit.location, splits, edit.source.rule)


def _places(location: Location, splits: list[Location], rule: str) -> Iterator[tuple[Location, str]]:
    """A place behind a split in the same list has moved by one; a text has become a list of blocks."""
    place = location
    if location and isinstance(last := location[-1], int):
        numbers = [split[-1] for split in splits if split[:-1] == location[:-1]]
        moved = sum(1 for number in numbers if isinstance(number, int) and number < last)
        place = (*location[:-1], last + moved)
    yield place, rule
    yield (*place, 0), rule
