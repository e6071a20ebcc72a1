"""What `Engine.rewrite` is measured against."""

from __future__ import annotations

from typing import Any

POINTS = [
    {"location": "tool_config"},
    {"location": "message", "role": "system"},
    {"location": "message", "index": -1},
]


def by_hand(request: dict[str, Any]) -> dict[str, Any]:
    """What one would write for this one request: the last tool and the system prompt, on copies."""
    marker = {"type": "ephemeral"}
    tools = list(request["tools"])
    tools[-1] = {**tools[-1], "cache_control": marker}
    messages = list(request["messages"])
    system = messages[0]
    messages[0] = {
        **system,
        "content": [{"type": "text", "text": system["content"], "cache_control": marker}],
    }
    return {**request, "tools": tools, "messages": messages}


def litellm_hook(request: dict[str, Any]) -> None:
    """litellm's own injection, three points, as `litellm.completion` calls it."""
    from litellm.integrations.anthropic_cache_control_hook import AnthropicCacheControlHook

    AnthropicCacheControlHook().get_chat_completion_prompt(
        model="claude-sonnet-4-5",
        messages=request["messages"],
        non_default_params={"cache_control_injection_points": [*POINTS], "tools": request["tools"]},
        prompt_id=None,
        prompt_variables=None,
        dynamic_callback_params={},
    )
