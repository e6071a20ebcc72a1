"""The segments of a planned request: the parts of its prompt that end at a breakpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from policy_cache.engine.reasons import ACTED
from policy_cache.request.blocks import END, MESSAGES, REQUEST, SYSTEM, TOOLS
from policy_cache.request.markers import KEY
from policy_cache.request.prompt import Prompt
from policy_cache.request.tokens import chars
from policy_cache.usage.attribution import CLIENT, LITELLM, PROVIDER, Owner, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy_cache.engine.plan import Plan
    from policy_cache.request.location import Location

_Position: TypeAlias = tuple[int, int, int, int, int]
"""A place in the prefix: section, element, part, block, and the half of a text that was split."""

_LAST: _Position = (REQUEST, 0, 0, 0, 0)


def segments(plan: Plan, *, unmarked: bool = False) -> tuple[list[Segment], int]:
    """The segments of a request in prefix order, and the size of what stands behind the last.

    Args:
        plan: What was decided for the request.
        unmarked: Whether it was sent without the policy's markers, since its route refuses them.
    """
    if plan.route.mechanism != "explicit":
        return [], 0
    cuts = {edit.location: edit.after for edit in plan.edits if edit.change == "split"}
    owners = _owners(plan, cuts, unmarked=unmarked)
    # Such a provider also caches what nobody marked.
    alone = plan.route.key != KEY or plan.route.only_when_named is not None
    if not owners or (len(set(owners.values())) == 1 and not alone):
        return [Segment(owner, 1) for owner in list(owners.values())[:1]], 0
    places = sorted(owners)
    sizes = [0] * (len(places) + 1)
    at = 0
    for position, size in _pieces(Prompt(plan.original, plan.route.shape), cuts):
        while at < len(places) and position > places[at]:
            at += 1
        sizes[at] += size
    found = [Segment(owners[place], size) for place, size in zip(places, sizes, strict=False)]
    return ([*found, Segment(PROVIDER, sizes[-1])], 0) if alone else (found, sizes[-1])


def _owners(plan: Plan, cuts: Mapping[Location, object], *, unmarked: bool) -> dict[_Position, Owner]:
    """Whose the breakpoint at each place is, as the request was sent."""
    removed = {edit.location for edit in plan.edits if edit.change == "unmark"}
    owners = {
        _position(marker.block): CLIENT
        for marker in plan.client_markers
        if marker.block is not None and marker.holder not in removed
    }
    for placement in plan.placements if not unmarked else ():
        if placement.reason in ACTED and placement.ttl is not None and placement.at is not None:
            # Of a text that was split, the first half is marked.
            place = _position(placement.at, half=placement.at not in cuts)
            owners[place] = Owner("policy", placement.source.rule)
    if plan.injection == "points" or (plan.injection == "automatic" and not owners):
        owners.setdefault(_LAST, LITELLM)
    return owners


def _position(location: Location, *, half: int = 1) -> _Position:
    """The end of what stands at a location."""
    numbers = [key if isinstance(key, int) else -1 for key in location] + [-1] * 4
    match location[:1]:
        case ("tools",):
            return (TOOLS, numbers[1], 0, 0, half)
        case ("system",):
            return (SYSTEM, 0, 0, END if numbers[1] < 0 else numbers[1], half)
        case ("messages",):
            part = {"content": 0, "tool_calls": 1}.get(str(location[2]), END) if len(location) > 2 else END
            return (MESSAGES, numbers[1], part, END if numbers[3] < 0 else numbers[3], half)
    return _LAST


def _pieces(prompt: Prompt, cuts: Mapping[Location, object]) -> Iterator[tuple[_Position, int]]:
    """The prompt's blocks with their sizes in characters, in prefix order."""
    for index, tool in enumerate(prompt.tools):
        yield (TOOLS, index, 0, 0, 1), chars(tool)
    yield from _content(prompt.system, ("system",), cuts)
    for index, message in enumerate(prompt.messages):
        yield from _content(message.get("content"), ("messages", index, "content"), cuts)
        yield from _content(message.get("tool_calls"), ("messages", index, "tool_calls"), cuts)


def _content(
    content: object, location: Location, cuts: Mapping[Location, object]
) -> Iterator[tuple[_Position, int]]:
    parts = content if isinstance(content, (list, tuple)) else () if content is None else (content,)
    for number, part in enumerate(parts):
        place = location if part is content else (*location, number)
        halves = cuts.get(place)
        for half, text in enumerate(halves if isinstance(halves, list) else (part,), not halves):
            yield _position(place, half=half), chars(text, plain=True)
