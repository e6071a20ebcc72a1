"""Every route with every kind of block: what the plan does, and what litellm makes of it.

`python -m tests.wire.matrix` prints the table of `docs/routes.md`.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from policy_cache import Engine
from policy_cache.integrations.litellm import wire
from policy_cache.request.markers import MARKER_KEYS
from policy_cache.request.sample import request
from tests.wire.routes import ROUTES

POLICY = """
version: 1
name: one
rules:
  - name: one
    match: {{provider: ["*", gemini], model: "*"}}
    targets: ["{target}"]
    action: {{add_cache_control: {{}}}}
"""
DEFAULT = Engine.default()
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


def request_of(case, kind):
    """An agent's request in the shape of the route, with what the kind asks for as blocks."""
    name, _, blocks = kind.partition(", ")
    elsewhere = "api_base" in case.request
    given = request(case.shape, case.request["model"], elsewhere=elsewhere, blocks=blocks and name)
    return {**given, **case.request}


def cell(case, kind):
    """Plan one marker on one kind of block, and have litellm send it."""
    given = request_of(case, kind)
    target, named = KINDS[kind]
    first = 0 if case.shape == "messages" else 1
    target = target.format(first=first, second=first + 1, call=first + 3)
    if case.shape == "responses":
        target = target.replace("$.messages", "$.input")
    plan = Engine.from_text(POLICY.format(target=target)).plan(given, shape=case.shape)
    return Cell(plan, wire(plan.request, shape=case.shape), wire(given, shape=case.shape), named)


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


def by_default(case):
    """How many markers of the packaged default policy reach the provider of an agent's request."""
    return len(wire(DEFAULT.rewrite(request_of(case, "call"), shape=case.shape), shape=case.shape).markers)


def table():
    """The table of the documentation, behind a line of what it comes to."""
    kinds = [kind for kind in KINDS if not kind.endswith("blocks")]
    lines = [f"| route | {' | '.join(kinds)} | by default |", f"|---|{'---|' * (len(kinds) + 1)}"]
    marked = default = 0
    for case in ROUTES:
        cells = [seen(cell(case, kind)) for kind in kinds]
        number = by_default(case)
        marked += set(cells) != {"-"}
        default += number > 0
        lines.append(f"| {case.label} | {' | '.join(cells)} | {number or '-'} |")
    told = f"Of {len(ROUTES)} ways to a model, {marked} take markers, and the default policy marks {default}."
    return "\n".join([told, "", *lines]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
