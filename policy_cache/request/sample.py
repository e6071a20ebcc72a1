"""An agent's request in each shape, with every kind of block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policy_cache.request.prompt import Shape

IN_ORDER = ("look_up", "SYSTEM", "QUESTION", "ANSWER", "NEXT", "call_1", "RESULT", "LAST")
"""The word in each block that tells it from the others, in their order."""

# More than any model's minimum.
_WORDS = "word " * 12_000
_SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
ELSEWHERE = "https://proxy.example/v1"
"""An `api_base` that is not the provider's own."""

_PIXEL = "data:image/png;base64,iVBORw0KGgo="
IMAGES: dict[Shape, dict[str, Any]] = {
    "chat": {"type": "image_url", "image_url": {"url": _PIXEL}},
    "responses": {"type": "input_image", "image_url": _PIXEL},
}
"""An image, as a part of a tool's result."""


def request(shape: Shape, model: str, *, elsewhere: bool = False, blocks: str = "") -> dict[str, Any]:
    """An agent's request in a shape, with every kind of block.

    Args:
        shape: The shape.
        model: The model, as litellm spells it.
        elsewhere: Whether it goes to a host that is not the provider's own.
        blocks: A kind whose text is a list of one block.
    """
    part = {"chat": "text", "messages": "text", "responses": "input_text"}[shape]

    def said(words: str, kind: str, part: str = part) -> object:
        return [{"type": part, "text": words}] if kind == blocks else words

    system = said(f"SYSTEM {_WORDS}", "system")
    question, result = said("QUESTION", "user"), said("RESULT", "result")
    answer = said("ANSWER", "assistant", "output_text" if shape == "responses" else part)
    about = {"name": "look_up", "description": f"d {_WORDS}"}
    asked: list[dict[str, Any]] = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "NEXT"},
    ]
    last: dict[str, Any] = {"role": "user", "content": "LAST"}
    turns: list[dict[str, Any]]
    whole: dict[str, Any] = {"model": model, **({"api_base": ELSEWHERE} if elsewhere else {})}
    if shape == "messages":
        use = {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {}}
        answered = {"type": "tool_result", "tool_use_id": "call_1", "content": result}
        turns = [{"role": "assistant", "content": [use]}, {"role": "user", "content": [answered]}]
        tools: list[dict[str, Any]] = [{**about, "input_schema": _SCHEMA}]
        return {
            **whole,
            "max_tokens": 16,
            "tools": tools,
            "system": system,
            "messages": [*asked, *turns, last],
        }
    if shape == "responses":
        turns = [
            {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": result},
        ]
        tools = [{"type": "function", **about, "parameters": _SCHEMA}]
        items = [{"role": "developer", "content": system}, *asked, *turns, last]
        return {**whole, "max_output_tokens": 16, "tools": tools, "input": items}
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]
    tools = [{"type": "function", "function": {**about, "parameters": _SCHEMA}}]
    messages = [{"role": "system", "content": system}, *asked, *turns, last]
    return {**whole, "max_tokens": 16, "tools": tools, "messages": messages}
