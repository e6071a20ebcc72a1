"""Where the parts of a YAML text begin and end, as offsets into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy_cache.policy.source import Path, Source


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
    return "\r\n" if "\r\n" in source.text else "\n"
