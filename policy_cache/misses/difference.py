"""Where the prompt of one request leaves the prompt of the request before it, and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from policy_cache.cache.prompt import LEVELS, Level
from policy_cache.misses.wording import difference_of
from policy_cache.request.location import value_at
from policy_cache.request.prompt import PROMPT_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.cache.prompt import CachedBlock, CachedPrompt
    from policy_cache.request.location import Location

Cause: TypeAlias = Literal[
    "model_switched",
    "tool_order",
    "tool_added",
    "tool_removed",
    "tool_changed",
    "speed",
    "citations",
    "system_changed",
    "tool_choice",
    "thinking",
    "effort",
    "images",
    "message_changed",
    "conversation_cut",
    "below_minimum",
    "no_breakpoint",
    "expired",
    "lookback",
    "not_readable_yet",
    "unexplained",
]

# What `cache.reading.parameters` says of a level, in its order, and where a request says it.
_PARAMETERS: Mapping[Level, tuple[tuple[Cause, Location], ...]] = {
    "system": (("speed", ("speed",)), ("citations", ())),
    "messages": (
        ("tool_choice", ("tool_choice",)),
        ("thinking", ("thinking",)),
        ("effort", ("output_config", "effort")),
        ("images", ()),
    ),
}
_LONG = 40


class Sent(NamedTuple):
    """The request that a prompt was read from, and that prompt, without breakpoints."""

    request: Mapping[str, Any]
    prompt: CachedPrompt


class Change(NamedTuple):
    """What changed from one request to the next.

    Attributes:
        cause: What kind of change it is.
        location: What changed: a block of the later request, of the earlier one where it is gone.
        words: How.
    """

    cause: Cause
    location: Location
    words: str


def common_blocks(before: CachedPrompt, after: CachedPrompt) -> int:
    """How many blocks two prompts begin with alike, whatever their models and breakpoints."""
    entered = 0
    number = 0
    for old, new in zip(before.blocks, after.blocks, strict=False):
        if old is not new and (old.content != new.content or old.level != new.level):
            break
        while entered <= LEVELS.index(new.level):
            level = LEVELS[entered]
            if before.parameters.get(level) != after.parameters.get(level):
                return number
            entered += 1
        number += 1
    return number


def change_at(before: Sent, after: Sent, at: int) -> Change:
    """What changed at the first block that two prompts do not have in common; both must have it."""
    old, new = before.prompt.blocks[at], after.prompt.blocks[at]
    if old.content == new.content and old.level == new.level:
        return _parameter(before, after, new.level)
    if "tool" in {old.kind, new.kind}:
        return _tool(before, after, at)
    if "system" in {old.level, new.level}:
        return _told("system_changed", before, after, at)
    if len(after.prompt.blocks) < len(before.prompt.blocks) or _is_cleared(old, new):
        return Change("conversation_cut", new.location, "is where the conversation was cut back")
    return _told("message_changed", before, after, at)


def _is_cleared(old: CachedBlock, new: CachedBlock) -> bool:
    """Whether a tool's result gave way to a stand-in, as context editing does."""
    return old.kind == new.kind == "tool_result" and 2 * new.tokens < old.tokens


def _parameter(before: Sent, after: Sent, level: Level) -> Change:
    for entered in LEVELS[: LEVELS.index(level) + 1]:
        values = (json.loads(sent.prompt.parameters.get(entered, b"[]")) for sent in (before, after))
        for (cause, location), old, new in zip(_PARAMETERS.get(entered, ()), *values, strict=False):
            if old == new:
                continue
            if not location:
                return Change(cause, (), f"{cause} {'came' if new else 'went'}")
            return _spelled(Change(cause, location, "changed"), old, new)
    return Change("message_changed", (), "a parameter changed")


def _spelled(change: Change, old: object, new: object) -> Change:
    """A change of thinking, told by the parameter that a chat request says it with."""
    by_effort = [isinstance(value, Mapping) and "effort" in value for value in (old, new)]
    if change.cause == "thinking" and any(by_effort):
        return Change("effort" if all(by_effort) else "thinking", ("reasoning_effort",), change.words)
    return change


def _tool(before: Sent, after: Sent, at: int) -> Change:
    old, new = before.prompt.blocks[at], after.prompt.blocks[at]
    were = [block.content for block in before.prompt.blocks if block.kind == "tool"]
    are = [block.content for block in after.prompt.blocks if block.kind == "tool"]
    if new.kind == "tool" and sorted(were) == sorted(are):
        return Change("tool_order", new.location, "is another tool; the tools are the same in another order")
    if old.kind != "tool" or (new.content not in were and old.content in are):
        return Change("tool_added", new.location, "was added")
    if new.kind != "tool" or (old.content not in are and new.content in were):
        return Change("tool_removed", old.location, "of the request before was removed")
    return _told("tool_changed", before, after, at)


def _told(cause: Cause, before: Sent, after: Sent, at: int) -> Change:
    old, new = before.prompt.blocks[at], after.prompt.blocks[at]
    if old.level != new.level:
        gone = LEVELS.index(old.level) < LEVELS.index(new.level)
        block, words = (old, "of the request before was removed") if gone else (new, "was added")
        return Change(cause, block.location, words)
    try:
        difference = (
            None
            if _is_hashed(after.request)
            else difference_of(value_at(before.request, old.location), value_at(after.request, new.location))
        )
    except RecursionError:
        difference = None
    if difference is None:
        return Change(cause, new.location, "changed")
    return Change(cause, (*new.location, *difference.location), difference.words)


def _is_hashed(request: Mapping[str, Any]) -> bool:
    """Whether the texts of a request are stand-ins, in which a character says nothing."""
    return any(map(_is_stand_in, chain(*(_texts(request.get(name)) for name in PROMPT_MEMBERS))))


def _is_stand_in(text: str) -> bool:
    # A hash of 16 bytes, written with 94 symbols, over and over.
    return len(text) > _LONG and any(
        text[period:] == text[:-period] and len(set(text[:period])) > period // 2 for period in (18, 19, 20)
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
