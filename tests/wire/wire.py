"""litellm up to the HTTP body: what it would send, caught at the transport. No network, no key."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import NamedTuple

import httpx
import litellm
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler
from litellm.llms.vertex_ai.vertex_llm_base import VertexBase

from policy_cache.request.location import fields_of

litellm.suppress_debug_info = True
logging.getLogger("LiteLLM").setLevel(logging.ERROR)

CREDENTIALS = {
    "anthropic": {"api_key": "k"},
    "azure_ai": {"api_key": "k", "api_base": "https://x.services.ai.azure.com/anthropic"},
    "bedrock": {"aws_access_key_id": "x", "aws_secret_access_key": "x", "aws_region_name": "us-east-1"},
    "vertex_ai": {"vertex_project": "p", "vertex_location": "us-east5"},
    "openai": {"api_key": "k"},
    "aws-claude-platform": {"aws_bedrock_runtime_endpoint": "https://x.amazonaws.com", "workspace_id": "w"},
}
_ANTHROPIC = {
    "id": "msg",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "ok"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
_CONVERSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    "metrics": {"latencyMs": 1},
}


class Mark(NamedTuple):
    """A marker on the wire: the block it ends, by name, id or text, and its TTL."""

    block: str
    ttl: str


class _Catch:
    def __init__(self):
        self.bodies = []

    def __call__(self, request):
        self.bodies.append(json.loads(request.content))
        return httpx.Response(200, json=_CONVERSE if request.url.path.endswith("/converse") else _ANTHROPIC)


async def _token(*_, **__):
    return "token", "p"


def send(request, route, monkeypatch):
    """The body that litellm sends for a request."""
    # The one thing that is not litellm's own: a token that Google would give.
    monkeypatch.setattr(VertexBase, "_ensure_access_token", lambda *_, **__: ("token", "p"))
    monkeypatch.setattr(VertexBase, "_ensure_access_token_async", _token)
    catch = _Catch()
    given = {**request, **CREDENTIALS[route.provider], **CREDENTIALS.get(route.name, {})}
    if route.shape == "chat":
        handler = HTTPHandler()
        handler.client = httpx.Client(transport=httpx.MockTransport(catch))
        litellm.completion(client=handler, **given)
    else:
        asyncio.run(_send_messages(catch, given))
    return catch.bodies[-1]


async def _send_messages(catch, given):
    handler = AsyncHTTPHandler()
    await handler.client.aclose()
    handler.client = httpx.AsyncClient(transport=httpx.MockTransport(catch))
    await litellm.anthropic_messages(client=handler, **given)
    await handler.client.aclose()


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
