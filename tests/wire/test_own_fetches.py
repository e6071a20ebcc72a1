"""What litellm fetches for itself before it sends: it neither leaves the machine nor ends the check."""

from __future__ import annotations

from itertools import product

import httpx
import pytest
from litellm import anthropic_beta_headers_manager as beta_headers

from policy_cache.integrations.litellm import WireError, wire
from policy_cache.integrations.litellm.capture import capture

MARKER = {"type": "ephemeral"}
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}
ANSWER = {"type": "json_schema", "json_schema": {"name": "sorted", "schema": SCHEMA}}
MODELS = {
    "anthropic": "anthropic/claude-sonnet-4-5",
    "bedrock": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "vertex_ai": "vertex_ai/claude-sonnet-4-5@20250929",
}


def headers(beta):
    return {"extra_headers": {"anthropic-beta": beta}}


def asked(*blocks):
    return {"messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Q"}, *blocks]}]}


SYSTEM = {"role": "system", "content": [{"type": "text", "text": "word " * 2_000, "cache_control": MARKER}]}
SHAPES = {
    "plain": {},
    "tools": {"tools": [TOOL]},
    "response_format": {"tools": [TOOL], "response_format": ANSWER},
    "response_format, no tools": {"response_format": ANSWER},
    "1h": headers("extended-cache-ttl-2025-04-11"),
    "token-efficient tools": headers("token-efficient-tools-2025-02-19"),
    "interleaved thinking": headers("interleaved-thinking-2025-05-14"),
    "long context": headers("context-1m-2025-08-07"),
    "several betas": headers("context-1m-2025-08-07,interleaved-thinking-2025-05-14"),
    "an unknown beta": headers("no-such-thing-2030-01-01"),
    "thinking": {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 2_048},
    "tool search": {"tools": [TOOL, {"type": "tool_search_tool_regex_20251119", "name": "search"}]},
    "code execution": {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
    "computer use": {
        "tools": [
            {
                "type": "computer_20250124",
                "function": {
                    "name": "computer",
                    "parameters": {"display_width_px": 800, "display_height_px": 600},
                },
            }
        ]
    },
    "web search": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "mcp": {"tools": [{"type": "mcp", "server_label": "m", "server_url": "https://mcp.invalid/sse"}]},
    "mcp_servers": {"mcp_servers": [{"type": "url", "url": "https://mcp.invalid/sse", "name": "m"}]},
    "context_management": {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
    "file_id": asked({"type": "file", "file": {"file_id": "file_011", "format": "application/pdf"}}),
}


REFUSED = {("mcp", "bedrock"), ("mcp", "vertex_ai"), ("file_id", "bedrock")}
"""What litellm itself refuses to send there."""


@pytest.fixture(autouse=True)
def nothing_fetched_yet(monkeypatch):
    """litellm as it is in a process that has sent no request."""
    monkeypatch.delenv("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", raising=False)
    monkeypatch.setattr(beta_headers, "_BETA_HEADERS_CONFIG", None)
    fetched = []
    monkeypatch.setattr(
        beta_headers.GetAnthropicBetaHeadersConfig,
        "fetch_remote_beta_headers_config",
        staticmethod(lambda url, **_: fetched.append(url) or httpx.get(url)),
    )
    yield
    assert fetched == []
    assert beta_headers._BETA_HEADERS_CONFIG is None  # a router fetches its own list later, as without us


def request(provider, **more):
    messages = [SYSTEM, {"role": "user", "content": "Q"}]
    return {"model": MODELS[provider], "messages": messages, "max_tokens": 16, **more}


@pytest.mark.parametrize(
    ("shape", "provider"), [pair for pair in product(SHAPES, MODELS) if pair not in REFUSED]
)
def test_every_shape_has_a_body(shape, provider):
    sent = wire(request(provider, **SHAPES[shape]))
    assert [one.method for one in sent.sent] == ["POST"]
    assert [marker.location for marker in sent.markers] == [("system", 0)]


@pytest.mark.parametrize(("shape", "provider"), sorted(REFUSED))
def test_what_litellm_refuses_is_said(shape, provider):
    with pytest.raises(WireError, match="litellm builds no body for this request"):
        wire(request(provider, **SHAPES[shape]))


@pytest.mark.parametrize("beta", [None, "context-1m-2025-08-07"])
@pytest.mark.parametrize("provider", MODELS)
def test_the_messages_shape_has_a_body(provider, beta):
    given = {
        "model": MODELS[provider],
        "system": SYSTEM["content"],
        "messages": [{"role": "user", "content": "Q"}],
        "max_tokens": 16,
        **(headers(beta) if beta else {}),
    }
    sent = wire(given, shape="messages")
    assert [one.method for one in sent.sent] == ["POST"]
    assert [marker.location for marker in sent.markers] == [("system", 0)]


def test_any_other_fetch_fails_as_without_a_network():
    def call():
        with pytest.raises(httpx.ConnectError):
            httpx.get("https://list.invalid/prices.json")
        httpx.post("https://api.invalid/v1/messages", json={"asked": True})

    assert [(one.method, one.body) for one in capture(call)] == [("POST", {"asked": True})]
