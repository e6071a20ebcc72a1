"""What a rule does: each action takes what was settled so far, and adds its wishes, edits and placements."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from policy_cache.engine.changes import Origin, Placement
from policy_cache.engine.compile import Mark, SetParameters, Split, Unmark
from policy_cache.engine.edits import Cut
from policy_cache.engine.parameters import set_parameters
from policy_cache.engine.repair import (
    REPAIR,
    idle_markers,
    inner_markers,
    long_markers,
    outward,
    shortened_keys,
    shorter,
    takes_markers,
)
from policy_cache.request.blocks import REQUEST, Block
from policy_cache.request.location import Location, fields_of, value_at
from policy_cache.request.markers import KEY, ON_REQUEST, ClientMarker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy_cache.engine.compile import CompiledRule
    from policy_cache.engine.reasons import Reason
    from policy_cache.engine.state import State
    from policy_cache.request.targets import Hit


def repair(state: State) -> None:
    """Put right what the client brought and the provider would refuse or ignore, of what the rules left."""
    route, request = state.facts.route, state.prompt.request
    if takes_markers(route):
        _repair_markers(state)
    for edit in shortened_keys(request, route):
        state.parameters.append(edit)
        state.repaired(edit.location, "shortened to a hash: the provider takes no longer one")


def _repair_markers(state: State) -> None:
    prompt, route, request = state.prompt, state.facts.route, state.prompt.request
    for marker, why, _ in idle_markers(prompt, route, state.left()):
        state.remove([marker], REPAIR)
        state.repaired(marker.holder, why)
    left = state.left()
    for marker, why, _ in long_markers(request, route, left):
        state.mended[marker.holder, marker.key] = shorter(request, marker)
        state.repaired(marker.holder, why)
    for marker, why, _ in inner_markers(request, left):
        place = (marker.holder, marker.key)
        state.mended[place] = outward(request, route, marker, state.mended.get(place))
        state.repaired(marker.holder, why)


def unmark(state: State, rule: CompiledRule) -> None:
    """Take client markers away: everywhere, or at the rule's targets."""
    placements = state.placements
    if state.stands_down:
        detail = f"the client placed {len(state.client)}"
        for source in [target.source for target in rule.targets] or [rule.source]:
            placements.append(Placement(source, None, None, None, "stood_down", detail))
        return
    route = state.facts.route
    # Beside a `cache_control`, OpenAI's marker sleeps, and would wake once that is gone.
    beside = {marker.holder for marker in state.client if marker.key == KEY}
    markers = [
        marker
        for marker in state.client
        if marker.key == KEY
        or route.mechanism != "explicit"
        or (marker.key != route.key and (marker.block is not None or marker.holder in beside))
    ]
    if not rule.targets:
        placements.append(_removed(state, rule.source, None, markers))
        return
    places = _by_place(markers)
    for target in rule.targets:
        hits = target.select(target.find(state.prompt))
        if not hits:
            placements.append(Placement(target.source, None, None, None, "no_target"))
        for hit in hits:
            placements.append(_removed(state, target.source, hit.location, _markers_at(hit, places)))


def _removed(
    state: State, source: Origin, location: Location | None, markers: Sequence[ClientMarker]
) -> Placement:
    number = state.remove(markers, source)
    reason: Reason = "applied" if number else "duplicate" if markers else "no_target"
    detail = f"{number} removed" if number else "no marker there"
    return Placement(source, location, location if number else None, None, reason, detail)


def split(state: State, rule: CompiledRule) -> None:
    """Split the text blocks at the rule's targets at a literal."""
    refusal = state.refusal(rule)
    assert isinstance(rule.action, Split)
    for target in rule.targets:
        source = target.source
        if refusal is not None:
            state.placements.append(Placement(source, None, None, None, *refusal))
            continue
        hits = target.select(target.find(state.prompt))
        if not hits:
            state.placements.append(Placement(source, None, None, None, "no_target"))
        for hit in hits:
            state.placements.append(_cut(state, source, hit, rule.action.at))


def _cut(state: State, source: Origin, hit: Hit, literal: str) -> Placement:
    block = None if hit.order is None or hit.order[0] == REQUEST else state.prefix.settle(hit.order)
    text = None if block is None else _text(state, block.location)
    if block is None or text is None:
        return Placement(source, hit.location, None, None, "not_markable", f"{source.target} is not a text")
    if block.location in state.cuts:
        return Placement(source, hit.location, None, None, "duplicate", "split already")
    at = text.find(literal)
    if at < 0:
        return Placement(source, hit.location, None, None, "no_target", "the boundary is not in the text")
    if at == 0:
        stable = _stable_half(state, block)
        if stable is not None:
            state.halved[block.location] = stable
        return Placement(source, hit.location, None, None, "duplicate", "the text begins at the boundary")
    state.cuts[block.location] = Cut(block.order, at, source)
    reason: Reason = "observed" if state.conduct.observe else "applied"
    return Placement(source, hit.location, block.location, None, reason, f"after {at:,} characters")


def _text(state: State, location: Location) -> str | None:
    value = value_at(state.prompt.request, location)
    text = value if isinstance(value, str) else (fields_of(value) or {}).get("text")
    return text if isinstance(text, str) else None


def _stable_half(state: State, block: Block) -> Block | None:
    """The block before one that begins at the boundary: what an earlier split left."""
    section, element, part, number = block.order
    if number == 0:
        return None
    before = state.prefix.settle((section, element, part, number - 1))
    return before if before is not None and before.order[:3] == block.order[:3] else None


def mark(state: State, rule: CompiledRule) -> None:
    """Want a marker at each of the rule's targets.

    Where no record is wanted, a wish that can win nothing is passed over: a request may have thousands.
    """
    refusal = state.refusal(rule)
    if refusal is not None:
        for target in rule.targets:
            state.placements.append(Placement(target.source, None, None, target.ttl, *refusal))
        return
    arbiter = state.arbitration()
    for target in rule.targets:
        hits = target.find(state.prompt)
        if not hits:
            state.placements.append(Placement(target.source, None, None, target.ttl, "no_target"))
        for hit in hits if len(hits) < 2 else target.select(hits):
            if state.recorded or not arbiter.is_vain(hit):
                arbiter.want(target.source, hit, state.choice if target.ttl == "auto" else target.ttl)
            elif arbiter.is_full:
                return


def _by_place(markers: Sequence[ClientMarker]) -> dict[Location, list[ClientMarker]]:
    """Markers by every location that holds them; those on the request by the empty one."""
    places: dict[Location, list[ClientMarker]] = {}
    for marker in markers:
        if marker.holder in ON_REQUEST:
            places.setdefault((), []).append(marker)
        for length in range(1, len(marker.holder) + 1):
            places.setdefault(marker.holder[:length], []).append(marker)
    return places


def _markers_at(hit: Hit, places: Mapping[Location, list[ClientMarker]]) -> list[ClientMarker]:
    """The markers at what a target named: on it, inside it, or the very marker."""
    if hit.order is not None and hit.order[0] == REQUEST:
        return places.get((), [])
    place = hit.location
    if KEY in place:
        holder = place[: place.index(KEY)]
        return [marker for marker in places.get(holder, []) if marker.holder == holder]
    return places.get(place, []) if place else []


Stage: TypeAlias = "Mapping[type, Callable[[State, CompiledRule], None]]"

ORDER: tuple[Stage, ...] = (
    {Unmark: unmark},
    {Split: split, SetParameters: set_parameters},
    {Mark: mark},
)
"""The actions in their order; those of a stage act in the order of their rules. Repairs follow the first."""
