"""The reply: made up, but always the same for the same request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.request.tokens import tokens

if TYPE_CHECKING:
    from policy_cache.cache.explicit import CacheOutcome

Reply: TypeAlias = Callable[[dict[str, Any]], list[dict[str, Any]]]

_LONGEST_ECHO = 60


def echo(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Repeat the start of the last text of the conversation."""
    return [{"type": "text", "text": f"You said: {_last_text(request)[:_LONGEST_ECHO]}"}]


def build_message(
    request: Mapping[str, Any], content: list[dict[str, Any]], outcome: CacheOutcome, message_id: str
) -> dict[str, Any]:
    """A whole reply, usage included."""
    called = any(block.get("type") == "tool_use" for block in content)
    stop_reason = "tool_use" if called else "end_turn"
    if request["max_tokens"] == 0:
        stop_reason = "max_tokens"
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            **input_usage(outcome),
            "output_tokens": min(tokens(content), request["max_tokens"]),
            "service_tier": "standard",
        },
    }


def input_usage(outcome: CacheOutcome) -> dict[str, Any]:
    """The input side of `usage`; the three counts together are the prompt."""
    return {
        "input_tokens": outcome.uncached,
        "cache_creation_input_tokens": outcome.write_5m + outcome.write_1h,
        "cache_read_input_tokens": outcome.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": outcome.write_5m,
            "ephemeral_1h_input_tokens": outcome.write_1h,
        },
    }


def _last_text(request: Mapping[str, Any]) -> str:
    for message in reversed(request["messages"]):
        content = message["content"]
        if isinstance(content, str):
            return content
        for block in reversed(content):
            if block["type"] == "text":
                text: str = block["text"]
                return text
    return ""
