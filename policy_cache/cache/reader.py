"""Reading the prompts of many requests: what two of them share is read once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.cache.memo import Memo
from policy_cache.cache.reading import assembled, cached, in_order
from policy_cache.cache.scale import UNSCALED, Scale
from policy_cache.request.blocks import context, message_blocks, system_blocks, tool_blocks
from policy_cache.request.location import elements_of
from policy_cache.request.media import CLAUDE
from policy_cache.request.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from policy_cache.cache.prompt import CachedBlock, CachedPrompt
    from policy_cache.engine.transit import Incoming, Outgoing
    from policy_cache.live.engine import Engine
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Block, BlockRules
    from policy_cache.request.media import MediaRules
    from policy_cache.request.prompt import Shape

_Key: TypeAlias = "tuple[Hashable, Hashable, Hashable]"
_Read: TypeAlias = "tuple[object, tuple[CachedBlock, ...]]"
Known: TypeAlias = "Memo[_Key, _Read]"
"""What was read: tools, system prompts and messages, each with what it is if that is held, and its blocks."""

_MOST_BLOCKS = 20_000
_MOST_ROUTES = 1_000


class PromptReader:
    """The prompts of requests of one shape, by one set of rules.

    Requests that hold the very same tools and messages (the same objects, not equal ones) have them read
    once; they must not change meanwhile.
    """

    def __init__(
        self,
        shape: Shape,
        rules: BlockRules,
        *,
        scale: Scale = UNSCALED,
        media: MediaRules = CLAUDE,
        known: Known | None = None,
    ) -> None:
        """Read prompts.

        Args:
            shape: `chat`, `messages` or `responses`.
            rules: Which blocks take a marker.
            scale: The model's tokens for each estimated one.
            media: What images, documents, sound and video count as.
            known: What other readers read, too. Then `read` is given names of what it reads: equal things are
                read once, and none is held.
        """
        self._shape: Shape = shape
        self._rules = rules
        self._scale = scale
        self._media = media
        # With each element, lest another one takes its id.
        self._holds = known is None
        self._known: Known = Memo(_MOST_BLOCKS) if known is None else known
        # What it makes of an element is not what another one does.
        self._like = object()

    def read(
        self,
        request: Mapping[str, Any],
        *,
        model: str,
        scope: str = "",
    ) -> CachedPrompt:
        """The prompt of a request, without breakpoints; takes what `of` takes.

        Raises:
            RequestError: It is not a request that can be read.
        """
        return self.of(Prompt(request, self._shape), model=model, scope=scope)

    def of(
        self, prompt: Prompt, *, model: str, scope: str = "", name: Callable[[object], Hashable] = id
    ) -> CachedPrompt:
        """A prompt as the cache has it, without breakpoints.

        Args:
            prompt: The prompt.
            model: The model; every model has its own cache.
            scope: What shares a cache: a workspace, an organization.
            name: What tells tools and messages from others, such as a hash; None for what has no name.
        """
        return assembled(prompt, self._blocks(prompt, name), model=model, scope=scope)

    def _blocks(self, prompt: Prompt, name: Callable[[object], Hashable]) -> list[CachedBlock]:
        like, leading = (self._like, context(prompt)), prompt.leading
        known, element = self._known.get, self._element
        found: list[CachedBlock] = []
        key: _Key
        if tools := prompt.tools:
            key = name(tools), "tools", like
            found += (known(key) or element(key, tools, prompt, tool_blocks))[1]
        if (system := prompt.system) is not None:
            key = name(system), "system", like
            found += (known(key) or element(key, system, prompt, system_blocks))[1]
        # As the request has them, so that what requests share is read once.
        given = prompt.request.get(prompt.area)
        for index, message in enumerate((given,) if isinstance(given, str) else elements_of(given)):
            key = name(message), index if index >= leading else ~index, like
            found += (known(key) or element(key, message, prompt, message_blocks, index))[1]
        return found

    def _element(
        self, key: _Key, element: object, prompt: Prompt, walk: Callable[..., Sequence[Block]], *index: int
    ) -> _Read:
        """The blocks of tools, of a system prompt or of a message; known from now on, if that has a name."""
        blocks = walk(prompt, self._rules, *index)
        made = tuple(in_order(self._sized(cached(prompt, block, self._media)) for block in blocks))
        read = element if self._holds else None, made
        if key[0] is not None:
            self._known.put(key, read, max(1, len(made)))
        return read

    def _sized(self, block: CachedBlock | None) -> CachedBlock | None:
        if block is None or self._scale is UNSCALED:
            return block
        return replace(block, tokens=round(block.tokens * self._scale.of(block.level)))


class Readers:
    """A reader for each shape, set of rules and scale, and what a policy makes of a prompt."""

    def __init__(self, scales: Mapping[str, Scale]) -> None:
        """Read prompts; `scales` has a model's own tokens for each estimated one."""
        self._scales = scales
        self._known: dict[tuple[Shape, BlockRules, MediaRules, Scale], PromptReader] = {}
        # To hash a route's rules takes longer than to find the route itself, which is held meanwhile.
        self._of_route: Memo[int, tuple[Route, PromptReader]] = Memo(_MOST_ROUTES)

    def read(self, request: Mapping[str, Any], route: Route, scope: str = "") -> CachedPrompt:
        """The prompt of a request on a route, without breakpoints."""
        return self.of(Prompt(request, route.shape), route, scope)

    def of(self, prompt: Prompt, route: Route, scope: str = "") -> CachedPrompt:
        """A prompt on a route as the cache has it, without breakpoints."""
        known = self._of_route.get(id(route))
        if known is None:
            known = route, self._reader(route)
            self._of_route.put(id(route), known)
        return known[1].of(prompt, model=route.model, scope=scope)

    def _reader(self, route: Route) -> PromptReader:
        scale = self._scales.get(route.model, UNSCALED)
        key = route.shape, route.blocks, route.media, scale
        reader = self._known.get(key)
        if reader is None:
            shape, rules, media, _ = key
            reader = self._known[key] = PromptReader(shape, rules, scale=scale, media=media)
        return reader

    def sent(self, engine: Engine, incoming: Incoming, plain: CachedPrompt) -> tuple[CachedPrompt, Outgoing]:
        """What a policy makes of a request, as the cache has it, without breakpoints; and its markers.

        Args:
            engine: The policy.
            incoming: The request, on its way into the policy.
            plain: Its prompt; markers change none of it.
        """
        sent = engine.outgoing(incoming)
        if sent.prompt is incoming.facts.prompt or not engine.edits_text:
            return plain, sent
        return self.of(sent.prompt, incoming.route, plain.scope), sent
