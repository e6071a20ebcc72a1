"""Reading the prompts of many requests: what two of them share is read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.cache.chat import chat_message_blocks, chat_parameters, chat_tool_block
from policy_cache.cache.memo import Memo
from policy_cache.cache.messages import (
    REPLY_OPENING,
    in_prefix_order,
    message_blocks,
    parameters,
    system_blocks,
    tool_block,
)
from policy_cache.cache.prompt import Prompt, PromptBlock, Ttl
from policy_cache.forecast.scale import UNSCALED, Scale
from policy_cache.request.location import elements_of
from policy_cache.request.prompt import SYSTEM_ROLES
from policy_cache.request.prompt import Prompt as RequestPrompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy_cache.live.engine import Engine
    from policy_cache.providers.resolve import Route
    from policy_cache.request.location import Location
    from policy_cache.request.prompt import Shape

_Read: TypeAlias = "tuple[object, tuple[PromptBlock, ...]]"
_MOST_ELEMENTS = 5_000


class PromptReader:
    """The prompts of requests of one shape.

    Requests that hold the very same tools and messages (the same objects, not equal ones) have them read
    once; they must not change meanwhile.
    """

    def __init__(self, shape: Shape, *, scale: Scale = UNSCALED) -> None:
        """Read prompts.

        Args:
            shape: `chat` or `messages`.
            scale: The model's tokens for each estimated one.
        """
        self._scale = scale
        self._chat = shape == "chat"
        # With each element, lest another one takes its id.
        self._known: Memo[tuple[int, int, bool], _Read] = Memo(_MOST_ELEMENTS)

    def read(self, request: Mapping[str, Any], *, model: str, scope: str = "") -> Prompt:
        """The prompt of a request, without breakpoints.

        Args:
            request: The request.
            model: The model; every model has its own cache.
            scope: What shares a cache: a workspace, an organization.
        """
        blocks = [*self._tools(request.get("tools"))]
        messages = elements_of(request.get("messages"))
        leading = self._leading(messages)
        if not leading:
            blocks += self._sized(system_blocks(request.get("system")))
        for index, message in enumerate(messages):
            blocks += self._message(message, index, leading=index < leading)
        return Prompt(
            model=model,
            scope=scope,
            blocks=tuple(blocks),
            parameters=parameters(chat_parameters(request) if self._chat else request),
            tail=REPLY_OPENING,
        )

    def _leading(self, messages: Sequence[Any]) -> int:
        if not self._chat:
            return 0
        count = 0
        while count < len(messages) and _role(messages[count]) in SYSTEM_ROLES:
            count += 1
        return count

    def _tools(self, tools: object) -> Sequence[PromptBlock]:
        key = (id(tools), -1, False)
        known = self._known.get(key)
        if known is None:
            read = chat_tool_block if self._chat else tool_block
            blocks = in_prefix_order(read(tool, index) for index, tool in enumerate(elements_of(tools)))
            known = self._learn(key, tools, blocks)
        return known[1]

    def _message(self, message: object, index: int, *, leading: bool) -> Sequence[PromptBlock]:
        key = (id(message), index, leading)
        known = self._known.get(key)
        if known is None:
            chat = self._chat
            blocks = (
                chat_message_blocks(message, index, leading=leading)
                if chat
                else message_blocks(message, index)
            )
            known = self._learn(key, message, blocks)
        return known[1]

    def _learn(self, key: tuple[int, int, bool], element: object, blocks: Iterable[PromptBlock]) -> _Read:
        read = element, tuple(self._sized(blocks))
        self._known.put(key, read)
        return read

    def _sized(self, blocks: Iterable[PromptBlock]) -> Iterator[PromptBlock]:
        for block in blocks:
            # Markers are read from the request to send, by what the route keeps of them.
            yield replace(block, ttl=None, tokens=round(block.tokens * self._scale.of(block.level)))


def _role(message: object) -> object:
    return message.get("role") if isinstance(message, Mapping) else None


class Readers:
    """A reader for each shape and scale, and what a policy makes of a prompt."""

    def __init__(self, scales: Mapping[str, Scale]) -> None:
        """Read prompts; `scales` has a model's own tokens for each estimated one."""
        self._scales = scales
        self._known: dict[tuple[Shape, Scale], PromptReader] = {}

    def read(self, request: Mapping[str, Any], route: Route, scope: str = "") -> Prompt:
        """The prompt of a request on a route, without breakpoints."""
        scale = self._scales.get(route.model, UNSCALED)
        reader = self._known.get((route.shape, scale))
        if reader is None:
            reader = self._known[route.shape, scale] = PromptReader(route.shape, scale=scale)
        return reader.read(request, model=route.model, scope=scope)

    def sent(
        self, engine: Engine, request: dict[str, Any], prompt: Prompt, route: Route
    ) -> tuple[dict[str, Any], Prompt]:
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


def marked(prompt: Prompt, request: Mapping[str, Any], route: Route) -> Prompt:
    """A prompt with the breakpoints that a route keeps of a request's markers."""
    markers = route.markers_of(RequestPrompt(request, route.shape))
    if not markers:
        return prompt
    places = {block.location: index for index, block in enumerate(prompt.blocks)}
    breakpoints: dict[int, Ttl] = {}
    automatic: Ttl | None = None
    for marker in markers:
        ttl: Ttl = "1h" if marker.ttl == "1h" else "5m"
        if marker.block == ():
            automatic = ttl if route.request_marker else None
        elif marker.block is not None and (index := block_at(places, marker.block)) is not None:
            breakpoints[index] = ttl
    marked = prompt.mark(breakpoints)
    return marked if automatic is None else marked.mark_last(automatic)


def block_at(places: Mapping[Location, int], at: Location) -> int | None:
    """The block at a location; a text that was marked is a list of one block by then."""
    found = places.get(at)
    return places.get(at[:-1]) if found is None and at and at[-1] == 0 else found
