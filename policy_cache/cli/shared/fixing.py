"""Writing fixes: whole files, one after the other, and never half of one."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from policy_cache.policy.check.mend import Mended, mend
from policy_cache.policy.write.file import write
from policy_cache.text.styled import Span
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.text.styled import Style


def fix_file(content: bytes, examine: Callable[[bytes], Sequence[Diagnostic]], file: str | None) -> Mended:
    """Mend the content of a file, and write it where one is given."""
    mended = mend(content, examine)
    if file is not None and mended.fixes:
        write(Path(file).resolve(), mended.content)
    return mended


def difference(before: bytes, after: bytes, name: str) -> list[Span]:
    """The unified difference of two versions of a file."""
    old, new = (data.decode().splitlines(keepends=True) for data in (before, after))
    lines = list(difflib.unified_diff(old, new, visible(name), visible(name)))
    return [Span(_shown(line), _STYLES.get(line[:1], "")) for line in lines]


_STYLES: dict[str, Style] = {"+": "added", "-": "removed", "@": "note"}


def _shown(line: str) -> str:
    return visible(line.rstrip("\r\n")) + "\n"
