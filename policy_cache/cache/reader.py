"""Reading the prompts of many requests: what two of them share is read once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.cache.memo import Memo
from policy_cache.cache.reading import assembled, cached
from policy_cache.cache.reading import marked as marked_by
from policy_cache.cache.scale import UNSCALED, Scale
from policy_cache.request.blocks import message_blocks, system_blocks, tool_block
from policy_cache.request.location import elements_of
from policy_cache.request.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from policy_cache.cache.prompt import CachedBlock, CachedPrompt
    from policy_cache.live.engine import Engine
    from policy_cache.providers.resolve import Route
    from policy_cache.request.blocks import Block, BlockRules
    from policy_cache.request.prompt import Shape

_Read: TypeAlias = "tuple[object, tuple[CachedBlock | None, ...]]"
_MOST_ELEMENTS = 5_000


class PromptReader:
    """The prompts of requests of one shape, by one set of rules.

    Requests that hold the very same tools and messages (the same objects, not equal ones) have their contents
    read once; they must not change meanwhile.
    """

    def __init__(
        self,
        shape: Shape,
        rules: BlockRules,
        *,
        scale: Scale = UNSCALED,
        named: bool = False,
    ) -> None:
        """Read prompts.

        Args:
            shape: `chat` or `messages`.
            rules: Which blocks take a marker.
            scale: The model's tokens for each estimated one.
            named: Whether `read` is given names of what it reads; then equal things are read once, none held.
        """
        self._named = named
        self._shape: Shape = shape
        self._rules = rules
        self._scale = scale
        # With each element, lest another one takes its id.
        self._known: Memo[tuple[Hashable, int, bool], _Read] = Memo(_MOST_ELEMENTS)

    def read(
        self,
        request: Mapping[str, Any],
        *,
        model: str,
        scope: str = "",
        name: Callable[[object], Hashable] = id,
    ) -> CachedPrompt:
        """The prompt of a request, without breakpoints.

        Args:
            request: The request.
            model: The model; every model has its own cache.
            scope: What shares a cache: a workspace, an organization.
            name: What tells tools and messages from others, such as a hash; None for what has no name.
        """
        prompt = Prompt(request, self._shape)
        return assembled(prompt, self._blocks(prompt, name), model=model, scope=scope)

    def _blocks(self, prompt: Prompt, name: Callable[[object], Hashable]) -> Iterator[CachedBlock | None]:
        rules = self._rules
        tools = [tool_block(prompt, rules, index) for index in range(len(prompt.tools))]
        yield from self._contents(prompt, name(prompt.tools), prompt.tools, -1, tools)
        for block in system_blocks(prompt, rules):
            yield self._sized(cached(prompt, block))
        # As the trace has them, so that what requests share is read once.
        elements = elements_of(prompt.request.get(prompt.area)) or prompt.messages
        for index, element in enumerate(elements):
            blocks = message_blocks(prompt, rules, index)
            yield from self._contents(prompt, name(element), element, index, blocks)

    def _contents(
        self, prompt: Prompt, name: Hashable, element: object, index: int, blocks: Sequence[Block]
    ) -> Iterator[CachedBlock | None]:
        """The blocks of an element: their contents as first read, and whether a marker takes effect now."""
        key = (name, index, index < prompt.leading)
        known = None if name is None else self._known.get(key)
        if known is None or len(known[1]) != len(blocks):
            held = None if self._named else element
            known = held, tuple([self._sized(cached(prompt, block)) for block in blocks])
            if name is not None:
                self._known.put(key, known)
        for block, content in zip(blocks, known[1], strict=True):
            if content is None or content.cacheable == block.effective:
                yield content
            else:
                yield replace(content, cacheable=block.effective)

    def _sized(self, block: CachedBlock | None) -> CachedBlock | None:
        if block is None or self._scale is UNSCALED:
            return block
        return replace(block, tokens=round(block.tokens * self._scale.of(block.level)))


class Readers:
    """A reader for each shape, set of rules and scale, and what a policy makes of a prompt."""

    def __init__(self, scales: Mapping[str, Scale]) -> None:
        """Read prompts; `scales` has a model's own tokens for each estimated one."""
        self._scales = scales
        self._known: dict[tuple[Shape, BlockRules, Scale], PromptReader] = {}

    def read(self, request: Mapping[str, Any], route: Route, scope: str = "") -> CachedPrompt:
        """The prompt of a request on a route, without breakpoints."""
        scale = self._scales.get(route.model, UNSCALED)
        key = route.shape, route.blocks, scale
        reader = self._known.get(key)
        if reader is None:
            reader = self._known[key] = PromptReader(route.shape, route.blocks, scale=scale)
        return reader.read(request, model=route.model, scope=scope)

    def sent(
        self, engine: Engine, request: dict[str, Any], prompt: CachedPrompt, route: Route
    ) -> tuple[dict[str, Any], CachedPrompt]:
        """The request that a policy makes of one, and its prompt, without breakpoints.

        Args:
            engine: The policy.
            request: The request.
            prompt: Its prompt; markers change none of it.
            route: Where it goes.
        """
        sent = engine.rewrite(request)
        if sent is request or not engine.edits_text:
            return sent, prompt
        return sent, self.read(sent, route, prompt.scope)


def marked(prompt: CachedPrompt, request: Mapping[str, Any], route: Route) -> CachedPrompt:
    """A prompt with the breakpoints that a route keeps of a request's markers."""
    return marked_by(prompt, route.markers_of(Prompt(request, route.shape)), route)
