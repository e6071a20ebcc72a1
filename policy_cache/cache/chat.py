"""Reading the prompt of a chat request: the blocks that litellm makes of it for the Messages API.

What litellm merges into one message is still several blocks, so each message is read by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from policy_cache.cache.messages import content_block, tool_block
from policy_cache.request.location import elements_of
from policy_cache.request.prompt import SYSTEM_ROLES, TOOL_ROLES

if TYPE_CHECKING:
    from policy_cache.cache.messages import Fields
    from policy_cache.cache.prompt import PromptBlock
    from policy_cache.request.location import Location

EMPTY = "[System: Empty message content sanitised to satisfy protocol]"
"""What litellm sends of a message without content, which the API would refuse."""

# Of a tool's schema, litellm sends these.
_SCHEMA = frozenset({"type", "properties", "additionalProperties", "required", "$defs", "strict"})


def chat_tool_block(tool: object, index: int) -> PromptBlock | None:
    """A tool's definition, as `messages.tool_block`."""
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(tool, Mapping):
        return tool_block(tool, index)
    declared = {
        "name": function.get("name"),
        "description": function.get("description"),
        "input_schema": _schema(function.get("parameters")),
        "type": "custom",
        "defer_loading": tool.get("defer_loading") or function.get("defer_loading"),
    }
    return tool_block(declared, index)


def _schema(given: object) -> object:
    if given is not None and not isinstance(given, Mapping):
        return given
    schema = {name: value for name, value in (given or {}).items() if name in _SCHEMA}
    return {**schema, "type": "object", **({} if "properties" in schema else {"properties": {}})}


def chat_message_blocks(message: object, index: int, *, leading: bool) -> Iterator[PromptBlock]:
    """The blocks of a message; `leading` says that it belongs to the system prompt."""
    if not isinstance(message, Mapping):
        return
    role = str(message.get("role", ""))
    at: Location = ("messages", index)
    if role in TOOL_ROLES:
        yield content_block("messages", _result(message), at, role="user")
    elif role in SYSTEM_ROLES and leading:
        for location, block in _parts(message.get("content"), (*at, "content")):
            yield content_block("system", block, location)
    else:
        blocks = list(_turn(message, at))
        sent = "assistant" if role == "assistant" else "user"
        nothing: Location = (*at, "content") if "content" in message else at
        for location, block in blocks or [(nothing, {"type": "text", "text": EMPTY})]:
            yield content_block("messages", block, location, role=sent)


def _turn(message: Fields, at: Location) -> Iterator[tuple[Location, Fields]]:
    """A user's turn, or an assistant's: what it thought, said, and called."""
    for number, block in enumerate(elements_of(message.get("thinking_blocks"))):
        if isinstance(block, Mapping):
            yield (*at, "thinking_blocks", number), block
    yield from _parts(message.get("content"), (*at, "content"))
    called: set[str] = set()
    for number, call in enumerate(elements_of(message.get("tool_calls"))):
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            continue
        # Of the calls with one id, litellm sends the first.
        name = str(call.get("id", number))
        if name not in called:
            called.add(name)
            yield (*at, "tool_calls", number), _call(call.get("id"), function)


def _parts(content: object, at: Location) -> Iterator[tuple[Location, Fields]]:
    if isinstance(content, str):
        if content:
            yield at, {"type": "text", "text": content}
        return
    for number, part in enumerate(elements_of(content)):
        if isinstance(part, Mapping):
            yield (*at, number), _image(part) if part.get("type") == "image_url" else part


def _call(name: object, function: Fields) -> Fields:
    arguments = function.get("arguments")
    try:
        given = json.loads(arguments) if isinstance(arguments, str) and arguments else {}
    except ValueError:
        given = arguments
    return {"type": "tool_use", "id": name, "name": function.get("name"), "input": given}


def _result(message: Fields) -> Fields:
    content = message.get("content")
    if isinstance(content, list):
        content = [block for _, block in _parts(content, ())]
    return {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": content or ""}


def _image(part: Fields) -> Fields:
    image = part.get("image_url")
    url = str(image.get("url") if isinstance(image, Mapping) else image)
    head, _, data = url.partition(";base64,")
    if not data:
        return {"type": "image", "source": {"type": "url", "url": url}}
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": head.removeprefix("data:"), "data": data},
    }


def chat_parameters(request: Fields) -> Fields:
    """What a chat request says beside its blocks, in the words of the Messages API."""
    said: dict[str, Any] = {
        name: request.get(name) for name in ("speed", "thinking", "output_config", "messages")
    }
    said["tool_choice"] = _choice(request.get("tool_choice"), parallel=request.get("parallel_tool_calls"))
    effort = request.get("reasoning_effort")
    if effort not in (None, "none") and said["thinking"] is None:
        said["thinking"] = {"type": "enabled", "effort": effort}
    return said


def _choice(choice: object, *, parallel: object) -> Fields | None:
    function = choice.get("function") if isinstance(choice, Mapping) else None
    if isinstance(function, Mapping):
        found: dict[str, object] = {"type": "tool", "name": function.get("name")}
    elif isinstance(choice, Mapping):
        found = dict(choice)
    else:
        found = {"type": {"required": "any", "none": "none"}.get(str(choice), "auto")}
    if parallel is False:
        found["disable_parallel_tool_use"] = True
    return found
