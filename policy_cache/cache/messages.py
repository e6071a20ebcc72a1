"""Reading a prompt from a request of the Anthropic Messages API.

What the cache of each level depends on is from platform.claude.com, "What invalidates the cache".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.cache.prompt import Level, Prompt, PromptBlock, Ttl, digest
from policy_cache.request.location import elements_of
from policy_cache.request.tokens import tokens

if TYPE_CHECKING:
    from policy_cache.request.location import Location

Fields: TypeAlias = Mapping[str, Any]

REPLY_OPENING = 3
"""Tokens after the last breakpoint in recorded usage: 3 on Claude Sonnet 4.5, 2 on Opus 4.8."""

_NEVER_MARKED = frozenset({"thinking", "redacted_thinking"})
_IMAGES = ("image", "image_url")
_TURNS_ON_SYSTEM = ("web_search_", "web_fetch_")
_MARKER = "cache_control"


def messages_prompt(request: Fields, *, scope: str = "") -> Prompt:
    """Read the prompt of a request, breakpoints included; the top-level `cache_control` too.

    The request is taken as the API would accept it; what it would refuse is passed over.
    """
    tools = [tool_block(tool, index) for index, tool in enumerate(elements_of(request.get("tools")))]
    messages = enumerate(elements_of(request.get("messages")))
    prompt = Prompt(
        model=str(request.get("model", "")),
        scope=scope,
        blocks=(
            *in_prefix_order(tools),
            *system_blocks(request.get("system")),
            *(block for index, message in messages for block in message_blocks(message, index)),
        ),
        parameters=parameters(request),
        tail=REPLY_OPENING,
    )
    automatic = marker_ttl(request)
    return prompt if automatic is None else prompt.mark_last(automatic)


def in_prefix_order(tools: Iterable[PromptBlock | None]) -> Iterator[PromptBlock]:
    """The tools that are in the prefix. Web search and web fetch change the system prompt, so they follow."""
    present = [tool for tool in tools if tool is not None]
    yield from (tool for tool in present if tool.level == "tools")
    yield from (tool for tool in present if tool.level != "tools")


def tool_block(tool: object, index: int) -> PromptBlock | None:
    """A tool's definition; None for a deferred one: it is not in the prefix until a search brings it in."""
    if not isinstance(tool, Mapping) or tool.get("defer_loading") is True:
        return None
    searches = str(tool.get("type", "")).startswith(_TURNS_ON_SYSTEM)
    block = content_block("tools", tool, ("tools", index), kind="tool")
    return replace(block, level="system") if searches else block


def system_blocks(system: object) -> Iterator[PromptBlock]:
    """The blocks of a top-level `system`."""
    for location, block in _content_blocks(system, ("system",)):
        yield content_block("system", block, location)


def message_blocks(message: object, index: int) -> Iterator[PromptBlock]:
    """The blocks of a message."""
    if isinstance(message, Mapping):
        role = str(message.get("role", ""))
        for location, block in _content_blocks(message.get("content"), ("messages", index, "content")):
            yield content_block("messages", block, location, role=role)


def marker_ttl(fields: Fields) -> Ttl | None:
    """The lifetime that a `cache_control` member asks for; None without one."""
    marker = fields.get(_MARKER)
    if not isinstance(marker, Mapping):
        return None
    return "1h" if marker.get("ttl") == "1h" else "5m"


def nested_blocks(block: Fields) -> list[Any]:
    """The content blocks inside a tool result or a document."""
    holder = block.get("source") if block.get("type") == "document" else block
    content = holder.get("content") if isinstance(holder, Mapping) else None
    return content if isinstance(content, list) else []


def _content_blocks(content: object, location: Location) -> Iterator[tuple[Location, Fields]]:
    if isinstance(content, str):
        yield location, {"type": "text", "text": content}
        return
    for index, block in enumerate(elements_of(content)):
        if isinstance(block, Mapping):
            yield (*location, index), block


def content_block(
    level: Level, fields: Fields, location: Location, *, role: str = "", kind: str | None = None
) -> PromptBlock:
    """One block, as it stands on the wire."""
    kind = kind or str(fields.get("type", "text"))
    hashed = _hashed(fields)
    cacheable = kind not in _NEVER_MARKED and not (kind == "text" and not fields.get("text"))
    ttl = marker_ttl(fields)
    if ttl is None and (nested := nested_blocks(fields)) and isinstance(nested[-1], Mapping):
        # The API moves a marker on the last nested block to the block around it.
        ttl = marker_ttl(nested[-1])
    return PromptBlock(
        level=level,
        kind=kind,
        content=digest(json.dumps([level, role, hashed], separators=(",", ":"), default=str).encode()),
        tokens=tokens(hashed),
        ttl=ttl if cacheable else None,
        location=location,
        cacheable=cacheable,
    )


def _hashed(fields: Fields) -> dict[str, Any]:
    """A block without its markers, its own members in one order.

    The order inside a member is kept: two `tool_use` inputs that differ in it are two prompts.
    """
    hashed = {key: fields[key] for key in sorted(fields) if key != _MARKER and fields[key] is not None}
    if isinstance(content := hashed.get("content"), str):
        hashed["content"] = [{"text": content, "type": "text"}]
    elif isinstance(content, list):
        hashed["content"] = [_hashed(item) if isinstance(item, Mapping) else item for item in content]
    if hashed.get("type") == "document" and isinstance(source := hashed.get("source"), Mapping):
        hashed["source"] = _hashed(source)
    return hashed


def parameters(request: Fields) -> dict[Level, bytes]:
    """What each level of the prompt depends on beside its blocks."""
    speed = request.get("speed")
    tool_choice = request.get("tool_choice")
    thinking = request.get("thinking")
    output = request.get("output_config")
    effort = output.get("effort") if isinstance(output, Mapping) else None
    features = set(_features(request))
    return {
        "system": json.dumps([speed or "standard", "citations" in features]).encode(),
        "messages": json.dumps(
            [
                tool_choice or {"type": "auto"},
                thinking or {"type": "disabled"},
                # An explicit default is the same request.
                effort or "high",
                "image" in features,
            ],
            default=str,
        ).encode(),
    }


def _features(request: Fields) -> Iterator[str]:
    """Whether any message holds an image, or asks for citations."""
    for message in elements_of(request.get("messages")):
        content = message.get("content") if isinstance(message, Mapping) else None
        for block in elements_of(content):
            if not isinstance(block, Mapping):
                continue
            for item in (block, *nested_blocks(block)):
                if isinstance(item, Mapping):
                    if item.get("type") in _IMAGES:
                        yield "image"
                    citations = item.get("citations")
                    if isinstance(citations, Mapping) and citations.get("enabled") is True:
                        yield "citations"
