"""litellm's own marking beside a policy: never both on one request, and `explain` says which."""

from __future__ import annotations

import litellm
import pytest

from policy_cache import Engine
from policy_cache.integrations.litellm import wire
from policy_cache.report.plan.explain import explain
from policy_cache.text.styled import plain

LONG = "word " * 2_000
POINTS = [{"location": "message", "role": "system"}, {"location": "tool_config"}]
AUTOMATIC = (
    "litellm's automatic prompt caching is on: it adds nothing where a marker is present, "
    "and otherwise marks Claude's system prompt and last message"
)


def request(**more):
    messages = [
        {"role": "system", "content": LONG},
        {"role": "user", "content": "QUESTION"},
        {"role": "assistant", "content": "ANSWER"},
        {"role": "user", "content": "LAST"},
    ]
    return {"model": "anthropic/claude-sonnet-4-5", "messages": messages, "max_tokens": 16, **more}


def places(one):
    return [marker.location for marker in one.markers]


def test_injection_points_are_left_to_litellm():
    engine, given = Engine.default(), request(cache_control_injection_points=POINTS)
    plan = engine.plan(given)
    assert engine.rewrite(given) is given
    assert {(one.reason, one.detail) for one in plan.placements} == {
        (
            "stood_down",
            "litellm places its own: the request carries `cache_control_injection_points`",
        )
    }
    assert places(wire(given)) == [("system", 0)]
    assert "\nlitellm places its own: the request carries" in plain(
        explain(engine.rules, engine.facts(given), plan)
    )


def test_no_points_are_no_reason_to_stand_down():
    assert Engine.default().plan(request(cache_control_injection_points=[])).changed


def test_a_clients_marker_can_still_be_removed_beside_points():
    engine = Engine.from_text("""
version: 1
name: p
rules:
  - {name: clear, action: {remove_cache_control: {}}}
""")
    given = request(cache_control_injection_points=POINTS, cache_control={"type": "ephemeral"})
    assert "cache_control" not in engine.rewrite(given)


def test_where_litellm_passes_the_points_on_the_wire_says_so():
    given = request(cache_control_injection_points=POINTS)
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    given |= {"model": "openrouter/anthropic/claude-sonnet-4.5", "tools": tools}
    assert wire(given).leaks == ("cache_control_injection_points",)


@pytest.mark.parametrize("how", ["request", "setting"])
def test_automatic_marking_stands_down_before_the_policys_markers(how, monkeypatch):
    if how == "setting":
        monkeypatch.setattr(litellm, "enable_anthropic_prompt_caching", True)
    given = request(**({"enable_prompt_caching": True} if how == "request" else {}))
    engine = Engine.default()
    plan = engine.plan(given)
    assert plan.injection == "automatic"
    assert AUTOMATIC in plain(explain(engine.rules, engine.facts(given), plan))
    assert len(wire(given).markers) == 2  # litellm's own, where there is no policy
    assert places(wire(plan.request)) == [
        ("messages", 0, "content", 0),
        ("messages", 2, "content", 0),
        ("system", 0),
    ]


def test_a_request_may_turn_automatic_marking_off(monkeypatch):
    monkeypatch.setattr(litellm, "enable_anthropic_prompt_caching", True)
    assert Engine.default().plan(request(enable_prompt_caching=False)).injection is None
