"""Every route with every kind of block: what the plan does, and what litellm makes of it.

`python -m tests.wire.matrix` prints the table of `docs/routes.md`.
"""

from __future__ import annotations

import copy
import json
from typing import NamedTuple

from policy_cache import Engine
from policy_cache.integrations.litellm import wire
from policy_cache.request.markers import MARKER_KEYS
from tests.wire.routes import ROUTES

WORDS = "word " * 12_000
POLICY = """
version: 1
name: one
rules:
  - name: one
    match: {{provider: ["*", gemini], model: "*"}}
    targets: ["{target}"]
    action: {{add_cache_control: {{}}}}
"""
KINDS = {
    "tool": ("$.tools[0]", "look_up"),
    "system": ("system", "SYSTEM"),
    "system, blocks": ("system", "SYSTEM"),
    "user": ("$.messages[{first}]", "QUESTION"),
    "user, blocks": ("$.messages[{first}]", "QUESTION"),
    "assistant": ("$.messages[{second}]", "ANSWER"),
    "assistant, blocks": ("$.messages[{second}]", "ANSWER"),
    "call": ("$.messages[{call}]", "call_1"),
    "result": ("messages.last_tool_result", "RESULT"),
    "result, blocks": ("messages.last_tool_result", "RESULT"),
}
ORDER = ["look_up", "SYSTEM", "QUESTION", "ANSWER", "NEXT", "call_1", "RESULT", "LAST"]


class Cell(NamedTuple):
    """One check.

    Attributes:
        plan: The engine's plan.
        sent: What litellm sends for the planned request.
        plain: What it sends for the request as it was.
        named: A word of the block that was named.
    """

    plan: object
    sent: object
    plain: object
    named: str


def text(words, *, blocks):
    return [{"type": "text", "text": words}] if blocks else words


def typed(content, kind):
    """A text, or blocks of the Responses API."""
    return content if isinstance(content, str) else [{**block, "type": kind} for block in content]


def request_of(case, kind):
    """An agent's request in the shape of the route, with what the kind asks for as blocks."""
    blocks = {name.partition(",")[0] for name in (kind,) if name.endswith("blocks")}
    system = text(f"SYSTEM {WORDS}", blocks="system" in blocks)
    question = text("QUESTION", blocks="user" in blocks)
    answer = text("ANSWER", blocks="assistant" in blocks)
    result = text("RESULT", blocks="result" in blocks)
    parameters = {"type": "object", "properties": {}}
    if case.shape == "messages":
        return {
            **copy.deepcopy(case.request),
            "max_tokens": 16,
            "tools": [
                {"name": "look_up", "description": "d", "input_schema": {"type": "object", "properties": {}}}
            ],
            "system": system,
            "messages": [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
                {"role": "user", "content": "NEXT"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "call_1", "name": "look_up", "input": {}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": result}],
                },
                {"role": "user", "content": "LAST"},
            ],
        }
    if case.shape == "responses":
        return {
            **copy.deepcopy(case.request),
            "max_output_tokens": 16,
            "tools": [{"type": "function", "name": "look_up", "description": "d", "parameters": parameters}],
            "input": [
                {"role": "developer", "content": typed(system, "input_text")},
                {"role": "user", "content": typed(question, "input_text")},
                {"role": "assistant", "content": typed(answer, "output_text")},
                {"role": "user", "content": "NEXT"},
                {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "call_1", "output": typed(result, "input_text")},
                {"role": "user", "content": "LAST"},
            ],
        }
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    function = {"name": "look_up", "description": "d", "parameters": parameters}
    return {
        **copy.deepcopy(case.request),
        "max_tokens": 16,
        "tools": [{"type": "function", "function": function}],
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
            {"role": "user", "content": "NEXT"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": result},
            {"role": "user", "content": "LAST"},
        ],
    }


def cell(case, kind):
    """Plan one marker on one kind of block, and have litellm send it."""
    request = request_of(case, kind)
    # The prefix must be large enough wherever the marker stands.
    tools = request["tools"]
    (tools[0].get("function") or tools[0])["description"] = f"d {WORDS}"
    target, named = KINDS[kind]
    first = 0 if case.shape == "messages" else 1
    target = target.format(first=first, second=first + 1, call=first + 3)
    if case.shape == "responses":
        target = target.replace("$.messages", "$.input")
    plan = Engine.from_text(POLICY.format(target=target)).plan(request, shape=case.shape)
    return Cell(plan, wire(plan.request, shape=case.shape), wire(request, shape=case.shape), named)


def at(body, location):
    """The block at a location of a body, a Converse `cachePoint` not being counted."""
    for key in location:
        if isinstance(key, int):
            body = [item for item in body if set(item) != {"cachePoint"}]
        body = body[key]
    return json.dumps(body)


def bare(value):
    """A body without markers, with a text and its one-block list alike."""
    if isinstance(value, dict):
        value = {name: bare(item) for name, item in value.items() if name not in MARKER_KEYS}
        # The Responses API takes the system prompt in either of two places.
        if isinstance(value.get("instructions"), str):
            system = {"type": "message", "role": "system", "content": value.pop("instructions")}
            value["input"] = [system, *value["input"]]
        return value
    if isinstance(value, list):
        items = [bare(item) for item in value if not (isinstance(item, dict) and set(item) == {"cachePoint"})]
        if len(items) == 1 and isinstance(items[0], dict) and set(items[0]) == {"type", "text"}:
            return items[0]["text"]
        return items
    return value


def seen(one):
    """How the table says it: on the block, on an earlier one, or nowhere."""
    if not one.plan.changed:
        return "-"
    place = one.sent.markers[-1]
    if place.location[0] == "contents":
        return "run"
    block = at(one.sent.sent[place.call].body, place.location)
    return "✓" if one.named in block else "←"


def table():
    """The table of the documentation."""
    kinds = [kind for kind in KINDS if not kind.endswith("blocks")]
    lines = [f"| route | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
    for case in ROUTES:
        cells = [seen(cell(case, kind)) for kind in kinds]
        lines.append(f"| {case.label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
