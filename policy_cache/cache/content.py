"""What a provider hashes of each block of a prompt.

A chat request is read as the body that litellm makes of it for the Messages API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.request.blocks import value_of
from policy_cache.request.location import elements_of, fields_of
from policy_cache.request.markers import MARKER_KEYS
from policy_cache.request.prompt import TOOL_ROLES

if TYPE_CHECKING:
    from policy_cache.request.blocks import Block
    from policy_cache.request.prompt import Prompt

Fields: TypeAlias = Mapping[str, Any]

EMPTY = "[System: Empty message content sanitised to satisfy protocol]"
"""What litellm sends of a message without content, which the API would refuse."""

# Of a tool's schema, litellm sends these.
_SCHEMA = frozenset({"type", "properties", "additionalProperties", "required", "$defs", "strict"})


def content_of(prompt: Prompt, block: Block) -> Fields | None:
    """A block as the body has it, without markers; None for what is no block there.

    The order inside a member is kept: two `tool_use` inputs that differ in it are two prompts.
    """
    if block.kind == "empty":
        return {"text": EMPTY, "type": "text"}
    value = value_of(prompt, block)
    if prompt.shape == "chat":
        return _translated(prompt, block, value)
    if prompt.shape == "responses" and block.kind == "tool_result" and len(block.location) == 2:
        return canonical({"type": "tool_result", "content": value})
    if isinstance(value, str):
        return {"text": value, "type": "text"}
    fields = fields_of(value)
    return None if fields is None else canonical(fields)


def role_of(prompt: Prompt, block: Block) -> str:
    """Whose turn a block is sent in; empty for tools and the system prompt."""
    section, index = block.location[:2] if len(block.location) > 1 else (block.location[0], 0)
    if section != prompt.area or int(index) < prompt.leading:
        return ""
    role = str(prompt.messages[int(index)].get("role", ""))
    return role if prompt.shape == "messages" or role == "assistant" else "user"


def canonical(fields: Fields) -> dict[str, Any]:
    """A block without its markers, its own members in one order."""
    content = {name: fields[name] for name in sorted(fields) if name not in MARKER_KEYS}
    content = {name: value for name, value in content.items() if value is not None}
    if content.get("type") == "input_text":
        content["type"] = "text"  # what a text becomes in the Responses API
    inner = content.get("content")
    if isinstance(inner, str):
        content["content"] = [{"text": inner, "type": "text"}]
    elif isinstance(inner, (list, tuple)):
        content["content"] = [canonical(item) if isinstance(item, Mapping) else item for item in inner]
    if content.get("type") == "document" and isinstance(source := content.get("source"), Mapping):
        content["source"] = canonical(source)
    return content


def _translated(prompt: Prompt, block: Block, value: object) -> Fields | None:
    """A block of a chat request as litellm sends it."""
    location = block.location
    if location[0] == "messages":
        message = prompt.messages[int(location[1])]
        if len(location) == 2 and message.get("role") in TOOL_ROLES:
            return canonical(_result(message, value))
        if location[2] == "tool_calls":
            call = fields_of(value) or {}
            function = fields_of(call.get("function"))
            return None if function is None else canonical(_call(call.get("id"), function))
    if isinstance(value, str):
        return {"text": value, "type": "text"}
    fields = fields_of(value)
    if fields is None:
        return None
    if location[0] == "tools":
        return canonical(_tool(fields))
    return canonical(_image(fields) if fields.get("type") == "image_url" else fields)


def _tool(tool: Fields) -> Fields:
    function = fields_of(tool.get("function"))
    if function is None:
        return tool
    return {
        "name": function.get("name"),
        "description": function.get("description"),
        "input_schema": _schema(function.get("parameters")),
        "type": "custom",
    }


def _schema(given: object) -> object:
    if given is not None and not isinstance(given, Mapping):
        return given
    schema = {name: value for name, value in (given or {}).items() if name in _SCHEMA}
    return {**schema, "type": "object", **({} if "properties" in schema else {"properties": {}})}


def _call(name: object, function: Fields) -> Fields:
    arguments = function.get("arguments")
    try:
        given = json.loads(arguments) if isinstance(arguments, str) and arguments else {}
    except ValueError:
        given = arguments
    return {"type": "tool_use", "id": name, "name": function.get("name"), "input": given}


def _result(message: Fields, content: object) -> Fields:
    if isinstance(content, (list, tuple)):
        parts = [fields_of(part) for part in elements_of(content)]
        content = [_image(part) if part.get("type") == "image_url" else part for part in parts if part]
    return {"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": content or ""}


def _image(part: Fields) -> Fields:
    image = part.get("image_url")
    url = str(image.get("url") if isinstance(image, Mapping) else image)
    head, _, data = url.partition(";base64,")
    source = {"type": "base64", "media_type": head.removeprefix("data:"), "data": data}
    sent: dict[str, Any] = {"type": "image", "source": source if data else {"type": "url", "url": url}}
    detail = image.get("detail") if isinstance(image, Mapping) else None
    return sent if detail is None else {**sent, "detail": detail}
