"""One request, tried on one provider after another, as a router does when the first ones fail."""

from __future__ import annotations

import copy

import litellm
import pytest

from policy_cache import Engine
from policy_cache.integrations.litellm.capture import capture
from tests.wire.wire import Mark, marks

MARKER = {"type": "ephemeral"}
ANTHROPIC = {"model": "anthropic/claude-sonnet-4-5", "api_key": "k"}
AZURE = {
    "model": "azure/gpt-4o",
    "api_key": "k",
    "api_base": "https://x.openai.azure.com",
    "api_version": "2025-04-01-preview",
}
VLLM = {"model": "hosted_vllm/llama", "api_base": "https://vllm.example/v1"}


def request():
    """What a client marked for Claude: a tool, the system prompt and its question."""
    system = {"type": "text", "text": "SYSTEM " * 2_000, "cache_control": MARKER}
    function = {
        "name": "look_up",
        "description": "d" * 9_000,
        "parameters": {"type": "object", "properties": {}},
    }
    return {
        "messages": [
            {"role": "system", "content": [system]},
            {"role": "user", "content": [{"type": "text", "text": "QUESTION", "cache_control": MARKER}]},
            {"role": "assistant", "content": "ANSWER"},
            {"role": "user", "content": "LAST"},
        ],
        "tools": [{"type": "function", "function": function, "cache_control": MARKER}],
        "max_tokens": 16,
    }


def sent(given):
    """The body of a call that is given the very objects, not a copy of them."""
    return capture(lambda: litellm.completion(max_retries=0, **given))[-1].body


def test_each_attempt_has_its_own_markers():
    engine, client = Engine.default(), request()
    before = copy.deepcopy(client)
    bodies = [sent(engine.rewrite({**client, **route})) for route in (VLLM, ANTHROPIC, AZURE)]
    assert client == before
    assert marks(bodies[1]) == [
        Mark("look_up", "5m"),
        Mark("SYSTEM " * 2_000, "5m"),
        Mark("QUESTION", "5m"),
        Mark("LAST", "5m"),
    ]
    assert "cache_control" not in str(bodies[0])
    assert "cache_control" not in str(bodies[2])


@pytest.mark.parametrize("first", [VLLM, AZURE])
def test_markers_of_the_policy_survive_a_failed_attempt(first):
    engine, client = Engine.default(), request()
    for block in (
        client["messages"][0]["content"][0],
        client["messages"][1]["content"][0],
        client["tools"][0],
    ):
        del block["cache_control"]
    sent(engine.rewrite({**client, **first}))
    assert len(marks(sent(engine.rewrite({**client, **ANTHROPIC})))) == 4
