"""What is wrong with a policy: a code, a place, a message, and the likely fix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity: TypeAlias = Literal["error", "warning"]

Path: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead from the root of a policy to a value."""

UNREADABLE = frozenset({"PC100", "PC101", "PC102"})
"""The codes of a file that could not be read at all."""


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A stretch of source text.

    Attributes:
        line: The first line, counted from 1.
        column: The first column, counted from 1 in characters.
        end_line: The line of the last character.
        end_column: The column just after the last character.
    """

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Label:
    """A further place that explains a diagnostic; on its own span, the text beside the caret."""

    span: Region
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change to the text that certainly mends what a diagnostic is about.

    Attributes:
        span: What to replace; empty to insert.
        text: What to write there.
    """

    span: Region
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to fix, or to know, about a policy.

    Attributes:
        code: What is wrong, as `policy-cache rule` lists it.
        severity: An error refuses the policy, a warning does not.
        message: What stands there and what was expected, in one sentence.
        span: Where, or None when the file has no text to point at.
        path: The data path the diagnostic is about.
        labels: Further spans, or the primary span with the text for its caret.
        help: The likely fix.
        note: Background that explains the rule.
        file: The name of the policy file, as the user gave it.
        fix: The change that mends it, where that is certain.
    """

    code: str
    severity: Severity
    message: str
    span: Region | None = None
    path: Path = ()
    labels: tuple[Label, ...] = ()
    help: str | None = None
    note: str | None = None
    file: str = "<policy>"
    fix: Fix | None = None

    @property
    def unreadable(self) -> bool:
        """Whether the file could not be read at all."""
        return self.code in UNREADABLE

    def __str__(self) -> str:
        place = f":{self.span.line}:{self.span.column}" if self.span else ""
        return visible(f"{self.file}{place}: {self.severity}[{self.code}]: {self.message}")


def by_position(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort diagnostics the way a reader meets them: by file, place, severity and code; each once."""
    nowhere = Region(0, 0, 0, 0)
    return tuple(
        sorted(dict.fromkeys(diagnostics), key=lambda d: (d.file, d.span or nowhere, d.severity, d.code))
    )
