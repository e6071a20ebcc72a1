"""Targets: what a policy names, and where that is in a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from policy_cache.request.blocks import END, MESSAGES, REQUEST, SYSTEM, TOOLS, Order
from policy_cache.request.location import Location, Mapped, fields_of
from policy_cache.request.path import compile_path
from policy_cache.request.prompt import SYSTEM_ROLES, TOOL_ROLES, Prompt


class Hit(NamedTuple):
    """What a target named in one request.

    Attributes:
        location: Where it is.
        order: The latest place in the prefix that it covers; None outside the prompt.
        depth: How many components of the order a marker must share, so as not to have moved.
    """

    location: Location
    order: Order | None
    depth: int


Finder: TypeAlias = Callable[[Prompt], Sequence[Hit]]

# A NamedTuple's own constructor is a Python call, and hits are made for every request.
_new = tuple.__new__

_SECTION, _ELEMENT, _BLOCK, _NEVER = 1, 2, 4, 5


def compile_target(text: str, boundary: str | None = None) -> Finder:
    """Compile a target: a named one, or a JSONPath; `boundary` is that of `system.stable`.

    Raises:
        PathError: The JSONPath cannot be used.
        KeyError: No such named target.
    """
    if boundary is not None:
        return partial(_system_stable, boundary)
    if not text.startswith("$"):
        return NAMED[text]
    path = compile_path(text)

    def find(prompt: Prompt) -> Sequence[Hit]:
        return Mapped(path.locations(prompt.request), partial(_hit, prompt))

    return find


def _hit(prompt: Prompt, location: Location) -> Hit:
    """Where a path's location stands in the prefix: at a block, or around several."""
    match location:
        case ("tools", *rest):
            return _in_tools(prompt, location, rest)
        case (name, *rest) if name == prompt.system_name and (prompt.leading == 0 or prompt.system):
            number = rest[0] if rest and isinstance(rest[0], int) else END if not rest else 0
            place = -1 if prompt.leading else 0
            return Hit(location, (SYSTEM, place, 0, number), _depth(rest, whole=_SECTION))
        case (name,) if name == prompt.area:
            return Hit(location, (MESSAGES, len(prompt.messages) - 1, END, END), _SECTION)
        case (name, int(index), *rest) if name == prompt.area:
            return _in_message(prompt, location, index, rest)
    return Hit(location, None, _NEVER)


def _in_tools(prompt: Prompt, location: Location, rest: list[str | int]) -> Hit:
    if rest and isinstance(rest[0], int):
        return Hit(location, (TOOLS, rest[0], 0, 0), _depth(rest, whole=_BLOCK))
    return Hit(location, (TOOLS, len(prompt.tools) - 1, END, END), _SECTION)


def _in_message(prompt: Prompt, location: Location, index: int, rest: list[str | int]) -> Hit:
    section = SYSTEM if index < prompt.leading else MESSAGES
    if prompt.messages[index].get("role") in TOOL_ROLES:
        match rest:
            case ["content" | "output", int(number), *deeper]:
                return Hit(location, (section, index, 0, number), _NEVER if deeper else _BLOCK)
            case ["content" | "output"] | []:
                return Hit(location, (section, index, 0, END), _ELEMENT)
        return Hit(location, (section, index, 0, END), _NEVER)
    match rest:
        case ["content", int(number), *deeper]:
            return Hit(location, (section, index, 0, number), _NEVER if deeper else _BLOCK)
        case ["content"]:
            return Hit(location, (section, index, 0, END), _ELEMENT)
        case ["tool_calls", int(number), *deeper]:
            return Hit(location, (section, index, 1, number), _NEVER if deeper else _BLOCK)
    return Hit(location, (section, index, END, END), _ELEMENT)


def _depth(rest: list[str | int], *, whole: int) -> int:
    return whole if not rest else _BLOCK if len(rest) == 1 else _NEVER


Place: TypeAlias = tuple[int, int]
"""A whole element of the prefix: its section and its index, -1 for a system prompt beside the messages."""


def _system(prompt: Prompt) -> Place | None:
    leading = prompt.leading
    return (SYSTEM, leading - 1) if leading or prompt.request.get(prompt.system_name) else None


def _tools(prompt: Prompt) -> Place | None:
    return (TOOLS, len(prompt.tools) - 1) if prompt.tools else None


def _last(prompt: Prompt) -> Place | None:
    last = len(prompt.messages) - 1
    return (MESSAGES, last) if last >= prompt.leading else None


def _previous_turn(prompt: Prompt) -> Place | None:
    messages, leading = prompt.messages, prompt.leading
    index = len(messages) - 1
    while index >= leading and messages[index].get("role") != "assistant":
        index -= 1
    while index >= leading and messages[index].get("role") == "assistant":
        index -= 1
    return (MESSAGES, index) if index >= leading else None


