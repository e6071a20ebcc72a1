"""Words of others in our sentences: printable, not too long, in backticks, and what was probably meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 48
"""The length to which a long text is cut."""

_SPARED = 16
"""A text is cut only when that hides more than this."""

_QUOTE_LIMIT = 60


def visible(text: str) -> str:
    """Spell out characters that a terminal would act on or hide, so that a policy cannot."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str, longest: int = LONGEST) -> str:
    """A text, or its beginning and its size when it is long."""
    return text if len(text) <= longest + _SPARED else f"{text[:longest]}… ({len(text):,} characters)"


def word(text: str) -> str:
    """A name as it stands in a sentence: printable, cut when it is long."""
    return visible(cut(text))


def quoted(text: str) -> str:
    """Text from the policy as it appears in a message: in backticks, printable, not too long."""
    shown = visible(text[: _QUOTE_LIMIT + 1])
    return f"`{shown if len(shown) <= _QUOTE_LIMIT else shown[:_QUOTE_LIMIT] + '…'}`"


def listed(words: Iterable[str]) -> str:
    """`a`, `b`, `c`: names that are allowed."""
    return ", ".join(f"`{word}`" for word in words)


def suggest(word: str, options: Iterable[str], *, cutoff: float = 0.65) -> str | None:
    """The option that was probably meant, or None when none is close enough."""
    return next(iter(meant(word, options, cutoff=cutoff)), None)


def meant(word: str, options: Iterable[str], *, cutoff: float = 0.65) -> list[str]:
    """Every option that may have been meant, the closest first; at most three."""
    return difflib.get_close_matches(word.lower(), list(options), n=3, cutoff=cutoff)
