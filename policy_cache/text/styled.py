"""Text for people: a list of styled spans.

`plain` joins them, `ansi` adds colour, and neither needs a library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Style: TypeAlias = Literal[
    "", "error", "warning", "note", "help", "location", "gutter", "strong", "dim", "added", "removed"
]

_SGR: dict[Style, str] = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;34",
    "help": "1;36",
    "location": "34",
    "gutter": "34",
    "strong": "1",
    "dim": "2",
    "added": "32",
    "removed": "31",
}

_WIDEST = 44
"""Columns line up to this width; what is wider pushes its own line only."""


class Span(NamedTuple):
    """A stretch of output in one style."""

    text: str
    style: Style = ""


def plain(spans: Iterable[Span]) -> str:
    """The text without its styles."""
    return "".join(span.text for span in spans)


def ansi(spans: Iterable[Span]) -> str:
    """The text with colours for a terminal."""
    return "".join(
        f"\x1b[{_SGR[span.style]}m{span.text}\x1b[0m" if span.style and span.text else span.text
        for span in spans
    )


def column(cells: Iterable[str]) -> int:
    """How wide a column has to be."""
    return min(_WIDEST, max(map(len, cells), default=0))
