"""Reading a request as the prompt that a provider caches: a view of the one walk over its blocks.

What the cache of each level depends on is from platform.claude.com, "What invalidates the cache".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from policy_cache.cache.content import content_of, role_of
from policy_cache.cache.prompt import CachedBlock, CachedPrompt, Level, Ttl, digest
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import Route, resolve
from policy_cache.request.blocks import ABSENT, SYSTEM, TOOLS, walk
from policy_cache.request.location import elements_of, fields_of
from policy_cache.request.markers import nested
from policy_cache.request.media import CLAUDE
from policy_cache.request.prompt import Prompt
from policy_cache.request.tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy_cache.request.blocks import Block
    from policy_cache.request.location import Location
    from policy_cache.request.markers import ClientMarker
    from policy_cache.request.media import MediaRules

REPLY_OPENING = 3
"""Tokens after the last breakpoint in recorded usage: 3 on Claude Sonnet 4.5, 2 on Opus 4.8."""

# What a client calls the type of a block may be any text, and prompts are kept.
_LONGEST_KIND = 64
_TURNS_ON_SYSTEM = ("web_search_", "web_fetch_")
_IMAGES = ("image", "image_url")


def read(request: Mapping[str, Any], route: Route, *, scope: str = "") -> CachedPrompt:
    """The prompt of a request on a route, with the breakpoints that its markers are there."""
    prompt = Prompt(request, route.shape)
    blocks = in_order(cached(prompt, block, route.media) for block in walk(prompt, route.blocks))
    whole = assembled(prompt, blocks, model=route.model, scope=scope)
    return marked(whole, route.markers_of(prompt), route)


def messages_prompt(request: Mapping[str, Any], *, scope: str = "") -> CachedPrompt:
    """The prompt of a request of Anthropic's own Messages API."""
    return read(request, messages_route(str(request.get("model", ""))), scope=scope)


@lru_cache(maxsize=64)
def messages_route(model: str) -> Route:
    """Anthropic's own Messages API as a route."""
    return resolve(packaged_catalog(), model=model, provider="anthropic", api_base=None, shape="messages")


def assembled(prompt: Prompt, blocks: Iterable[CachedBlock], *, model: str, scope: str) -> CachedPrompt:
    """A prompt of its blocks, which are in order, without breakpoints."""
    return CachedPrompt(
        model=model, scope=scope, blocks=tuple(blocks), parameters=parameters(prompt), tail=REPLY_OPENING
    )


def in_order(blocks: Iterable[CachedBlock | None]) -> list[CachedBlock]:
    """The blocks that there are, as the cache has them.

    Web search and web fetch change the system prompt, so they follow the other tools.
    """
    present = [block for block in blocks if block is not None]
    present.sort(key=lambda block: (block.level != "tools", block.location[0] != "tools"))
    return present


def cached(prompt: Prompt, block: Block, media: MediaRules = CLAUDE) -> CachedBlock | None:
    """A block as the cache has it; None for what is not in the prefix."""
    if block.kind in ABSENT or (block.kind == "empty" and block.order[0] == SYSTEM):
        return None
    content = content_of(prompt, block)
    if content is None:
        return None
    level: Level = "messages"
    if block.order[0] == TOOLS:
        level = "system" if str(content.get("type", "")).startswith(_TURNS_ON_SYSTEM) else "tools"
    elif block.order[0] == SYSTEM:
        level = "system"
    return CachedBlock(
        level=level,
        kind=block.kind if block.order[0] == TOOLS else str(content.get("type", ""))[:_LONGEST_KIND],
        content=digest(_encoded([level, role_of(prompt, block), content])),
        tokens=tokens(content, media),
        location=block.location,
        cacheable=block.effective,
    )


def _plain(value: object) -> object:
    """An object as its JSON has it, which leaves out what is not there."""
    fields = fields_of(value)
    if fields is None:
        return str(value)
    return {name: member for name, member in fields.items() if member is not None}


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def _encoded(value: object) -> bytes:
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError):  # half a character, or a number of a hundred digits
        return json.dumps(value, separators=(",", ":"), default=_plain).encode()


def marked(prompt: CachedPrompt, markers: Sequence[ClientMarker], route: Route) -> CachedPrompt:
    """A prompt with the breakpoints that a route makes of markers."""
    return prompt.mark(breakpoints_of(prompt, markers, route))


def breakpoints_of(prompt: CachedPrompt, markers: Sequence[ClientMarker], route: Route) -> dict[int, Ttl]:
    """The breakpoints that a route makes of markers, by the index of their block.

    Of two on a block, its own goes before.
    """
    if not markers:
        return {}
    places = prompt.places
    breakpoints: dict[int, Ttl] = {}
    owned: set[int] = set()
    for marker in markers:
        if marker.block is None:
            continue
        place = _place(places, marker.block)
        if marker.holder == marker.block:
            owned.add(place)
        elif place in owned:
            continue
        breakpoints[place] = route.lifetime_of(marker)
    return breakpoints


def _place(places: Mapping[Location, int], at: Location) -> int:
    """The block at a location; a text that was marked is a list of one block by then."""
    index = places.get(at)
    return places[at[:-1]] if index is None else index


def parameters(prompt: Prompt) -> Mapping[Level, bytes]:
    """What each level of the prompt depends on beside its blocks."""
    request = prompt.request
    tool_choice, thinking = request.get("tool_choice"), request.get("thinking")
    if prompt.shape == "chat":
        tool_choice = _choice(tool_choice, parallel=request.get("parallel_tool_calls"))
        asked = request.get("reasoning_effort")
        if asked not in (None, "none") and thinking is None:
            thinking = {"type": "enabled", "effort": asked}
    output = request.get("output_config")
    effort = output.get("effort") if output is not None and isinstance(output, Mapping) else None
    features = set(_features(prompt)) if prompt.rich else ()
    system = [request.get("speed") or "standard", "citations" in features]
    messages = [
        tool_choice or _AUTO,
        thinking or {"type": "disabled"},
        # An explicit default is the same request.
        effort or "high",
        "image" in features,
    ]
    if (system, messages) == _USUALLY:
        return _USUAL
    return {"system": _encoded(system), "messages": _encoded(messages)}


_AUTO = {"type": "auto"}
_USUALLY = ["standard", False], [_AUTO, {"type": "disabled"}, "high", False]
_USUAL: Mapping[Level, bytes] = {"system": _encoded(_USUALLY[0]), "messages": _encoded(_USUALLY[1])}


def _features(prompt: Prompt) -> Iterator[str]:
    """Whether any message holds an image, or asks for citations."""
    for message in prompt.rich:
        for part in elements_of(message.get("content")):
            fields = fields_of(part)
            if fields is None:
                continue
            for item in (fields, *(inner for _, inner in nested(fields))):
                if item.get("type") in _IMAGES:
                    yield "image"
                citations = item.get("citations")
                if isinstance(citations, Mapping) and citations.get("enabled") is True:
                    yield "citations"


def _choice(choice: object, *, parallel: object) -> Mapping[str, object]:
    """OpenAI's `tool_choice` in the words of the Messages API."""
    if choice is None and parallel is not False:
        return _AUTO
    function = choice.get("function") if isinstance(choice, Mapping) else None
    if isinstance(function, Mapping):
        chosen: dict[str, object] = {"type": "tool", "name": function.get("name")}
    elif isinstance(choice, Mapping):
        chosen = dict(choice)
    else:
        chosen = {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}
    if parallel is False:
        chosen["disable_parallel_tool_use"] = True
    return chosen
