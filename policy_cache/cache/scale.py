"""A model's own tokens for each estimated one, fitted to what a provider reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from policy_cache.cache.prompt import CachedPrompt, Level

# What a tokenizer may make of an estimated token; a fit beyond is of something else.
_LEAST, _MOST = 0.2, 5.0


class Scale(NamedTuple):
    """Factors on estimated sizes.

    Attributes:
        prefix: For tools and system, which are mostly schemas and prose.
        messages: For the messages.
    """

    prefix: float = 1.0
    messages: float = 1.0

    def of(self, level: Level) -> float:
        """The factor for a level of the prompt."""
        return self.messages if level == "messages" else self.prefix


UNSCALED = Scale()


@dataclass(slots=True)
class Fit:
    """The least squares of prompts whose size was reported.

    Attributes:
        requests: How many they are.
    """

    requests: int = 0
    _pp: float = 0.0
    _pm: float = 0.0
    _mm: float = 0.0
    _pt: float = 0.0
    _mt: float = 0.0
    _estimated: int = 0
    _reported: int = 0

    def add(self, prompt: CachedPrompt, reported: int) -> None:
        """Take an unscaled prompt, and its size in tokens as the provider reported it."""
        messages = sum(block.tokens for block in prompt.blocks if block.level == "messages")
        prefix = prompt.tokens - prompt.tail - messages
        size = reported - prompt.tail
        if size <= 0 or prefix + messages <= 0:
            return
        self.requests += 1
        self._estimated += prefix + messages
        self._reported += size
        self._pp += prefix * prefix
        self._pm += prefix * messages
        self._mm += messages * messages
        self._pt += prefix * size
        self._mt += messages * size

    def scale(self) -> Scale:
        """The factors that fit best; one for both where the prompts cannot tell them apart."""
        if not self.requests:
            return UNSCALED
        determinant = self._pp * self._mm - self._pm * self._pm
        if determinant > 1e-6 * self._pp * self._mm:
            fitted = Scale(
                (self._pt * self._mm - self._mt * self._pm) / determinant,
                (self._mt * self._pp - self._pt * self._pm) / determinant,
            )
            if all(_LEAST <= factor <= _MOST for factor in fitted):
                return fitted
        ratio = self._reported / self._estimated
        return Scale(ratio, ratio)
