"""Matching names: providers, models, metadata and headers."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

from policy_cache.request.pattern import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable


class Names:
    """Globs, and for models regular expressions, that a name may match as a whole, without case.

    A client may choose the name: time grows with its length and no faster.
    """

    __slots__ = ("_exact", "_globs", "_patterns")

    def __init__(self, wanted: tuple[str, ...], *, expressions: bool = False) -> None:
        """Compile `*`, `?` and `[…]`, and what follows `re:` where expressions are allowed.

        Raises:
            PatternError: An expression that cannot be used.
        """
        exact: list[str] = []
        globs: list[tuple[str, ...]] = []
        patterns: list[Callable[[str], object]] = []
        for name in wanted:
            if expressions and name.startswith("re:"):
                patterns.append(compile_pattern(name[3:], name=True).fullmatch)
            elif "?" in name or "[" in name:
                # What stands between two `*` is sought once and kept: `translate` has nothing to go back to.
                patterns.append(re.compile(translate(name), re.IGNORECASE).fullmatch)
            elif "*" in name:
                globs.append(tuple(name.lower().split("*")))
            else:
                exact.append(name.lower())
        self._exact = frozenset(exact)
        self._globs = tuple(globs)
        self._patterns = tuple(patterns)

    def match(self, name: str) -> bool:
        """Whether the name matches any of them."""
        lower = name.lower()
        if lower in self._exact:
            return True
        for pieces in self._globs:
            if _holds(lower, pieces):
                return True
        return any(matches(name) for matches in self._patterns)


def _holds(name: str, pieces: tuple[str, ...]) -> bool:
    """Whether a name consists of some pieces in their order, with anything between them."""
    first, last = pieces[0], pieces[-1]
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in pieces[1:-1]:
        at = name.find(piece, at, end) + len(piece)
        if at < len(piece):
            return False
    return True


def exactly(name: str) -> str:
    """What matches a name as it is, though it may look like a glob or an expression."""
    literal = re.sub(r"[*?[]", r"[\g<0>]", name)
    return f"[r]{literal[1:]}" if literal.startswith("re:") else literal


_compiled = lru_cache(maxsize=4096)(Names)


def matches(globs: tuple[str, ...], name: str) -> bool:
    """Whether a name matches one of some globs; those are compiled once, and no name is remembered."""
    return _compiled(globs).match(name)
