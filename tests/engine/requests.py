"""Small requests that are large enough to cache, and what a policy says of them."""

from __future__ import annotations

from policy_cache import Engine
from policy_cache.request.location import normalized

BIG = "word " * 1_000
BARE = {"type": "ephemeral"}
FIVE = {"type": "ephemeral", "ttl": "5m"}
HOUR = {"type": "ephemeral", "ttl": "1h"}

ANTHROPIC = "anthropic/claude-sonnet-4-5"
BEDROCK = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
BEDROCK_37 = "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0"


def policy(*rules, **head):
    """A policy's text from rules in flow style, named a, b, c … when they are not named."""
    lines = ["version: 1", "name: p", *(f"{name}: {value}" for name, value in head.items()), "rules:"]
    for letter, rule in zip("abcdefgh", rules, strict=False):
        lines.append(f"  - {{name: {letter}, {rule}}}")
    return "\n".join(lines)


def add(targets, ttl="", extra=""):
    """A rule that marks targets, in flow style."""
    return f"targets: [{targets}], action: {{add_cache_control: {{{ttl and f'ttl: {ttl}'}}}}}{extra}"


def engine(*rules, **head):
    return Engine.from_text(policy(*rules, **head))


def said(plan):
    """Every placement: what was named, where it was done, its TTL and its reason."""
    return [
        (
            None if one.location is None else normalized(one.location),
            None if one.at is None else normalized(one.at),
            one.ttl,
            one.reason,
        )
        for one in plan.placements
    ]


def marked(request):
    """The normalized location of each holder of a marker anywhere in a request, with its TTL."""
    found = []

    def walk(value, location):
        if isinstance(value, dict):
            marker = value.get("cache_control")
            if isinstance(marker, dict) and "type" in marker and marker["type"] == "ephemeral":
                found.append((normalized(location), marker.get("ttl", "5m")))
            for key, item in value.items():
                walk(item, (*location, key))
        elif isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                walk(item, (*location, index))

    walk(request, ())
    return found


def text(value, **more):
    return {"type": "text", "text": value, **more}


def tool(name="f", **more):
    function = {"name": name, "description": BIG, "parameters": {"type": "object", "properties": {}}}
    return {"type": "function", "function": function, **more}


def native_tool(name="f", **more):
    return {"name": name, "description": BIG, "input_schema": {"type": "object", "properties": {}}, **more}


def call(number):
    return {"id": f"call_{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def result(number, content="found", **more):
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content, **more}


def tool_result(number, content="found", **more):
    return {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": content, **more}


def tool_use(number, **more):
    return {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {}, **more}


def chat(messages=None, *, model=ANTHROPIC, **more):
    """An agent's request in OpenAI's shape."""
    given = (
        [{"role": "system", "content": BIG}, {"role": "user", "content": "q"}]
        if messages is None
        else messages
    )
    return {"model": model, "messages": given, **more}


def native(messages=None, *, model=ANTHROPIC, **more):
    """An agent's request in Anthropic's shape."""
    given = [{"role": "user", "content": "q"}] if messages is None else messages
    return {"model": model, "max_tokens": 16, "system": BIG, "messages": given, **more}
