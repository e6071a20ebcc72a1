"""One place in a request, as a person names it: a normalized path to something that is there."""

from __future__ import annotations

import re

from policy_cache.errors import PathError, PolicyCacheError
from policy_cache.request.location import Key, Location, fields_of, kind_of, place
from policy_cache.request.path import compile_path
from policy_cache.text.amounts import counted
from policy_cache.text.words import quoted, suggest, word

_NORMALIZED = re.compile(r"\$(?:\[(?:0|[1-9][0-9]*)\]|\['(?:[^'\\]|\\(?:u[0-9a-f]{4}|.))*'\])*")
_STEP = re.compile(r"\[(?:(\d+)|'((?:[^'\\]|\\(?:u[0-9a-f]{4}|.))*)')\]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|(.))")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class SpotError(PolicyCacheError):
    """A text that names no place in the request; says which is nearest."""


def locate(text: str, request: object) -> Location:
    """The location that a normalized path names.

    Args:
        text: The path, such as `$['messages'][4]`; its `$`, which shells act on, may be left out.
        request: The request to look in.

    Raises:
        SpotError: It is not a normalized path, or leads to nothing in the request.
    """
    text = f"${text}" if text.startswith("[") else text
    if not _NORMALIZED.fullmatch(text):
        raise SpotError(f"{quoted(text)} is not a normalized path, {_meant(text, request)}")
    location: Location = tuple(
        int(index) if index else _ESCAPE.sub(_unescaped, name) for index, name in _STEP.findall(text)
    )
    here: Location = ()
    value = request
    for key in location:
        member = _step(value, key)
        if member is None:
            near = (*here, *_nearest(value, key))
            where = place(here) if here else "the request"
            raise SpotError(
                f"{quoted(text)} is not in the request: {where} {_lack(value, key)}; "
                f"the nearest place is {place(near)}"
            )
        here, value = (*here, key), member[0]
    return location


def _unescaped(match: re.Match[str]) -> str:
    code, letter = match.groups()
    return chr(int(code, 16)) if code else _LETTERS.get(letter, letter)


def _meant(text: str, request: object) -> str:
    """What may have been meant by another path: the first place that it matches."""
    try:
        hits = compile_path(text).find(request)
    except PathError:
        hits = []
    if hits:
        return f"did you mean {place(hits[0])}?"
    return "as in $['messages'][4] or $['tools'][0]"


def _step(value: object, key: Key) -> tuple[object] | None:
    """What stands at one key, in a tuple of its own; None where nothing does."""
    if isinstance(key, int):
        return (value[key],) if isinstance(value, (list, tuple)) and key < len(value) else None
    fields = fields_of(value)
    return (fields[key],) if fields is not None and key in fields else None


def _nearest(value: object, key: Key) -> Location:
    """The nearest key that is there, or none where the value itself is nearest."""
    if isinstance(value, (list, tuple)):
        return (len(value) - 1,) if value and isinstance(key, int) else ()
    names = [name for name in fields_of(value) or {} if isinstance(name, str)]
    close = suggest(key, names) if isinstance(key, str) else None
    return () if close is None else (close,)


def _lack(value: object, key: Key) -> str:
    if isinstance(value, (list, tuple)) and isinstance(key, int):
        return f"has {counted(len(value), 'element')}"
    if fields_of(value) is not None and isinstance(key, str):
        return f"has no `{word(key)}`"
    return f"is {kind_of(value)}, not {'a list' if isinstance(key, int) else 'an object'}"
