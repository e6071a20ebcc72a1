"""Every model of litellm's map gets the breakpoints that the catalog promises, by every name and shape."""

from __future__ import annotations

import litellm
import pytest

from policy_cache import Engine
from policy_cache.integrations.litellm import wire

ENGINE = Engine.from_text("""
version: 1
name: p
rules:
  - {name: both, targets: [system, messages.last], action: {add_cache_control: {}}}
""")
LONG = "word " * 6_000
USER = {"role": "user", "content": LONG}
SHAPES = {
    "chat": {"messages": [{"role": "system", "content": LONG}, USER]},
    "messages": {"system": LONG, "messages": [USER], "max_tokens": 9},
    "responses": {"input": [{"role": "developer", "content": LONG}, USER]},
}
# Of which the map says nothing, so that litellm goes by other ways.
UNKNOWN = [
    "bedrock/converse/us.openai.gpt-6-sol",
    "bedrock/us-east-1/us.openai.gpt-6-sol",
    "bedrock/eu.openai.gpt-6-sol",
    "bedrock/us.openai.gpt-9-sol",
    "bedrock/mantle/openai.gpt-6-sol",
    "bedrock_mantle/openai.gpt-5.6",
    "bedrock_mantle/us.openai.gpt-6-sol",
    "bedrock_mantle/openai.gpt-9-sol",
    "azure_ai/gpt-9-sol",
    "azure/gpt-9-sol",
    "openai/gpt-9-sol",
]


def names():
    """Every model by its name in the map and with its provider before it, and some more."""
    yield from UNKNOWN
    for name, entry in litellm.model_cost.items():
        provider = str(entry.get("litellm_provider"))
        if entry.get("mode") in ("chat", "responses"):
            if not name.startswith("gemini-"):  # some of which litellm takes for no provider's
                yield name
            if not name.startswith(provider):
                yield f"{provider}/{name}"


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_promised_is_sent(shape):
    promised = 0
    lost = []
    for model in dict.fromkeys(names()):
        plan = ENGINE.plan({"model": model, **SHAPES[shape]}, shape=shape)
        if plan.route.mechanism == "explicit":
            promised += 1
            slots = {point.slot for point in plan.breakpoints} - {None}
            if len(wire(plan.request, shape=shape).markers) != len(slots):
                lost.append((model, plan.route.name))
    assert promised > 200
    assert lost == []
