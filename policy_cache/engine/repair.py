"""Repair: what a client brought that the provider would refuse or ignore, put right before any rule marks."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from policy_cache.engine.changes import Edit, Origin, Step
from policy_cache.request.blocks import APART, message_blocks, system_blocks, tool_block
from policy_cache.request.location import fields_of, value_at
from policy_cache.request.markers import KEY, ON_REQUEST
from policy_cache.request.prefix import EVERYTHING
from policy_cache.request.prompt import Prompt
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Block, Order
    from policy_cache.request.location import Location
    from policy_cache.request.markers import ClientMarker

REPAIR = Origin("(repair)", "", None)
"""Who repairs: the policy as a whole, and no rule of it."""

KEY_PARAMETER = "prompt_cache_key"


def can_repair(route: Route) -> bool:
    """Whether anything can be wrong that is put right: markers of a route that takes some, and long keys."""
    return takes_markers(route) or _longest_key(route) is not None


def takes_markers(route: Route) -> bool:
    return route.mechanism == "explicit" and not route.run


def _longest_key(route: Route) -> int | None:
    parameter = route.parameters.get(KEY_PARAMETER)
    return None if parameter is None else parameter.longest


Fault: TypeAlias = Literal["refused", "lost", "lowered"]
"""What becomes of a marker that is left as it is: the provider refuses the request, nobody heeds the marker,
or it lives for five minutes where an hour was asked for.
"""


class Repair(NamedTuple):
    """A marker that is not left as it is, why, and what would become of it."""

    marker: ClientMarker
    why: str
    fault: Fault


def faults(request: Mapping[str, object], route: Route) -> Counter[Fault]:
    """What is wrong with a request as it is sent, whoever marked it: what repair would put right."""
    prompt = Prompt(request, route.shape)
    markers = route.markers_of(prompt)
    if not takes_markers(route):
        found: Counter[Fault] = Counter()
        found["lost"] = sum(marker.block is None for marker in markers)
    else:
        found = Counter(repair.fault for repair in idle_markers(prompt, route, markers))
        found.update(repair.fault for repair in long_markers(request, route, markers))
        found.update(repair.fault for repair in inner_markers(request, markers))
    found["refused"] += sum(1 for _ in shortened_keys(request, route))
    return +found


def idle_markers(prompt: Prompt, route: Route, markers: Sequence[ClientMarker]) -> Iterator[Repair]:
    """The markers to take away: those without effect, and those beyond what the provider takes.

    Of too many, the first and the last stay, as litellm keeps them where it may drop some: the stable prefix
    and the newest turns.
    """
    request = prompt.request
    known: dict[Location, dict[Location, Block]] = {}
    holders = {marker.holder for marker in markers}
    marked = {marker.block for marker in markers if marker.holder not in ON_REQUEST}
    places: dict[Location, Order] = {}
    moved: set[Location] = set()
    kept: list[ClientMarker] = []
    for marker in markers:
        block = marker.block
        if block is None:
            why, becomes = _obstacle(prompt, route, marker.holder, known)
            yield Repair(marker, f"taken away: {why}", becomes)
        elif not _is_marker(marker_of(request, marker), marker.key):
            yield Repair(marker, "taken away: its value is no marker", "refused")
        elif marker.holder in ON_REQUEST and block in marked:
            yield Repair(marker, "taken away: the last block has its own", "refused")
        elif _is_inside(marker) and (block in holders or block in moved):
            # The last part's may count beside it.
            fault: Fault = "refused" if is_refused_inside(request, marker) else "lost"
            yield Repair(marker, "taken away: the block around it has one", fault)
        else:
            places[block] = marker.order
            kept.append(marker)
            if is_refused_inside(request, marker):
                moved.add(block)
    most = route.breakpoints
    if len(places) <= most:
        return
    ordered = sorted(places, key=lambda block: places[block])
    gone = set(ordered[(most + 1) // 2 : len(ordered) - most // 2])
    for marker in kept:
        if marker.block in gone:
            # OpenAI heeds so many, and lets the others be.
            fault = "refused" if route.key == KEY else "lost"
            yield Repair(marker, f"taken away: the provider takes {most} breakpoints", fault)


def _is_marker(value: object, key: str) -> bool:
    """Whether a member's value is one: of `cache_control`, there is one type."""
    fields = fields_of(value)
    return fields is not None and (key != KEY or fields.get("type") == "ephemeral")