PLACES: dict[str, Callable[[Prompt], Place | None]] = {
    "system": _system,
    "tools": _tools,
    "messages.last": _last,
    "messages.previous_turn": _previous_turn,
}
"""The named targets that mean the end of a whole element."""


def _at(find: Callable[[Prompt], Place | None]) -> Finder:
    def hits(prompt: Prompt) -> list[Hit]:
        place = find(prompt)
        if place is None:
            return []
        section, index = place
        location: Location = (prompt.system_name,)
        if index >= 0:
            location = ("tools", index) if section == TOOLS else prompt.at(index)
        return [_new(Hit, (location, (section, max(index, 0), END, END), _SECTION))]

    return hits


def _last_user(prompt: Prompt) -> list[Hit]:
    for index in range(len(prompt.messages) - 1, prompt.leading - 1, -1):
        message = prompt.messages[index]
        content = message.get("content")
        if message.get("role") != "user":
            continue
        if isinstance(content, str) and content:
            return [_new(Hit, (prompt.at(index), (MESSAGES, index, END, END), _ELEMENT))]
        number = _last_part(content, results=False)
        if number is not None:
            location: Location = (*prompt.content_at(index), number)
            return [_new(Hit, (location, (MESSAGES, index, 0, number), _BLOCK))]
    return []


def _last_tool_result(prompt: Prompt) -> list[Hit]:
    for index in range(len(prompt.messages) - 1, prompt.leading - 1, -1):
        message = prompt.messages[index]
        if message.get("role") in TOOL_ROLES:
            return [_new(Hit, (prompt.at(index), (MESSAGES, index, 0, END), _ELEMENT))]
        number = _last_part(message.get("content"), results=True) if message.get("role") == "user" else None
        if number is not None:
            location: Location = (*prompt.content_at(index), number)
            return [_new(Hit, (location, (MESSAGES, index, 0, number), _BLOCK))]
    return []


def _system_stable(boundary: str, prompt: Prompt) -> Sequence[Hit]:
    """The last block before the first that holds the boundary; without one, the end of the system prompt."""
    stable: list[Hit] = []
    for at, content, place in _system_contents(prompt):
        listed = isinstance(content, (list, tuple))
        for number, part in enumerate(content if isinstance(content, (list, tuple)) else [content]):
            text = part if isinstance(part, str) else (fields_of(part) or {}).get("text")
            if isinstance(text, str) and boundary in text:
                return stable
            if text:
                whole = (at, (SYSTEM, place, 0, END), _ELEMENT)
                block = ((*at, number), (SYSTEM, place, 0, number), _BLOCK)
                stable = [_new(Hit, block if listed else whole)]
    return NAMED["system"](prompt)


def _system_contents(prompt: Prompt) -> Iterator[tuple[Location, object, int]]:
    """What the system prompt says, in the prefix's order, with the place of each in it."""
    yield (prompt.system_name,), prompt.system, -1 if prompt.leading else 0
    for index in range(prompt.leading):
        yield prompt.content_at(index), prompt.messages[index].get("content"), index


# What clients put beside a user's words and change with every request: Claude Code, Cline and Codex.
_REMINDERS = ("<system-reminder>", "<environment_details>", "<environment_context>")


def _stable(prompt: Prompt) -> list[Hit]:
    """The last block before trailing system messages and a user's reminders."""
    for index in range(len(prompt.messages) - 1, prompt.leading - 1, -1):
        message = prompt.messages[index]
        role, content = message.get("role"), message.get("content")
        if role in SYSTEM_ROLES:
            continue
        if role == "user" and isinstance(content, (list, tuple)):
            number = next((n for n in reversed(range(len(content))) if not _is_reminder(content[n])), None)
            if number is None:
                continue
            location: Location = (*prompt.content_at(index), number)
            return [_new(Hit, (location, (MESSAGES, index, 0, number), _BLOCK))]
        if role != "user" or not _is_reminder(content):
            return [_new(Hit, (prompt.at(index), (MESSAGES, index, END, END), _ELEMENT))]
    return []


def _is_reminder(part: object) -> bool:
    text = part if isinstance(part, str) else (fields_of(part) or {}).get("text")
    return isinstance(text, str) and text.lstrip().startswith(_REMINDERS)


def _last_part(content: object, *, results: bool) -> int | None:
    """The last content block that is a tool result, or that is none."""
    if not isinstance(content, (list, tuple)):
        return None
    for number in range(len(content) - 1, -1, -1):
        block = fields_of(content[number])
        if block is not None and (block.get("type") == "tool_result") is results:
            return number
    return None


def _request(_: Prompt) -> list[Hit]:
    return [_new(Hit, ((), (REQUEST, 0, 0, 0), _BLOCK))]


NAMED: dict[str, Finder] = {
    **{name: _at(find) for name, find in PLACES.items()},
    "system.stable": _at(_system),  # up to a boundary
    "messages.stable": _stable,
    "messages.last_user": _last_user,
    "messages.last_tool_result": _last_tool_result,
    "request": _request,
}
"""Every named target."""
