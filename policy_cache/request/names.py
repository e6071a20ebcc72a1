"""Matching names: providers, models, metadata and headers."""

from __future__ import annotations

import re
import warnings
from fnmatch import translate
from functools import lru_cache


class Names:
    """Globs, and for models regular expressions, that a name may match as a whole, without case."""

    __slots__ = ("_patterns",)

    def __init__(self, wanted: tuple[str, ...], *, expressions: bool = False) -> None:
        """Compile `*`, `?` and `[…]`, and what follows `re:` where expressions are allowed.

        Raises:
            re.error: An expression that does not compile.
        """
        chosen = [name for name in wanted if expressions and name.startswith("re:")]
        globs = [translate(name) for name in wanted if name not in chosen]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            patterns = [re.compile(name[3:], re.IGNORECASE | re.DOTALL) for name in chosen]
        if globs:
            patterns.append(re.compile("|".join(globs), re.IGNORECASE))
        self._patterns = tuple(patterns)

    def match(self, name: str) -> bool:
        """Whether the name matches any of them."""
        return any(pattern.fullmatch(name) for pattern in self._patterns)


_compiled = lru_cache(maxsize=4096)(Names)


def matches(globs: tuple[str, ...], name: str) -> bool:
    """Whether a name matches one of some globs; those are compiled once, and no name is remembered."""
    return _compiled(globs).match(name)
