"""A prompt as a provider caches it: blocks in prefix order, with breakpoints on some of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.request.location import Location

Level: TypeAlias = Literal["tools", "system", "messages"]
Ttl: TypeAlias = Literal["5m", "1h"]

LEVELS: tuple[Level, ...] = ("tools", "system", "messages")
_ONE_POSITION = frozenset({"tool_use", "tool_result"})


@dataclass(frozen=True, slots=True)
class PromptBlock:
    """One unit of the prefix.

    Attributes:
        level: The part of the prompt it belongs to.
        kind: Its type: `text`, `tool_use`, `tool` for a tool definition.
        content: What is hashed of it; never its marker.
        tokens: Its size.
        ttl: The lifetime its marker asks for, or None without a marker.
        location: Where it stands in the request it was read from.
        cacheable: Whether a marker may stand on it.
    """

    level: Level
    kind: str
    content: bytes
    tokens: int
    ttl: Ttl | None = None
    location: Location = ()
    cacheable: bool = True


@dataclass(frozen=True, slots=True)
class Prompt:
    """A whole prompt.

    Attributes:
        model: The model; every model has its own cache.
        scope: The workspace; a cache is never shared between two.
        blocks: The blocks in prefix order: tools, system, messages.
        parameters: For a level, what else it depends on, such as `tool_choice` for the messages.
        tail: Tokens that follow the last block and are never cached: the opening of the reply.
    """

    model: str
    scope: str
    blocks: tuple[PromptBlock, ...]
    parameters: Mapping[Level, bytes] = field(default_factory=dict)
    tail: int = 0

    @property
    def tokens(self) -> int:
        """The size of the whole prompt."""
        return sum(block.tokens for block in self.blocks) + self.tail

    @property
    def last_cacheable(self) -> int | None:
        """The index of the last block that a marker may stand on."""
        return next((i for i in reversed(range(len(self.blocks))) if self.blocks[i].cacheable), None)

    def mark_last(self, ttl: Ttl) -> Prompt:
        """Put a breakpoint on the last cacheable block, unless it has its own."""
        last = self.last_cacheable
        if last is None or self.blocks[last].ttl is not None:
            return self
        marked = replace(self.blocks[last], ttl=ttl)
        return replace(self, blocks=(*self.blocks[:last], marked, *self.blocks[last + 1 :]))

    def digests(self) -> list[bytes]:
        """For each block, the hash of the prefix that ends with it.

        A level's parameters enter the chain where the level starts, even when it has no blocks, so
        that they reach every later block and no earlier one.
        """
        chain = _digest(b"", json.dumps([self.model, self.scope]).encode())
        found = []
        entered = 0
        for block in self.blocks:
            level = LEVELS.index(block.level)
            while entered <= level:
                chain = _digest(chain, self.parameters.get(LEVELS[entered], b""))
                entered += 1
            chain = _digest(chain, block.content)
            found.append(chain)
        return found

    def positions(self) -> list[int]:
        """For each block, its lookback position: a run of tool calls is one, as is a run of results."""
        found: list[int] = []
        previous = None
        for block in self.blocks:
            joins = block.kind == previous and block.kind in _ONE_POSITION
            found.append(found[-1] + (not joins) if found else 0)
            previous = block.kind
        return found


def _digest(chain: bytes, content: bytes) -> bytes:
    return blake2b(chain + content, digest_size=16).digest()
