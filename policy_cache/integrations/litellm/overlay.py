"""A catalog file that says what the installed litellm does where the catalog says another thing."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypedDict

import yaml

from policy_cache.integrations.litellm.finding import BAD, PLACED
from policy_cache.providers.catalog import BlockTable

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from policy_cache.integrations.litellm.finding import Finding, Kind, Outcome
    from policy_cache.providers.catalog import Catalog
    from policy_cache.request.prompt import Shape


def overlay_text(
    catalog: Catalog, findings: Sequence[Finding], given: Mapping[str, Any] | None = None
) -> str:
    """A catalog file that says what the installed litellm does where the catalog says another thing.

    Args:
        catalog: The catalog.
        findings: What was found of it.
        given: What an operator's own catalog file says, which the new one says too.
    """
    about = f"# What litellm {version('litellm')} loses or refuses is off; made by `policy-cache doctor`.\n"
    off = overlay(catalog, findings)
    own: Mapping[str, Any] = given or {}
    changed = {str(route["name"]): route for route in off["routes"]}
    # Of two entries of one name, the last says how it is.
    routes = [{**route, **changed.pop(route["name"], {})} for route in reversed(own.get("routes", ()))]
    whole = {
        **own,
        "version": 1,
        "blocks": {**own.get("blocks", {}), **off["blocks"]},
        "routes": [*reversed(routes), *changed.values()],
    }
    return about + yaml.safe_dump({name: part for name, part in whole.items() if part}, sort_keys=False)


class Overlay(TypedDict):
    """Of a catalog file, the tables and the members of routes that change."""

    blocks: dict[str, object]
    routes: list[dict[str, object]]


def overlay(catalog: Catalog, findings: Sequence[Finding]) -> Overlay:
    """What turns off what is lost or refused, and has counted what arrives all the same, as data."""
    blocks: dict[str, object] = {}
    routes: list[dict[str, object]] = []
    for entry in catalog.routes:
        of_route = [finding for finding in findings if finding.route == entry.name]
        bad = [finding for finding in of_route if finding.outcome in _DIFFERS]
        if not bad:
            continue
        tables: dict[Shape, str] = dict(entry.blocks)
        for shape in entry.blocks:
            placed = {f.outcome for f in of_route if f.shape == shape and f.kind in PLACED} - _NOWHERE
            off = {f.kind for f in bad if f.shape == shape and f.outcome in BAD}
            gained = {f.kind for f in bad if f.shape == shape and f.outcome not in BAD}
            if placed and placed <= BAD:
                del tables[shape]
            elif off - {"request"} or gained:
                tables[shape] = _fresh(f"{entry.name}-{shape}", catalog.blocks)
                blocks[tables[shape]] = _table(catalog.blocks[entry.blocks[shape]], off, gained)
        changed: dict[str, object] = {"name": entry.name, "blocks": tables}
        if not tables:
            changed |= {"mechanism": "none", "note": f"litellm {version('litellm')} loses every marker."}
        if "request" in {finding.kind for finding in bad}:
            changed["request_marker"] = []
        routes.append(changed)
    return {"blocks": blocks, "routes": routes}


def _fresh(name: str, taken: Container[str]) -> str:
    """A name that no table has."""
    while name in taken:
        name += "-kept"
    return name


_DIFFERS: frozenset[Outcome] = BAD | {"gained"}
_NOWHERE: frozenset[Outcome] = frozenset({"unmarked", "unsent"})

# What a table says without a kind: the members that change, and the words that lists lose.
_MEMBERS: Mapping[Kind, Mapping[str, object]] = {
    "tool": {"tools": False},
    "call": {"tool_calls": False},
    "translated": {"translated": [], "translates_messages": False, "translates_system": False},
    "beside": {"translates_beside_tools": False},
    "message": {"message_level": False},
    "list": {"list_level": False},
    "nested": {"nested": False, "nested_parts": []},
}
_IMAGES = frozenset({"image_url", "input_image", "input_file"})
_WORDS: Mapping[Kind, Mapping[str, frozenset[str]]] = {
    "system": {"system": frozenset({"text"})},
    "user": {"user": frozenset({"text"})},
    "assistant": {"assistant": frozenset({"text"})},
    "call": {"assistant": frozenset({"tool_use"})},
    "result": {
        "user": frozenset({"tool_result"}),
        "kept": frozenset({"tool_result"}),
        "tool_messages": frozenset({"tool", "function"}),
        "tool_content": frozenset({"text"}),
    },
    "image": {"result_parts": _IMAGES, "tool_content": _IMAGES, "kept": _IMAGES},
    "blank": {"blank": frozenset({"calling"})},
}


def _table(entry: BlockTable, off: set[Kind], gained: set[Kind]) -> dict[str, object]:
    """A table without what some kinds need, and with what others do."""
    table = entry.model_dump(mode="json", exclude={"sources"})
    for kind in off:
        table |= _MEMBERS.get(kind, {})
        for member, words in _WORDS.get(kind, {}).items():
            table[member] = [word for word in table[member] if word not in words]
    if "beside" in gained:
        table["translates_beside_tools"] = True
    if "blank" in gained:
        table["blank"] = [*table["blank"], "calling"]
    defaults = {name: field.default for name, field in BlockTable.model_fields.items()}
    return {name: value for name, value in table.items() if value != _as_data(defaults[name])}


def _as_data(value: object) -> object:
    return [*value] if isinstance(value, tuple) else value
