"""A prompt as a provider caches it: blocks in prefix order, with breakpoints on some of them."""

from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy_cache.request.location import Location

Level: TypeAlias = Literal["tools", "system", "messages"]
Ttl: TypeAlias = Literal["5m", "1h"]

LEVELS: tuple[Level, ...] = ("tools", "system", "messages")
_NUMBERS: dict[Level, int] = {level: number for number, level in enumerate(LEVELS)}
_ONE_POSITION = frozenset({"tool_use", "tool_result"})


@dataclass(frozen=True, slots=True)
class CachedBlock:
    """One unit of the prefix.

    Attributes:
        level: The part of the prompt it belongs to.
        kind: Its type: `text`, `tool_use`, `tool` for a tool definition.
        content: What is hashed of it, or a hash of that; never its marker.
        tokens: Its size.
        location: Where it stands in the request it was read from.
        cacheable: Whether a marker may stand on it.
    """

    level: Level
    kind: str
    content: bytes
    tokens: int
    location: Location = ()
    cacheable: bool = True


class Chain(NamedTuple):
    """What the cache sees of a prompt, for each of its blocks; markers change none of it.

    Attributes:
        digests: The hash of the prefix that ends with the block.
        positions: Its lookback position: a run of tool calls is one, as is a run of results.
        ends: The tokens up to its end.
    """

    digests: list[bytes]
    positions: list[int]
    ends: Sequence[int]


@dataclass(frozen=True, slots=True)
class CachedPrompt:
    """A whole prompt.

    Attributes:
        model: The model; every model has its own cache.
        scope: The workspace; a cache is never shared between two.
        blocks: The blocks in prefix order: tools, system, messages.
        parameters: For a level, what else it depends on, such as `tool_choice` for the messages.
        tail: Tokens that follow the last block and are never cached: the opening of the reply.
        breakpoints: The lifetime that each breakpoint asks for, by the index of its block, in order.
    """

    model: str
    scope: str
    blocks: tuple[CachedBlock, ...]
    parameters: Mapping[Level, bytes] = field(default_factory=dict)
    tail: int = 0
    breakpoints: Mapping[int, Ttl] = field(default_factory=dict)
    _prefix: Chain | None = field(default=None, init=False, repr=False, compare=False)
    _ends: Sequence[int] | None = field(default=None, init=False, repr=False, compare=False)
    _shared: int | None = field(default=None, init=False, repr=False, compare=False)
    _places: Mapping[Location, int] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def prefix(self) -> Chain:
        """The hashes, positions and sizes of its prefixes, worked out once."""
        if self._prefix is None:
            self._chain([], [])
        assert self._prefix is not None
        return self._prefix

    @property
    def is_hashed(self) -> bool:
        """Whether its prefixes were worked out; those of a prompt that is too small need not be."""
        return self._prefix is not None

    def begin_as(self, other: CachedPrompt) -> None:
        """Take over what is known of another prompt's prefixes, as far as both begin alike.

        Nothing of a prompt of another model or scope, or with other parameters.
        """
        if (self.model, self.scope, self.parameters) != (other.model, other.scope, other.parameters):
            return
        common = 0
        for own, its in zip(self.blocks, other.blocks, strict=False):
            if own.content != its.content:
                break
            common += 1
        digests, positions, _ = other.prefix
        self._chain(digests[:common], positions[:common])

    def _chain(self, digests: list[bytes], positions: list[int]) -> None:
        """Work out its prefixes, the first of which are known."""
        chain = Chain(self._digests(digests), self._positions(positions), self.ends)
        object.__setattr__(self, "_prefix", chain)

    @property
    def ends(self) -> Sequence[int]:
        """The tokens up to the end of each block, without the hashes; worked out once."""
        if self._prefix is not None:
            return self._prefix.ends
        if self._ends is None:
            object.__setattr__(self, "_ends", list(accumulate(block.tokens for block in self.blocks)))
        assert self._ends is not None
        return self._ends

    @property
    def places(self) -> Mapping[Location, int]:
        """The index of each block by its location; worked out once."""
        if self._places is None:
            places = {block.location: index for index, block in enumerate(self.blocks)}
            object.__setattr__(self, "_places", places)
        assert self._places is not None
        return self._places

    @property
    def shared(self) -> int:
        """The tokens of its tools and system prompt; worked out once."""
        if self._shared is None:
            first = bisect_left(self.blocks, True, key=_is_said)
            object.__setattr__(self, "_shared", self.ends[first - 1] if first else 0)
        assert self._shared is not None
        return self._shared

    @property
    def tokens(self) -> int:
        """The size of the whole prompt."""
        ends = self.ends
        return (ends[-1] if ends else 0) + self.tail

    def mark(self, breakpoints: Mapping[int, Ttl]) -> CachedPrompt:
        """The same prompt with breakpoints on these blocks, by their index, beside those it has."""
        if not breakpoints:
            return self
        points = dict(sorted({**self.breakpoints, **breakpoints}.items()))
        if type(self) is CachedPrompt:  # asked of every request, and `replace` takes three times as long
            marked = CachedPrompt(self.model, self.scope, self.blocks, self.parameters, self.tail, points)
        else:
            marked = replace(self, breakpoints=points)
        object.__setattr__(marked, "_prefix", self.prefix)
        object.__setattr__(marked, "_places", self._places)
        object.__setattr__(marked, "_shared", self._shared)
        return marked

    def sized(self, chain: Chain) -> CachedPrompt:
        """The same prompt with other sizes of its prefixes."""
        prompt = replace(self)
        object.__setattr__(prompt, "_prefix", chain)
        return prompt

    def grown(self, tokens: int) -> CachedPrompt:
        """The same prompt with so many tokens more behind its last block, which are not cached."""
        prompt = replace(self, tail=self.tail + tokens)
        object.__setattr__(prompt, "_prefix", self.prefix)
        return prompt

    def _digests(self, known: list[bytes]) -> list[bytes]:
        # A level's parameters enter the chain where the level starts, even when it has no blocks, so
        # that they reach every later block and no earlier one.
        chain, entered, found = _beginning(self.model, self.scope), 0, known
        if known:
            chain, entered = known[-1], _NUMBERS[self.blocks[len(known) - 1].level] + 1
        for block in self.blocks[len(known) :]:
            level = _NUMBERS[block.level]
            while entered <= level:
                chain = digest(chain + self.parameters.get(LEVELS[entered], b""))
                entered += 1
            # As `digest` does, without a call for each block of every prompt.
            chain = blake2b(chain + block.content, digest_size=16).digest()
            found.append(chain)
        return found

    def _positions(self, known: list[int]) -> list[int]:
        found = known
        previous = self.blocks[len(known) - 1].kind if known else None
        for block in self.blocks[len(known) :]:
            joins = block.kind == previous and block.kind in _ONE_POSITION
            found.append(found[-1] + (not joins) if found else 0)
            previous = block.kind
        return found


def _is_said(block: CachedBlock) -> bool:
    return block.level == "messages"


@lru_cache(maxsize=1_024)
def _beginning(model: str, scope: str) -> bytes:
    return digest(json.dumps([model, scope]).encode())


def digest(content: bytes) -> bytes:
    """A hash of 16 bytes."""
    return blake2b(content, digest_size=16).digest()
