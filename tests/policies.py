"""Policies as hypothesis makes them."""

from __future__ import annotations

from hypothesis import strategies as st

WHOLE = ["system", "tools", "messages.last", "messages.previous_turn"]
TARGETS = [
    "system",
    "tools",
    "messages.last",
    "messages.last_user",
    "messages.last_tool_result",
    "messages.previous_turn",
    "request",
    "$.tools[-1]",
    "$.tools[*]",
    "$.tools[0].function",
    "$.messages[-1]",
    "$.messages[*]",
    "$.messages[?@.role=='user']",
    "$.messages[-2:]",
    "$.messages[1].content",
    "$.system",
    "$.model",
]
BLOCK_TARGETS = [
    "$.messages[*].content[-1]",
    "$.messages[*].content[0].text",
    "$.system[-1]",
    "$.messages[*].tool_calls[0]",
    "$.input[*]",
    "$.input[-2:].content",
    "$.input[*].output[0]",
]
TTL = st.sampled_from([None, "5m", "1h", "auto"])


@st.composite
def marking_rules(draw, number, targets):
    rule = {"name": f"rule-{number}", "targets": [], "action": {"add_cache_control": {}}}
    ttl = draw(TTL)
    if ttl:
        rule["action"]["add_cache_control"] = {"ttl": ttl}
    for at in draw(st.lists(st.sampled_from(targets), min_size=1, max_size=3)):
        target = {"at": at, "take": draw(st.sampled_from(["all", "first", "last", 2]))}
        own = draw(TTL)
        if own:
            target["ttl"] = own
        rule["targets"].append(target)
    if draw(st.booleans()):
        rule["match"] = {"messages": {"min": draw(st.integers(0, 6))}}
    if draw(st.integers(0, 4)) == 0:
        rule["stop"] = True
    return rule


@st.composite
def policies(draw, *, removing=True, splitting=False, modes=("keep", "stand_down", "replace"), targets=None):
    """A policy as plain data, to be written as YAML."""
    client = draw(st.sampled_from(modes))
    remove = removing and draw(st.integers(0, 3)) == 0
    # Where markers are placed anew, what a block target reaches depends on which texts are blocks already.
    anew = client == "replace" or remove or splitting
    targets = targets or (TARGETS if anew else TARGETS + BLOCK_TARGETS)
    rules = [draw(marking_rules(number, targets)) for number in range(draw(st.integers(1, 3)))]
    if remove:
        rule = {"name": "remove", "action": {"remove_cache_control": {}}}
        rules.insert(draw(st.integers(0, len(rules))), rule)
    if splitting:
        rules.insert(
            0, {"name": "split", "targets": ["system"], "action": {"split_text": {"at": "## Today"}}}
        )
    return {"version": 1, "name": "generated", "client_markers": client, "rules": rules}
