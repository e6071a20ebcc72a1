"""Offsets into a text, and the lines and columns of people."""

from __future__ import annotations

import bisect
import re

from policy_cache.diagnostics import Region

LINE_BREAK = re.compile(r"\r\n|\r|\n")


def split_lines(text: str) -> tuple[str, ...]:
    """The lines of a text as editors count them, without their ends."""
    return tuple(LINE_BREAK.split(text))


class Positions:
    """Turns offsets into a text into spans."""

    __slots__ = ("_ends", "_last", "_length", "_starts")

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._last = len(text.rstrip())
        breaks = [match.span() for match in LINE_BREAK.finditer(text)]
        self._starts = (0, *(end for _, end in breaks))
        self._ends = (*(start for start, _ in breaks), len(text))

    def span(self, start: int, end: int) -> Region:
        """The span of `text[start:end]`, or of the last thing before it when it lies past the end."""
        start = min(start, self._last)
        end = max(start, min(end, self._length))
        line, column = self._place(start)
        if start <= end <= self._ends[line - 1]:  # on the same line, as most are
            return Region(line, column, line, column + end - start)
        end_line, end_column = self._place(end)
        return Region(line, column, end_line, end_column)

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column, both counted from 1."""
        return self._starts[line - 1] + column - 1

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect.bisect_right(self._starts, offset)
        # Between a carriage return and its line feed there is no column.
        return line, min(offset, self._ends[line - 1]) - self._starts[line - 1] + 1