def long_markers(
    request: Mapping[str, object], route: Route, markers: Sequence[ClientMarker]
) -> Iterator[Repair]:
    """The markers that get five minutes: the route takes no such TTL, or it follows a shorter one."""
    effective = [marker for marker in markers if marker.block is not None]
    short = [marker.order for marker in effective if route.lifetime_of(marker) == "5m"]
    first_short = min(short, default=EVERYTHING)
    for marker in effective:
        if marker.key != route.key:
            continue
        ttl = (fields_of(marker_of(request, marker)) or {}).get("ttl")
        if ttl not in (None, "5m") and (ttl != "1h" or "1h" not in route.ttls):
            why = f"{route.model} takes no {word(str(ttl))} on this route"
            yield Repair(marker, f"done with 5m: {why}", "lowered")
        elif ttl == "1h" and marker.order > first_short:
            yield Repair(marker, "done with 5m: a 1h marker may not follow a 5m one", "refused")


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
    return text if longest is None or len(text) <= longest else hashed(text)[:longest]


def hashed(text: str) -> str:
    """32 hexadecimal digits that stand for a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def inner_markers(request: Mapping[str, object], markers: Sequence[ClientMarker]) -> Iterator[Repair]:
    """The markers to move from inside a result or a document to the block around them."""
    for marker in markers:
        if marker.block is not None and is_refused_inside(request, marker):
            why = "moved to the block around it: inside, only the last part takes one"
            yield Repair(marker, why, "refused")


def _is_inside(marker: ClientMarker) -> bool:
    """Whether a marker stands on a part of its block."""
    block, holder = marker.block or (), marker.holder
    return len(holder) > len(block) + 1 and holder[: len(block)] == block and bool(block)


def is_refused_inside(request: Mapping[str, object], marker: ClientMarker) -> bool:
    """Whether a marker stands inside a block, on any part but the last, where the provider refuses it."""
    if not _is_inside(marker):
        return False
    holder = marker.holder
    around = value_at(request, holder[:-1])
    return isinstance(around, (list, tuple)) and holder[-1] != len(around) - 1


def outward(
    request: Mapping[str, object], route: Route, marker: ClientMarker, shortened: Edit | None
) -> Edit:
    """The edit that takes a client's marker, shortened or not, from inside a block to the block itself."""
    holder, key, block = marker.holder, marker.key, marker.block
    assert block is not None
    before = marker_of(request, marker)
    after: object = before if shortened is None else shortened.after
    if key != route.key:
        after = dict(route.markers["5m"])
    steps = (Step("remove", (*holder, key)), Step("add", (*block, route.key), after))
    return Edit("mark", block, before, after, REPAIR, steps)


def shorter(request: Mapping[str, object], marker: ClientMarker) -> Edit:
    """The edit that gives a client's marker five minutes."""
    place = (*marker.holder, marker.key)
    before = marker_of(request, marker)
    after = {name: value for name, value in (fields_of(before) or {}).items() if name != "ttl"}
    return Edit("mark", marker.holder, before, after, REPAIR, (Step("replace", place, after),))


def marker_of(request: Mapping[str, object], marker: ClientMarker) -> object:
    """A marker as it stands in a request."""
    return (fields_of(value_at(request, marker.holder)) or {}).get(marker.key)


_ON = {
    "deferred": "a deferred tool",
    "repeated": "a second call with one id",
    "empty": "an empty text",
    **dict.fromkeys(APART[1:], "thinking"),
}


def _obstacle(
    prompt: Prompt, route: Route, holder: Location, known: dict[Location, dict[Location, Block]]
) -> tuple[str, Fault]:
    """Why a marker takes no effect; `known` has the blocks of each element that was asked about."""
    if holder in ON_REQUEST:
        return "one on the request does not reach the provider", "lost"
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
    if not on:
        return "none counts there on this route", "lost"
    return f"the provider takes none on {on}", "refused"


def _blocks_of(prompt: Prompt, route: Route, element: Location) -> Sequence[Block]:
    if element[0] == "tools":
        return [tool_block(prompt, route.blocks, int(element[1]))]
    if element[0] == "system":
        return system_blocks(prompt, route.blocks)
    return message_blocks(prompt, route.blocks, int(element[1]))
