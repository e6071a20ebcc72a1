"""Where the parts of a YAML text begin and end, as offsets into it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

_COMMENT = re.compile(r"(?<!\S)#[^\r\n]*")


def item_lines(source: Source, path: Path, number: int) -> list[tuple[str, str, str]] | None:
    """For each item of a block list: the lines above it, the item with its indent, the rest of its line.

    None where an item begins below its `-`.
    """
    found: list[tuple[str, str, str]] = []
    at = source.positions.offset(source.values[*path, 0].line, 1)
    for index in range(number):
        span = source.values[*path, index]
        start, end = extent(source, (*path, index))
        line = source.positions.offset(span.line, 1)
        if source.text[line:start].strip() != "-":
            return None
        stop = line_end(source, end)
        found.append((source.text[at:line], source.text[line:end], source.text[end:stop]))
        at = stop + len(newline(source))
    return found


def extent(source: Source, path: Path) -> tuple[int, int]:
    """The offsets of a value."""
    span = source.values[path]
    offset = source.positions.offset
    return offset(span.line, span.column), offset(span.end_line, span.end_column)


def key_start(source: Source, path: Path) -> int:
    """Where the key of a value begins."""
    span = source.keys[path]
    return source.positions.offset(span.line, span.column)


def key_end(source: Source, path: Path) -> int:
    """Where the key of a value ends."""
    span = source.keys[path]
    return source.positions.offset(span.end_line, span.end_column)


def line_end(source: Source, at: int) -> int:
    """Where the line of an offset ends, its break not counted."""
    ends = [end for end in (source.text.find("\n", at), source.text.find("\r", at)) if end >= 0]
    return min(ends, default=len(source.text))


def newline(source: Source) -> str:
    """How the text ends its lines."""
    return next((ends for ends in ("\r\n", "\n", "\r") if ends in source.text), "\n")


def comments(source: Source, start: int, end: int) -> list[str]:
    """The comments of a part of the text, in order."""
    part = source.text[start:end]
    texts = [path for path in source.values if not isinstance(source.at(path), (dict, list))]
    spans = [extent(source, path) for path in texts]
    spans += [(key_start(source, path), key_end(source, path)) for path in source.keys]
    for first, last in spans:
        if start <= first < end:
            part = part[: first - start] + "." * (last - first) + part[last - start :]
    return _COMMENT.findall(part)


def line_start(source: Source, at: int) -> int:
    """Where the line of an offset begins."""
    return max(source.text.rfind("\n", 0, at), source.text.rfind("\r", 0, at)) + 1
