"""Prompts of requests that are read once for what they share, without a text of theirs being kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from policy_cache.cache.memo import Memo
from policy_cache.cache.reader import PromptReader
from policy_cache.request.blocks import outline
from policy_cache.request.media import CLAUDE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.cache.reader import Known
    from policy_cache.providers.resolve import Route
    from policy_cache.request.media import MediaRules
    from policy_cache.request.prompt import Prompt, Shape

_MOST_BLOCKS = 20_000

# For all texts of a request: their hash is Python's own, which nobody outside of the process can aim at.
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


class Reader:
    """The prompts of requests, of which no text is kept: equal tools and messages are read once.

    The model stands in none of the hashes, so that candidates share them.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._known: Known = Memo(_MOST_BLOCKS)
        self._readers: dict[tuple[Shape, int, MediaRules | None], PromptReader] = {}

    def plain(
        self, prompt: Prompt, route: Route, name: Callable[[object], Hashable] | None = None
    ) -> CachedPrompt:
        """A prompt as the cache has it, without breakpoints; `name` tells its elements from others."""
        return self.like(prompt, route).of(prompt, model="", name=name or name_of)

    def like(self, prompt: Prompt, route: Route) -> PromptReader:
        """What reads a prompt on a route: the same where it has the same blocks, of the same sizes."""
        rules = outline(prompt, route.blocks)
        # Where all is text, there are no media.
        media = route.media if prompt.rich else None
        key = prompt.shape, id(rules), media  # rules that live as long as the process
        reader = self._readers.get(key)
        if reader is None:
            reader = PromptReader(prompt.shape, rules, media=media or CLAUDE, known=self._known)
            self._readers[key] = reader
        return reader


def name_of(element: object) -> Hashable:
    """What tells an element from others; None for one that cannot be written down."""
    try:
        text = _encode(element)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return hash(text), len(text)
