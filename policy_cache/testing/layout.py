"""The text of a test file: where its parts begin and end, as offsets, and how values are spelled in YAML."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from policy_cache.policy.text.scalars import old_boolean, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

_COMMENT = re.compile(r"(?<!\S)#[^\r\n]*")


def item_lines(source: Source, path: Path, number: int) -> list[tuple[str, str, str]] | None:
    """For each item of a block list: the lines above it, the item with its indent, the rest of its line.

    None where an item begins below its `-`.
    """
    items: list[tuple[str, str, str]] = []
    at = source.positions.offset(source.values[*path, 0].line, 1)
    for index in range(number):
        span = source.values[*path, index]
        start, end = extent(source, (*path, index))
        line = source.positions.offset(span.line, 1)
        if source.text[line:start].strip() != "-":
            return None
        stop = line_end(source, end)
        items.append((source.text[at:line], source.text[line:end], source.text[end:stop]))
        at = stop + len(newline(source))
    return items


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


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*|[1-9]+[mh]")


def spell(value: object) -> str:
    """Spell a value of JSON's types in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spell(str(key))}: {spell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(spell, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and _is_text(value):
        return value
    return "".join(c if c.isprintable() else _escaped(c) for c in json.dumps(value, ensure_ascii=False))


def block(entries: Mapping[str, object], indent: int, newline: str) -> str:
    """Spell a mapping in block style, its lists of places one to a line; the first line is not indented."""
    lines = [entry(name, value, indent, newline) for name, value in entries.items()]
    return f"{newline}{' ' * indent}".join(lines)


def entry(name: str, value: object, indent: int, newline: str) -> str:
    """Spell one key with its value, beginning at a column that is known to be free."""
    if name in {"breakpoints", "wire"} and isinstance(value, list) and value:
        return newline.join([f"{name}:", *(f"{' ' * (indent + 2)}- {spell(item)}" for item in value)])
    if name == "reasons" and isinstance(value, dict) and value:
        return f"{name}:{newline}{' ' * (indent + 2)}" + block(value, indent + 2, newline)
    return f"{spell(name)}: {spell(value)}"


def _is_text(word: str) -> bool:
    return old_boolean(word) is None and isinstance(resolve(word), str)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
