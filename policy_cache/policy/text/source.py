"""A policy as text: its data, and where each part of it is written.

PC117: the file is empty, or holds comments alone.

Bad:
    # rules will follow
Good:
    version: 1
    name: example
    rules: []
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic, Path, Region
from policy_cache.errors import PolicyError
from policy_cache.policy.text.compose import Data, compose
from policy_cache.policy.text.file import check_characters, check_size, decode
from policy_cache.policy.text.positions import Positions, split_lines

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Source:
    """A policy file that is YAML, whether or not it is a policy.

    Attributes:
        name: The path to show.
        text: The text, without a byte order mark.
        lines: Its lines, without their ends.
        data: What YAML makes of it: dicts, lists and scalars.
        values: The span of each value, by data path.
        keys: The span of each key, by the data path of its value.
        holes: Data paths whose value could not be told, each with a diagnostic of its own.
        diagnostics: What YAML itself gave reason to say.
        digest: The SHA-256 of the file's bytes, in hexadecimal.
        positions: Offsets into the text, to and from spans.
    """

    name: str
    text: str
    lines: tuple[str, ...]
    data: Data
    values: Mapping[Path, Region]
    keys: Mapping[Path, Region]
    holes: frozenset[Path]
    diagnostics: tuple[Diagnostic, ...]
    digest: str
    positions: Positions = field(repr=False, compare=False)

    @property
    def revision(self) -> str:
        """A short name for exactly these bytes."""
        return f"sha256:{self.digest[:12]}"

    def span(self, path: Path) -> Region | None:
        """Where a value is best pointed at: the value, or its key when the value begins below it."""
        value, key = self.values.get(path), self.keys.get(path)
        if value is None or (key is not None and value.line != key.line):
            return key or value
        return value

    def key_span(self, path: Path) -> Region | None:
        """Where a value begins: its key, or the value itself in a list."""
        return self.keys.get(path) or self.values.get(path)

    def span_in(self, path: Path, start: int, end: int) -> Region | None:
        """The span of some characters of a text value.

        A block or escaped scalar is spelled unlike its value: then the whole scalar is meant.
        """
        span = self.values.get(path)
        if span is None:
            return None
        value = self.at(path)
        raw = self.raw(path)
        first = self.positions.offset(span.line, span.column)
        if raw == value:
            return self.positions.span(first + start, first + end)
        if raw[:1] in {"'", '"'} and raw[1:-1] == value:
            return self.positions.span(first + 1 + start, first + 1 + end)
        return span

    def is_told(self, path: Path) -> bool:
        """Whether a value is known: neither a hole nor inside one."""
        return not any(path[:end] in self.holes for end in range(len(path) + 1)) if self.holes else True

    def raw(self, path: Path) -> str:
        """A scalar as it is spelled, quotes included."""
        span = self.values[path]
        start = self.positions.offset(span.line, span.column)
        return self.text[start : self.positions.offset(span.end_line, span.end_column)]

    def at(self, path: Path) -> Data:
        """The value at a path that exists."""
        value = self.data
        for step in path:
            if isinstance(value, dict):
                value = value[str(step)]
            elif isinstance(value, list):
                value = value[int(step)]
        return value


def parse(content: str | bytes, name: str) -> Source:
    """Read a policy's text, or the bytes of its file.

    Raises:
        PolicyError: It is too large, not UTF-8, not one YAML document, or empty.
    """
    data = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    check_size(data, name)
    text = check_characters(content if isinstance(content, str) else decode(data, name), name)
    composed = compose(text, name)
    lines = split_lines(text)
    if composed.data is None and not composed.holes:
        fix = "begin with `version: 1`, `name:` and `rules:`"
        empty = Diagnostic(
            "PC117", "error", "the file is empty", span=Region(1, 1, 1, 1), help=fix, file=name
        )
        raise PolicyError([*composed.diagnostics, empty], lines=lines)
    return Source(
        name=name,
        text=text,
        lines=lines,
        data=composed.data,
        values=composed.values,
        keys=composed.keys,
        holes=frozenset(composed.holes),
        diagnostics=tuple(composed.diagnostics),
        digest=hashlib.sha256(data).hexdigest(),
        positions=Positions(text),
    )
