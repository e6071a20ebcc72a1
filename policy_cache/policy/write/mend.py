"""Certain fixes, applied to a policy's text: what is not changed keeps its comments and its layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy_cache.policy.text.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy_cache.diagnostics import Diagnostic, Fix

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
        fixes = [diagnostic.fix for diagnostic in examine(content) if diagnostic.fix]
        if not fixes:
            break
        text = content.decode()
        bare = text.lstrip(_BOM)
        fixed, count = _mended(bare, fixes)
        if not count:
            break
        applied += count
        content = (text[: len(text) - len(bare)] + fixed).encode()
    return Mended(content, applied)


def _mended(text: str, fixes: Sequence[Fix]) -> tuple[str, int]:
    """A text with some fixes, and how many were applied: of two that overlap, the first."""
    positions = Positions(text)
    edits = sorted(
        {
            (
                positions.offset(fix.span.line, fix.span.column),
                positions.offset(fix.span.end_line, fix.span.end_column),
                fix.text,
            )
            for fix in fixes
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
