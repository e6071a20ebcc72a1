"""One request as the prompt that each of several candidates would be sent."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from policy_cache.cache.models import as_sent, rules_for
from policy_cache.cache.prompt import Chain
from policy_cache.cache.reader import PromptReader
from policy_cache.cache.scale import UNSCALED, Scale
from policy_cache.request.prompt import PROMPT_MEMBERS, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from policy_cache.cache.prompt import CachedPrompt
    from policy_cache.live.engine import Engine
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import BlockRules
    from policy_cache.request.prompt import Shape

_Sent: TypeAlias = "tuple[Mapping[str, object], CachedPrompt]"

# For all texts of a request: their hash is Python's own, which nobody outside of the process can aim at.
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Reader:
    """The prompts of requests, of which no text is kept: equal tools and messages are read once.

    The model stands in none of the hashes, so that candidates share them.
    """

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._readers: dict[tuple[Shape, BlockRules], PromptReader] = {}

    def prompt(self, sent: Mapping[str, object], route: Route) -> CachedPrompt:
        """The prompt of a request as it is sent, with its breakpoints."""
        markers = route.markers_of(Prompt(sent, route.shape))
        return as_sent(rules_for(route, sent), self.plain(sent, route, _name), sent, markers, route)

    def plain(
        self, request: Mapping[str, object], route: Route, name: Callable[[object], Hashable]
    ) -> CachedPrompt:
        """The same without breakpoints."""
        key = route.shape, route.blocks
        reader = self._readers.get(key)
        if reader is None:
            reader = self._readers[key] = PromptReader(route.shape, route.blocks, named=True)
        return reader.read(request, model="", name=name)

    def reading(self, engine: Engine) -> Reading:
        """For the candidates of one request, which is rewritten by a policy."""
        return Reading(self, engine)


class Reading:
    """One request for several candidates: what is rewritten alike is rewritten once."""

    def __init__(self, reader: Reader, engine: Engine) -> None:
        self._reader = reader
        self._engine = engine
        self._names: dict[int, Hashable] = {}
        self._chains: dict[tuple[bytes, ...], Chain] = {}
        self._prompts: dict[tuple[Shape, BlockRules], CachedPrompt] = {}
        self._sent: dict[Hashable, _Sent] = {}

    def sent(
        self, request: Mapping[str, object], asked: dict[str, object], shape: Shape | None
    ) -> tuple[Route, Mapping[str, object], CachedPrompt]:
        """Where a candidate's request goes, what is sent, and its prompt with its breakpoints.

        Args:
            request: The request, as all candidates share it.
            asked: The same to the candidate.
            shape: Its shape; by default told from it.

        Raises:
            RequestError: It is not a request that can be read.
        """
        engine = self._engine
        route, alike = engine.alike(asked, shape=shape)
        if any(asked.get(name) is not request.get(name) for name in PROMPT_MEMBERS):  # a prompt of its own
            sent = engine.rewrite(asked, shape=shape)
            return route, sent, self._reader.prompt(sent, route)
        known = self._sent.get(alike)
        if known is None:
            sent = engine.rewrite(asked, shape=shape)
            if sent is not asked and engine.edits_text:
                known = sent, self._reader.prompt(sent, route)
            else:
                markers = route.markers_of(Prompt(sent, route.shape))
                plain = self._plain(request, route)
                known = sent, as_sent(rules_for(route, sent), plain, sent, markers, route)
            self._sent[alike] = known
        return route, *known

    def _plain(self, request: Mapping[str, object], route: Route) -> CachedPrompt:
        key = route.shape, route.blocks
        plain = self._prompts.get(key)
        if plain is None:
            plain = self._reader.plain(request, route, self._named)
            # Routes that read the same blocks share their hashes.
            alike = tuple([block.content for block in plain.blocks])
            chain = self._chains.get(alike)
            if chain is not None:
                plain = plain.sized(chain)
            self._chains[alike] = plain.prefix
            self._prompts[key] = plain
        return plain

    def _named(self, element: object) -> Hashable:
        """The name of an element, worked out once: the request holds it meanwhile."""
        name = self._names.get(id(element))
        if name is None:
            name = self._names[id(element)] = _name(element)
        return name


def scaled(prompt: CachedPrompt, scale: Scale) -> CachedPrompt:
    """The same prompt in a model's own tokens; its blocks keep the estimated ones."""
    if scale is UNSCALED:
        return prompt
    digests, positions, _ = prompt.prefix
    ends = list(accumulate(round(block.tokens * scale.of(block.level)) for block in prompt.blocks))
    return prompt.sized(Chain(digests, positions, ends))


def _name(element: object) -> Hashable:
    """What tells an element from others; None for one that cannot be written down."""
    try:
        text = _encode(element)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return hash(text), len(text)
