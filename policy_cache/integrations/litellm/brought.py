"""What the installed litellm makes of a client's own markers, where no policy would put one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policy_cache.integrations.litellm.finding import BROUGHT
from policy_cache.integrations.litellm.wire import WireError, wire
from policy_cache.request.markers import FOREIGN, KEY
from policy_cache.request.prompt import AREAS
from policy_cache.request.sample import IMAGES, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.integrations.litellm.finding import Brought, Outcome
    from policy_cache.integrations.litellm.wire import Wire
    from policy_cache.live.engine import Engine
    from policy_cache.providers.catalog import BlockTable, RouteEntry
    from policy_cache.request.prompt import Shape

_MARKERS: dict[str, dict[str, str]] = {KEY: {"type": "ephemeral"}, FOREIGN: {"mode": "explicit"}}
_OTHER = {KEY: FOREIGN, FOREIGN: KEY}


def brought(
    passing: Engine, entry: RouteEntry, shape: Shape, table: BlockTable
) -> Iterator[tuple[Brought, Outcome]]:
    """What becomes of each kind of a client's marker in a shape; `passing` is an engine without rules."""
    outcomes = {kind: _outcome(passing, entry, shape, table, kind) for kind in BROUGHT}
    if outcomes["translated"] == "lost":
        outcomes["beside"] = "unmarked"  # so is that, and for the same reason
    yield from outcomes.items()


def _outcome(passing: Engine, entry: RouteEntry, shape: Shape, table: BlockTable, kind: Brought) -> Outcome:
    made = _made(entry, shape, kind)
    if made is None:
        return "unmarked"
    whole, carrier = made
    own = passing.route(whole, shape=shape).key
    key = _OTHER[own] if kind in ("translated", "beside") else own
    carrier[key] = _MARKERS[key]
    counts = any(point.slot is not None for point in passing.plan(whole, shape=shape).breakpoints)
    if not counts and not _may_gain(kind, table):
        return "unmarked"
    try:
        sent = wire(whole, shape=shape)
    except WireError:
        return "unsent"
    if counts:
        return "kept" if sent.markers else "lost"
    return "gained" if _is_read(sent, own) else "unmarked"


def _made(entry: RouteEntry, shape: Shape, kind: Brought) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """A request, and what is to carry the marker in it; None where the shape has no such place."""
    blocks = "user" if kind in ("translated", "beside", "list") else ""
    whole = request(shape, str(entry.example), elsewhere=entry.custom_host, blocks=blocks)
    turns = whole[AREAS[shape]]
    first = 0 if shape == "messages" else 1
    question, call, result = turns[first], turns[first + 3], turns[first + 4]
    if kind == "beside":
        return whole, question["content"][0]
    if kind == "translated":
        del whole["tools"]
        whole[AREAS[shape]] = [*turns[: first + 2], turns[-1]]
        return whole, question["content"][0]
    if kind == "nested" and shape == "messages":
        parts = result["content"][0]["content"] = [{"type": "text", "text": "RESULT"}]
        return whole, parts[0]
    if kind == "image" and shape in IMAGES:
        words = {"type": "input_text" if shape == "responses" else "text", "text": "RESULT"}
        parts = result["output" if shape == "responses" else "content"] = [words, dict(IMAGES[shape])]
        return whole, parts[1]
    if kind == "blank" and shape == "chat":
        call["content"] = [{"type": "text", "text": " "}]
        return whole, call["content"][0]
    if kind in ("message", "list") and shape != "messages":
        return whole, question
    return None


def _may_gain(kind: Brought, table: BlockTable) -> bool:
    """Whether the table says that such a marker does not arrive, and could say that it does."""
    if kind == "beside":
        return bool(table.translated) and not table.translates_beside_tools
    return kind == "blank" and "text" in table.assistant and "calling" not in table.blank


def _is_read(sent: Wire, key: str) -> bool:
    """Whether a content block has the route's marker, in a message that litellm did not pass on as it was."""
    for marker in sent.markers:
        value = sent.sent[marker.call].body
        passed_on = False
        for step in marker.location:
            value = value[step]
            passed_on = passed_on or (isinstance(value, dict) and "tool_calls" in value)
        if len(marker.location) > 3 and key in value and not passed_on:
            return True
    return False
