"""Choosing tests by an expression over words, as `pytest -k` has it: `tools and not (chat or gemini)`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.errors import PolicyCacheError

if TYPE_CHECKING:
    from collections.abc import Callable

    Chosen: TypeAlias = Callable[[str], bool]

_TOKEN = re.compile(r"\s*(\(|\)|\"[^\"]*\"|'[^']*'|[^\s()]+)")
_DEEPEST = 50


class SelectError(PolicyCacheError):
    """An expression that chooses nothing because it is none."""


def selection(expression: str) -> Chosen:
    """Compile an expression; a word holds for a name that contains it, in any case.

    Raises:
        SelectError: It is not an expression.
    """
    words = [match.group(1) for match in _TOKEN.finditer(expression)]
    parser = _Parser(words)
    chosen = parser.either(0)
    if (extra := parser.peek()) is not None:
        raise SelectError(f"-k: expected `and` or `or` before `{extra}`")
    return chosen


class _Parser:
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def peek(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def _take(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def either(self, depth: int) -> Chosen:
        options = [self._both(depth)]
        while self._take("or"):
            options.append(self._both(depth))
        return lambda name: any(option(name) for option in options)

    def _both(self, depth: int) -> Chosen:
        parts = [self._one(depth)]
        while self._take("and"):
            parts.append(self._one(depth))
        return lambda name: all(part(name) for part in parts)

    def _one(self, depth: int) -> Chosen:
        if depth > _DEEPEST:
            raise SelectError("-k: nested too deeply")
        if self._take("not"):
            inner = self._one(depth + 1)
            return lambda name: not inner(name)
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise SelectError("-k: a parenthesis is never closed")
            return inner
        word = self.peek()
        if word is None or word in {")", "and", "or"}:
            raise SelectError(f"-k: expected a word, found {f'`{word}`' if word else 'the end'}")
        self._at += 1
        wanted = word.strip("\"'").lower()
        return lambda name: wanted in name.lower()
