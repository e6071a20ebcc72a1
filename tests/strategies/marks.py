"""What a body marks, told by what each marked block is: a tool's name, a text's first word, a call's id."""

from __future__ import annotations


def marks(body):
    """Each marked block of a Messages or Converse body, and its TTL, in the order of the prefix."""
    found = [("request", _ttl(body["cache_control"]))] if "cache_control" in body else []
    tools = body.get("tools") or body.get("toolConfig", {}).get("tools") or []
    found += _in(tools, "tool")
    found += _in(body.get("system"), "system")
    for message in body["messages"]:
        found += _in(message["content"], message["role"])
    return found


def _in(blocks, place):
    found = []
    before = None
    for block in blocks if isinstance(blocks, list) else ():
        if set(block) == {"cachePoint"}:
            found.append((_name(before, place), _ttl(block["cachePoint"])))
            continue
        before = block
        if "cache_control" in block:
            found.append((_name(block, place), _ttl(block["cache_control"])))
        inner = block.get("content") or block.get("toolResult", {}).get("content")
        found += _in(inner, f"{_name(block, place)} inside")
    return found


def _name(block, place):
    match block:
        case {"toolSpec": {"name": name}} | {"input_schema": _, "name": name}:
            return f"tool {name}"
        case {"type": "tool_use", "id": call} | {"toolUse": {"toolUseId": call}}:
            return f"call {call}"
        case {"type": "tool_result", "tool_use_id": call} | {"toolResult": {"toolUseId": call}}:
            return f"result {call}"
        case {"text": said}:
            return f"{place} {said.partition(' ')[0] or 'BLANK'}"
        case {"type": _, "name": name} if place == "tool":
            return f"tool {name}"
        case {"type": kind}:
            return f"{place} of type {kind}"
    return f"nothing in {place}"


def _ttl(marker):
    return marker.get("ttl") or "5m"
