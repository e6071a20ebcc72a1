"""Why a target named nothing in a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.engine.reasons import MEANING
from policy_cache.request.location import fields_of
from policy_cache.request.path import compile_path
from policy_cache.text.values import place, word

if TYPE_CHECKING:
    from policy_cache.engine.match import Facts

_QUOTING = ".[]'\""
_NAMED = {
    "tools": "the request has no tools",
    "system": "the request has no system prompt",
    "messages.last": "no message follows the system prompt",
    "messages.last_user": "no user turn that is more than tool results",
    "messages.last_tool_result": "the conversation has no tool result",
    "messages.previous_turn": "nothing stands before an assistant turn: the conversation begins here",
}


def why_missed(target: str, facts: Facts) -> str:
    """Why a target named nothing: for a path, the segment at which it stopped and what stood there."""
    miss = compile_path(target).miss(facts.request) if target.startswith("$") else None
    if miss is None:
        return _NAMED.get(target, MEANING["no_target"])
    here = place(miss.location) if miss.location else "the request"
    return f"stopped at `{word(miss.segment)}`: {here} {_lack(miss.segment, miss.value)}"


def _lack(segment: str, value: object) -> str:
    """What a value is that a segment of a path finds nothing in."""
    name = segment.startswith((".", "['", '["'))
    index = segment[1:-1].lstrip("-").isdigit()
    if isinstance(value, (list, tuple)):
        if name and not segment.startswith(".."):
            return f"is a list of {len(value)}, not an object: add an index, as in `[-1]`"
        if index or not value:
            return f"has {len(value)} elements" if value else "is an empty list"
        return f"is a list of {len(value)}, and none matches"
    if fields_of(value) is not None:
        if segment.startswith(".."):
            return "has no such name at any depth"
        if name:
            return f"has no `{word(segment.strip(_QUOTING))}`"
        return "is an object, not a list" if index else "has no member that matches"
    kind = "a text" if isinstance(value, str) else "null" if value is None else type(value).__name__
    return f"is {kind}, not {'an object' if name else 'a list'}"
