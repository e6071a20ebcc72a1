"""The request that is measured: 132 KB, 20 KB of system prompt, 30 tools, 41 messages."""

from __future__ import annotations


def text(characters: int, seed: int = 0) -> str:
    """Plausible text of a given length, different for each seed."""
    words = f"part {seed} of the handbook says that every order is checked twice before it leaves the house; "
    return (words * (characters // len(words) + 1))[:characters]


def tool(number: int, times: int) -> dict[str, object]:
    """A tool of about 1.6 KB."""
    properties = {
        f"field_{index}": {"type": "string", "description": text(58 * times, index)} for index in range(10)
    }
    return {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": text(430 * times, number),
            "parameters": {"type": "object", "properties": properties, "required": ["field_0"]},
        },
    }


def agent_request(*, times: int = 1, messages: int = 41) -> dict[str, object]:
    """An agent's request in OpenAI's shape; `times` multiplies its text, not its structure.

    System prompt, question, calls and results in turn, and the user's next word.
    """
    conversation: list[dict[str, object]] = [
        {"role": "system", "content": text(20_480 * times)},
        {"role": "user", "content": text(1_500 * times)},
    ]
    for number in range((messages - 3) // 2):
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "tool_1", "arguments": "{}"}}
        conversation += [
            {"role": "assistant", "content": text(700 * times, number), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": text(2_300 * times, number)},
        ]
    conversation.append({"role": "user", "content": text(600 * times)})
    return {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": conversation,
        "tools": [tool(index, times) for index in range(30)],
        "max_tokens": 1_024,
    }
