"""Whose each breakpoint is, in the request as it is sent."""

from __future__ import annotations

from policy_cache import Engine
from policy_cache.request.location import normalized

LONG = "word " * 2_000
MARKER = {"type": "ephemeral"}
SPLIT = """
version: 1
name: p
rules:
  - name: split
    targets: ["$.messages[0].content[0]", "$.messages[0].content[1]"]
    action: {split_text: {at: "## Today"}}
  - name: mark
    targets: ["$.messages[0].content[*]", messages.last]
    action: {add_cache_control: {}}
"""


def found(engine, request):
    plan = engine.plan(request)
    return [(normalized(point.at), point.ttl, point.placer) for point in plan.breakpoints]


def text(content, **more):
    return {"type": "text", "text": content, **more}


def test_behind_splits_places_have_moved():
    """The first two texts are split, and each first half is marked; the third moves by two."""
    blocks = [text(f"{LONG}## Today"), text(f"{LONG}## Today"), text("end")]
    request = {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [{"role": "user", "content": blocks}, {"role": "user", "content": "hello"}],
    }
    engine = Engine.from_text(SPLIT)
    assert found(engine, request) == [
        ("$['messages'][0]['content'][0]", "5m", "mark"),
        ("$['messages'][0]['content'][2]", "5m", "mark"),
        ("$['messages'][0]['content'][4]", "5m", "mark"),
        ("$['messages'][1]['content'][0]", "5m", "mark"),
    ]


def test_the_clients_own_and_a_lost_one():
    request = {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [
            {"role": "system", "content": [text(LONG, cache_control={**MARKER, "ttl": "1h"})]},
            {"role": "user", "content": [text("hello")], "cache_control": MARKER},
        ],
    }
    assert found(Engine.from_text("version: 1\nname: none\nrules: []\n"), request) == [
        ("$['messages'][0]['content'][0]", "1h", "(client)"),
        ("$['messages'][1]", "5m", "(client)"),
    ]


def test_a_run_of_gemini_is_the_rules_everywhere():
    policy = """
version: 1
name: p
rules:
  - name: run
    match: {provider: gemini}
    targets: [messages.previous_turn, system]
    action: {add_cache_control: {}}
"""
    request = {
        "model": "gemini/gemini-2.5-pro",
        "messages": [
            {"role": "system", "content": LONG},
            {"role": "user", "content": LONG},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": "again"},
        ],
    }
    plan = Engine.from_text(policy).plan(request)
    assert plan.changed
    assert {(point.placer, point.slot) for point in plan.breakpoints} == {("run", 1)}


def test_nothing_is_placed_by_a_policy_that_observes():
    engine = Engine.from_text(SPLIT.replace("name: p", "name: p\nmode: observe"))
    request = {"model": "anthropic/claude-sonnet-4-5", "messages": [{"role": "user", "content": LONG}]}
    assert found(engine, request) == []
