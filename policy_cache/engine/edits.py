"""From decisions to edits: what each marker, removal, split and parameter changes in the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.engine.changes import Edit, Origin, Step
from policy_cache.request.edit import text_type
from policy_cache.request.location import Location, fields_of, value_at
from policy_cache.request.markers import MARKER_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.engine.arbitrate import Accepted
    from policy_cache.engine.changes import Placement
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Order
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.prompt import Prompt


class Removal(NamedTuple):
    """A client's marker that a rule takes away."""

    marker: ClientMarker
    source: Origin


class Cut(NamedTuple):
    """A text block to split: the characters of its stable part, and who asked."""

    order: Order
    at: int
    source: Origin


def prompt_edits(
    prompt: Prompt,
    route: Route,
    accepted: Sequence[Accepted],
    placements: Sequence[Placement],
    removals: Mapping[tuple[Location, str], Removal],
    cuts: Mapping[Location, Cut],
    client: Sequence[ClientMarker],
    mended: Mapping[tuple[Location, str], Edit],
) -> list[Edit]:
    """The edits to the prompt, in prefix order."""
    if not removals and not cuts and not mended:
        return [_mark(prompt, route, marker, placements[marker.number].source, None) for marker in accepted]
    removed = dict(removals)
    ordered: list[tuple[Order, int, Edit]] = []
    on_texts: dict[Location, list[tuple[Location, str]]] = {}
    for client_marker in client:
        holder, block, key = client_marker.holder, client_marker.block, client_marker.key
        if block is not None and holder == block[:-1] and (holder, key) not in removed:
            on_texts.setdefault(block, []).append((holder, key))
    for location, cut in cuts.items():
        unmarked = [key for key in MARKER_KEYS if (location, key) in removed]
        carried = on_texts.get(location, [])
        ordered.append((cut.order, 1, _split(prompt, location, cut, unmarked, carried, mended)))
    for marker in accepted:
        location = marker.location
        split = cuts.get(location)
        gone = removed.pop((location, route.key), None)
        if split is None and gone and _at(prompt, location, route.key) == route.markers[marker.ttl]:
            continue
        ordered.append(
            (marker.order, 0, _mark(prompt, route, marker, placements[marker.number].source, split))
        )
    for (holder, _), removal in removed.items():
        if holder not in cuts:
            ordered.append((removal.marker.order, 2, _unmark(prompt, removal)))
    for client_marker in client:
        place = (client_marker.holder, client_marker.key)
        # What goes needs no shorter life, and a split gives it to what it carries along.
        if place in mended and place not in removals and not _is_split(client_marker, cuts):
            ordered.append((client_marker.order, 2, mended[place]))
    ordered.sort(key=lambda entry: entry[:2])
    return [edit for _, _, edit in ordered]


def _is_split(marker: ClientMarker, cuts: Mapping[Location, Cut]) -> bool:
    return marker.holder in cuts or marker.block in cuts


def _at(prompt: Prompt, location: Location, name: str) -> object:
    fields = fields_of(value_at(prompt.request, location))
    return None if fields is None else fields.get(name)


def _mark(prompt: Prompt, route: Route, accepted: Accepted, source: Origin, cut: Cut | None) -> Edit:
    location, key = accepted.location, route.key
    value = value_at(prompt.request, location)
    new = dict(route.markers[accepted.ttl])
    if isinstance(value, str):
        if cut is not None:
            return Edit("mark", location, None, new, source, (Step("add", (*location, 0, key), new),))
        block = [{"type": text_type(location), "text": value, key: new}]
        return Edit("mark", location, value, block, source, (Step("replace", location, block),))
    fields = fields_of(value) or {}
    if key in fields and cut is None:
        return Edit("mark", location, fields[key], new, source, (Step("replace", (*location, key), new),))
    return Edit("mark", location, None, new, source, (Step("add", (*location, key), new),))


def _unmark(prompt: Prompt, removal: Removal) -> Edit:
    holder, key = removal.marker.holder, removal.marker.key
    return Edit(
        "unmark", holder, _at(prompt, holder, key), None, removal.source, (Step("remove", (*holder, key)),)
    )


def _split(
    prompt: Prompt,
    location: Location,
    cut: Cut,
    unmarked: Sequence[str],
    carried: Sequence[tuple[Location, str]],
    mended: Mapping[tuple[Location, str], Edit],
) -> Edit:
    """Two blocks of one; `carried` are the message's own markers on its text, which the second half takes."""
    value = value_at(prompt.request, location)
    if isinstance(value, str):
        kind = text_type(location)
        end: dict[str, Any] = {"type": kind, "text": value[cut.at :]}
        for holder, key in carried:
            edit = mended.get((holder, key))
            end[key] = _at(prompt, holder, key) if edit is None else edit.after
        parts = [{"type": kind, "text": value[: cut.at]}, end]
        moved = [Step("remove", (*holder, key)) for holder, key in carried]
        return Edit("split", location, value, parts, cut.source, (Step("replace", location, parts), *moved))
    block = {name: field for name, field in (fields_of(value) or {}).items() if field is not None}
    text = str(block["text"])
    stable = {**block, "text": text[: cut.at]}
    for key in MARKER_KEYS:
        stable.pop(key, None)
    rest = {**block, "text": text[cut.at :]}
    for key in MARKER_KEYS:
        if edit := mended.get((location, key)):
            rest[key] = edit.after
    for key in unmarked:
        rest.pop(key, None)
    number = location[-1]
    assert isinstance(number, int)
    steps = (Step("replace", location, stable), Step("add", (*location[:-1], number + 1), rest))
    return Edit("split", location, block, [stable, rest], cut.source, steps)
