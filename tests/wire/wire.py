"""What litellm would send, and the markers in it, told by the blocks that they end."""

from __future__ import annotations

from typing import NamedTuple

from policy_cache.integrations.litellm import wire
from policy_cache.request.location import fields_of


class Mark(NamedTuple):
    """A marker on the wire: the block it ends, by name, id or text, and its TTL."""

    block: str
    ttl: str


def send(request, route):
    """The body that litellm sends for a request."""
    return wire(request, provider=route.provider, shape=route.shape).sent[-1].body


def marks(body):
    """Every marker in a body, in prefix order: Anthropic's, or Bedrock Converse's."""
    if "toolConfig" in body or any(
        "cachePoint" in b or ("text" in b and "type" not in b) for b in _all_blocks(body)
    ):
        return _converse_marks(body)
    found = [_mark(tool["name"], tool) for tool in body.get("tools", []) if "cache_control" in tool]
    blocks = list(body.get("system", [])) if isinstance(body.get("system"), list) else []
    for message in body["messages"]:
        if isinstance(message["content"], list):
            blocks += message["content"]
    for block in blocks:
        inside = block["content"] if isinstance(block.get("content"), list) else []
        found += [_mark(f"inside {identity(block)}", inner) for inner in inside if "cache_control" in inner]
        if "cache_control" in block:
            found.append(_mark(identity(block), block))
    if "cache_control" in body:
        found.append(_mark("the request", body))
    return found


def identity(block):
    """What tells a block apart: its tool's name, its call's id, its text."""
    return str(
        block.get("tool_use_id") or block.get("id") or block.get("name") or block.get("text") or "image"
    )


def _mark(block, carrier):
    return Mark(block, carrier["cache_control"].get("ttl", "5m"))


def _all_blocks(body):
    blocks = list(body.get("system", [])) if isinstance(body.get("system"), list) else []
    for message in body["messages"]:
        blocks += message["content"] if isinstance(message["content"], list) else []
    return blocks


def _converse_marks(body):
    found = []
    for sequence in [
        body.get("toolConfig", {}).get("tools", []),
        body.get("system", []),
        *(message["content"] for message in body["messages"]),
    ]:
        last = "nothing"
        for block in sequence:
            if "cachePoint" in block:
                found.append(Mark(last, block["cachePoint"].get("ttl", "5m")))
            else:
                last = _converse_identity(block)
    return found


def _converse_identity(block):
    for name, key in (("toolSpec", "name"), ("toolUse", "toolUseId"), ("toolResult", "toolUseId")):
        if name in block:
            return block[name][key]
    return block.get("text", "image")


def planned_identity(request, location):
    """The block that a plan marked, told the way the wire tells it."""
    if location == ():
        return "the request"
    value = request
    for key in location:
        value = (value if isinstance(value, (dict, list)) else fields_of(value))[key]
    if isinstance(value, str):
        return value
    block = fields_of(value)
    if location[0] == "tools":
        return (fields_of(block.get("function")) or block)["name"]
    return str(block.get("tool_call_id") or identity(block))
