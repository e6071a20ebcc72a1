"""Repair: what a client brought that the provider would refuse or ignore, put right before any rule acts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.engine.changes import Edit, Origin, Step
from policy_cache.request.blocks import APART, message_blocks, system_blocks, tool_block
from policy_cache.request.location import fields_of, value_at
from policy_cache.request.markers import ON_REQUEST
from policy_cache.request.prefix import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Block
    from policy_cache.request.location import Location
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prompt import Prompt

REPAIR = Origin("(repair)", "", None)
"""Who repairs: the policy as a whole, and no rule of it."""

KEY_PARAMETER = "prompt_cache_key"


def can_repair(route: Route) -> bool:
    """Whether anything can be wrong that is put right: markers of a route that takes some, and long keys."""
    return _takes_markers(route) or _longest_key(route) is not None


def _takes_markers(route: Route) -> bool:
    return route.mechanism == "explicit" and not route.run


def _longest_key(route: Route) -> int | None:
    parameter = route.parameters.get(KEY_PARAMETER)
    return None if parameter is None else parameter.longest


class Repair(NamedTuple):
    """A marker that is not left as it is, and why."""

    marker: ClientMarker
    why: str


def idle_markers(prompt: Prompt, route: Route, markers: Sequence[ClientMarker]) -> Iterator[Repair]:
    """The markers to take away: those without effect, and those beyond what the provider takes.

    Of too many, the first and the last stay, as litellm keeps them where it may drop some: the stable prefix
    and the newest turns.
    """
    if not _takes_markers(route):
        return
    known: dict[Location, dict[Location, Block]] = {}
    for marker in markers:
        if marker.block is None:
            yield Repair(marker, f"taken away: {_obstacle(prompt, route, marker.holder, known)}")
    places = {marker.block: marker.order for marker in markers if marker.block is not None}
    most = route.breakpoints
    if len(places) <= most:
        return
    ordered = sorted(places, key=lambda block: places[block])
    gone = set(ordered[(most + 1) // 2 : len(ordered) - most // 2])
    for marker in markers:
        if marker.block in gone:
            yield Repair(marker, f"taken away: the provider takes {most} breakpoints")


def long_markers(route: Route, markers: Sequence[ClientMarker]) -> Iterator[Repair]:
    """The markers whose hour becomes five minutes: the route takes none, or it follows a shorter one."""
    if not _takes_markers(route):
        return
    own = [marker for marker in markers if marker.block is not None and marker.key == route.key]
    first_short = min(
        (marker.order for marker in own if route.lifetime_of(marker) == "5m"), default=EVERYTHING
    )
    for marker in own:
        if marker.ttl == "1h" and "1h" not in route.ttls:
            yield Repair(marker, f"done with 5m: {route.model} takes no 1h on this route")
        elif marker.ttl == "1h" and marker.order > first_short:
            yield Repair(marker, "done with 5m: a 1h marker may not follow a 5m one")


def shortened_keys(request: Mapping[str, object], route: Route) -> Iterator[Edit]:
    """The client's cache key as a hash, wherever it stands, if it is longer than the provider takes."""
    longest = _longest_key(route)
    extra = fields_of(request.get("extra_body")) or {}
    for location, value in (
        ((KEY_PARAMETER,), request.get(KEY_PARAMETER)),
        (("extra_body", KEY_PARAMETER), extra.get(KEY_PARAMETER)),
    ):
        if isinstance(value, str) and value != (short := within(value, longest)):
            yield Edit("set", location, value, short, REPAIR, (Step("replace", location, short),))


def within(text: str, longest: int | None) -> str:
    """A text, or a hash of it where it is longer than a provider takes: the same for the same text."""
    if longest is None or len(text) <= longest:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()[:longest]


def inner_markers(
    request: Mapping[str, object], route: Route, markers: Sequence[ClientMarker]
) -> Iterator[Repair]:
    """The markers inside a result or a document that the provider refuses there: on any part but the last."""
    for marker in markers if _takes_markers(route) else ():
        at, holder = marker.block, marker.holder
        if at is not None and len(holder) > len(at) + 1 and holder[: len(at)] == at:
            around = value_at(request, holder[:-1])
            if isinstance(around, (list, tuple)) and holder[-1] != len(around) - 1:
                yield Repair(marker, "moved to the block around it: inside, only the last part takes one")


def outward(request: Mapping[str, object], marker: ClientMarker, value: object) -> Edit:
    """The edit that takes a client's marker from inside a block to the block itself."""
    holder, key, block = marker.holder, marker.key, marker.block
    assert block is not None
    steps = [Step("remove", (*holder, key))]
    if key not in (fields_of(value_at(request, block)) or {}):
        steps.append(Step("add", (*block, key), value))
    return Edit("mark", block, None, value, REPAIR, tuple(steps))


def shorter(request: Mapping[str, object], marker: ClientMarker) -> Edit:
    """The edit that gives a client's marker five minutes."""
    holder, key = marker.holder, marker.key
    before, after = marker_of(request, marker), brief(request, marker)
    return Edit("mark", holder, before, after, REPAIR, (Step("replace", (*holder, key), after),))


def marker_of(request: Mapping[str, object], marker: ClientMarker) -> object:
    """A marker as it stands in a request."""
    return (fields_of(value_at(request, marker.holder)) or {}).get(marker.key)


def brief(request: Mapping[str, object], marker: ClientMarker) -> object:
    """The same for five minutes."""
    fields = fields_of(marker_of(request, marker)) or {}
    return {name: value for name, value in fields.items() if name != "ttl"}


_ON = {
    "deferred": "a deferred tool",
    "repeated": "a second call with one id",
    "empty": "an empty text",
    **dict.fromkeys(APART[1:], "thinking"),
}


def _obstacle(
    prompt: Prompt, route: Route, holder: Location, known: dict[Location, dict[Location, Block]]
) -> str:
    """Why a marker takes no effect; `known` has the blocks of each element that was asked about."""
    if holder in ON_REQUEST:
        return "one on the request does not reach the provider"
    element = holder[:1] if holder[0] == "system" else holder[:2]
    blocks = known.get(element)
    if blocks is None:
        blocks = known[element] = {block.location: block for block in _blocks_of(prompt, route, element)}
    around = (blocks.get(holder[:length]) for length in range(len(holder), 0, -1))
    block = next(filter(None, around), None)
    on = ""
    if block is not None and not block.effective:
        text = (fields_of(value_at(prompt.request, block.location)) or {}).get("text")
        blank = isinstance(text, str) and not text.strip()
        on = "an empty text" if blank else _ON.get(block.kind, "")
    return f"the provider takes none on {on}" if on else "none counts there on this route"


def _blocks_of(prompt: Prompt, route: Route, element: Location) -> Sequence[Block]:
    if element[0] == "tools":
        return [tool_block(prompt, route.blocks, int(element[1]))]
    if element[0] == "system":
        return system_blocks(prompt, route.blocks)
    return message_blocks(prompt, route.blocks, int(element[1]))
