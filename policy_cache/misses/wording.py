"""How two values of a request differ, in words that repeat neither."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from policy_cache.request.markers import MARKER_KEYS

if TYPE_CHECKING:
    from policy_cache.request.location import Location

# Names that a protocol gives; any other one is the prompt's own, and is not told.
_NAMES = frozenset({
    "arguments", "content", "data", "description", "file", "function", "id", "image_url", "input",
    "input_schema", "name", "parameters", "properties", "required", "signature", "source", "text",
    "thinking", "title", "tool_call_id", "tool_use_id", "type", "url",
})  # fmt: skip
_AROUND = 64

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = rf"""
    (?<!\d)\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?!\d) | (?<!\d)\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}(?!\d)
    | \b{_MONTH}\.?\s+\d{{1,2}}\b(?:,?\s+\d{{4}}\b)? | \b\d{{1,2}}\.?\s+{_MONTH}\b\.?(?:,?\s+\d{{4}}\b)?
    | \b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b
"""
_CLOCK = r"""
    (?<!\d)\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\b)?
    | (?<!\d)1[5-9]\d{8}(?:\d{3}|\.\d+)?(?!\d)
"""
_ID = r"""
    (?<![\w-])(?=[\w-]*\d[\w-]*\d)(?=[\w-]*[a-z])[\w-]{12,}
    | (?<![\w-])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?![\w-])
"""
_KINDS = tuple(
    (kind, re.compile(pattern, re.ASCII | re.IGNORECASE | re.VERBOSE))
    for kind, pattern in (
        ("a UUID", r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
        ("a clock", _CLOCK),
        ("a date", _DATE),
        ("a number", r"(?<![a-z0-9])\d[\d.,]*(?![a-z0-9])"),
        ("a random id", _ID),
    )
)


class Difference(NamedTuple):
    """Where two values differ first, and how.

    Attributes:
        location: The place inside them, as far as a protocol names it.
        words: How they differ: `changed at character 12: looks like a clock`.
    """

    location: Location
    words: str


def difference_of(old: object, new: object) -> Difference | None:
    """How two content blocks, or two definitions of tools, differ; None where they do not."""
    return _values(old, new, (), exact=True, ordered=False)


def _values(
    old: object, new: object, at: Location, *, exact: bool, ordered: bool = True
) -> Difference | None:
    """`exact` says that the location leads all the way; `ordered`, that the order of members counts."""
    if isinstance(old, Mapping) != isinstance(new, Mapping):
        # A text, and the block that it became.
        old, new = _text_of(old), _text_of(new)
    if isinstance(old, str) and isinstance(new, str):
        return _texts(old, new, at, exact=exact)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _members(old, new, at, exact=exact, ordered=ordered)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        for index, (before, after) in enumerate(zip(old, new, strict=False)):
            difference = _values(before, after, (*at, index) if exact else at, exact=exact)
            if difference is not None:
                return difference
        if len(old) != len(new):
            return Difference(at, "got more elements" if len(new) > len(old) else "lost elements")
        return None
    if old == new and type(old) is type(new):
        return None
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in (old, new))
    return Difference(at, "changed: looks like a number" if numbers else "changed")


def _text_of(value: object) -> object:
    if isinstance(value, Mapping) and isinstance(value.get("text"), str):
        return value["text"]
    return value


def _members(
    old: Mapping[str, object], new: Mapping[str, object], at: Location, *, exact: bool, ordered: bool
) -> Difference | None:
    before, after = (
        [name for name in fields if name not in MARKER_KEYS and fields[name] is not None]
        for fields in (old, new)
    )
    for name in dict.fromkeys((*before, *after)):
        known = exact and name in _NAMES
        place = (*at, name) if known else at
        if old.get(name) is None:
            return Difference(place, "was added" if known else "got a new member")
        if new.get(name) is None:
            return Difference(place, "is gone" if known else "lost a member")
        if (difference := _values(old[name], new[name], place, exact=known)) is not None:
            return difference
    return Difference(at, "changed in the order of its JSON keys") if ordered and before != after else None


def _texts(old: str, new: str, at: Location, *, exact: bool) -> Difference | None:
    if old == new:
        return None
    if (before := _json(old)) and (after := _json(new)) and before.sorted == after.sorted:
        if before.plain != after.plain:
            return Difference(at, "changed in the order of its JSON keys")
        if at[-1:] == ("arguments",):
            return None  # sent as what it parses to
    index = _common(old, new)
    place = f" at character {index + 1:,}" if exact else ""
    if "".join(old.split()) == "".join(new.split()):
        return Difference(at, f"changed{place}: white space only")
    if kind := looks_like(old, new, index):
        return Difference(at, f"changed{place}: looks like {kind}")
    if index == len(old):
        return Difference(at, f"goes on{place}, where it ended before")
    if index == len(new):
        return Difference(at, f"ends{place}, where it went on before")
    return Difference(at, f"changed{place}")


class _Json(NamedTuple):
    """A text of JSON, written again: with its keys in their own order, and sorted."""

    plain: str
    sorted: str


def _json(text: str) -> _Json | None:
    if text[:1] not in {"{", "["}:
        return None
    try:
        value = json.loads(text)
        return _Json(json.dumps(value), json.dumps(value, sort_keys=True))
    except (ValueError, RecursionError):
        return None


def _common(old: str, new: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(old), len(new))
    while low < high:
        middle = (low + high + 1) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def looks_like(old: str, new: str, index: int) -> str | None:
    """What kind of thing stands in both texts where they begin to differ: `a clock`, `a UUID`."""
    for kind, pattern in _KINDS:
        before, after = _around(pattern, old, index), _around(pattern, new, index)
        # A thing that ends just before the difference is none that differs, unless it went on.
        if before and after and index < max(before, after):
            return kind
    return None


def _around(pattern: re.Pattern[str], text: str, index: int) -> int:
    """The end of the match that holds an index, or ends with it; 0 without one."""
    for match in pattern.finditer(text, max(0, index - _AROUND), index + _AROUND):
        if match.start() <= index <= match.end():
            return match.end()
    return 0
