"""Certain fixes, applied to a policy's text: what is not changed keeps its comments and its layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.policy.text.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy_cache.diagnostics import Diagnostic

_BOM = "\ufeff"
_ROUNDS = 10


class Mended(NamedTuple):
    """A text with its certain fixes.

    Attributes:
        content: The bytes of the file.
        fixes: How many were applied.
    """

    content: bytes
    fixes: int


def mend(content: bytes, examine: Callable[[bytes], Sequence[Diagnostic]]) -> Mended:
    """Apply every certain fix, and those that only show once others are applied.

    Arguments:
        content: The bytes of the file.
        examine: Says what is wrong with such bytes.

    Returns:
        The same bytes where nothing is certain, or where they are not UTF-8.
    """
    applied = 0
    for _ in range(_ROUNDS):
        fixable = [diagnostic for diagnostic in examine(content) if diagnostic.fix]
        if not fixable:
            break
        text = content.decode()
        bare = text.lstrip(_BOM)
        fixed, count = fix(bare, fixable)
        if not count:
            break
        applied += count
        content = (text[: len(text) - len(bare)] + fixed).encode()
    return Mended(content, applied)


def fix(text: str, diagnostics: Sequence[Diagnostic]) -> tuple[str, int]:
    """A text with the fixes of some diagnostics, and their number; of two that overlap, the first."""
    positions = Positions(text)
    edits = sorted(
        {
            (
                positions.offset(one.fix.span.line, one.fix.span.column),
                positions.offset(one.fix.span.end_line, one.fix.span.end_column),
                one.fix.text,
            )
            for one in diagnostics
            if one.fix
        }
    )
    parts, end, count = [], 0, 0
    for start, stop, new in edits:
        if start < end or text[start:stop] == new:
            continue
        parts += [text[end:start], new]
        end = stop
        count += 1
    return "".join([*parts, text[end:]]), count
