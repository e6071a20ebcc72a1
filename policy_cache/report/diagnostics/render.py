"""Diagnostics for people and for machines."""

from __future__ import annotations

import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Label
from policy_cache.text.styled import Span
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy_cache.diagnostics import Diagnostic, Region
    from policy_cache.text.styled import Style

_WIDTH = 100
_TAB = "    "
FORMAT_VERSION = 1
"""Grows when a consumer of `as_json` would have to change; a new key is no such reason."""


def concise(diagnostic: Diagnostic) -> list[Span]:
    """One line: the place, the code and the message."""
    place = f":{diagnostic.span.line}:{diagnostic.span.column}" if diagnostic.span else ""
    return [
        Span(visible(diagnostic.file) + place, "location"),
        Span(": "),
        Span(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity),
        Span(f": {visible(diagnostic.message)}\n"),
    ]


def full(diagnostic: Diagnostic, lines: Sequence[str]) -> list[Span]:
    """A block: the message, the source with a caret under the place, and the likely fix.

    Arguments:
        diagnostic: What to show.
        lines: The lines of the file it is about, as `Source.lines` or `PolicyError.lines` hold them.
    """
    spans = [
        Span(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity),
        Span(f": {visible(diagnostic.message)}\n", "strong"),
    ]
    marks = _marks(diagnostic, lines)
    indent = " " * len(str(max((mark.span.line for mark in marks), default=0)))
    place = f":{diagnostic.span.line}:{diagnostic.span.column}" if diagnostic.span else ""
    spans += [Span(f"{indent}--> ", "gutter"), Span(visible(diagnostic.file) + place + "\n", "location")]
    if marks:
        spans.append(Span(f"{indent} |\n", "gutter"))
        spans += _snippet(diagnostic, marks, lines, indent)
    for kind, text in (("note", diagnostic.note), ("help", diagnostic.help)):
        if text:
            spans += [Span(f"{indent} = ", "gutter"), Span(f"{kind}:", "help"), Span(f" {visible(text)}\n")]
    return spans


def as_json(diagnostics: Iterable[Diagnostic]) -> dict[str, object]:
    """The diagnostics as JSON data; lines and columns count from 1, and an end is exclusive."""
    return {"format_version": FORMAT_VERSION, "diagnostics": [_as_dict(d) for d in diagnostics]}


def _as_dict(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": visible(diagnostic.file),
        **_as_place(diagnostic.span),
        "path": list(diagnostic.path),
        "labels": [{"text": label.text, **_as_place(label.span)} for label in diagnostic.labels],
        "help": diagnostic.help,
        "note": diagnostic.note,
        "fix": {"text": diagnostic.fix.text, **_as_place(diagnostic.fix.span)} if diagnostic.fix else None,
    }


def _as_place(span: Region | None) -> dict[str, object]:
    names = ("line", "column", "end_line", "end_column")
    return {name: getattr(span, name) if span else None for name in names}


def _marks(diagnostic: Diagnostic, lines: Sequence[str]) -> list[Label]:
    """What to underline, in the order of the source; the diagnostic's own place always among it."""
    labels = list(diagnostic.labels)
    if diagnostic.span and all(label.span != diagnostic.span for label in labels):
        labels.append(Label(diagnostic.span, ""))
    return sorted((label for label in labels if label.span.line <= len(lines)), key=lambda label: label.span)


def _snippet(diagnostic: Diagnostic, marks: list[Label], lines: Sequence[str], indent: str) -> list[Span]:
    """The lines that hold a mark, each with its underlines; a gap of one line is filled."""
    spans: list[Span] = []
    shown = 0
    for line, group in groupby(marks, key=lambda mark: mark.span.line):
        here = list(group)
        if shown and line == shown + 2:
            spans += _numbered(line - 1, _Window(lines[line - 2], 0), indent)
        elif shown and line > shown + 2:
            spans.append(Span("...\n", "gutter"))
        window = _Window(lines[line - 1], here[0].span.column - 1)
        spans += _numbered(line, window, indent)
        for mark in here:
            primary = mark.span == diagnostic.span
            style: Style = diagnostic.severity if primary else "note"
            beside = f" {visible(mark.text)}" if mark.text else ""
            underline = window.underline(mark.span, "^" if primary else "-")
            spans += [Span(f"{indent} | ", "gutter"), Span(underline + beside, style), Span("\n")]
        shown = line
    return spans


def _numbered(line: int, window: _Window, indent: str) -> list[Span]:
    gutter = f"{line:>{len(indent)}} |"
    text = window.text.rstrip()
    return [Span(gutter, "gutter"), Span(f" {text}\n" if text else "\n")]


class _Window:
    """A source line as a terminal shows it, cut around a column when it is long."""

    __slots__ = ("_cells", "_first", "_last", "text")

    def __init__(self, line: str, column: int) -> None:
        self._cells = [_cell(character) for character in line]
        self._first, self._last = 0, len(line)
        before = after = ""
        if sum(width for _, width in self._cells) > _WIDTH:
            self._first = self._back(min(column, len(line)), _WIDTH // 3)
            self._last = self._first
            room = _WIDTH
            while self._last < len(line) and room >= self._cells[self._last][1]:
                room -= self._cells[self._last][1]
                self._last += 1
            before = "…" if self._first else ""
            after = "…" if self._last < len(line) else ""
        self.text = before + "".join(cell for cell, _ in self._cells[self._first : self._last]) + after

    def _back(self, index: int, room: int) -> int:
        while index and room >= self._cells[index - 1][1]:
            index -= 1
            room -= self._cells[index][1]
        return index

    def _offset(self, index: int) -> int:
        """How far a character of the line stands from the left."""
        shown = self._cells[self._first : max(self._first, min(index, self._last))]
        return (1 if self._first else 0) + sum(width for _, width in shown)

    def underline(self, span: Region, mark: str) -> str:
        """Marks under a span, or under its first line when it has several."""
        start = self._offset(span.column - 1)
        end = self._offset(span.end_column - 1 if span.end_line == span.line else len(self._cells))
        return " " * start + mark * max(1, end - start)


def _cell(character: str) -> tuple[str, int]:
    """A character as it is shown, and the columns it takes."""
    if character == "\t":
        return _TAB, len(_TAB)
    shown = visible(character)
    if shown != character:
        return shown, len(shown)
    if unicodedata.combining(character):
        return shown, 0
    return shown, 2 if unicodedata.east_asian_width(character) in "WF" else 1
