"""`injection`: whether litellm's injection points on a request stand against the policy."""

from __future__ import annotations

import pytest

from tests.engine.requests import BIG, add, engine, marked

POINTS = [{"location": "message", "role": "system"}]
REQUEST = {
    "model": "anthropic/claude-sonnet-4-5",
    "cache_control_injection_points": POINTS,
    "messages": [{"role": "system", "content": BIG}, {"role": "user", "content": "q"}],
}
SYSTEM = [("$['messages'][0]['content'][0]", "5m")]


def test_they_stand_by_default():
    policy = engine(add("system"))
    assert policy.rewrite(REQUEST) is REQUEST
    assert policy.plan(REQUEST).injection == "points"


def test_they_go_where_the_policy_marks():
    policy = engine(add("system"), injection="replace")
    plan = policy.plan(REQUEST)
    assert policy.rewrite(REQUEST) == plan.request
    assert "cache_control_injection_points" not in plan.request
    assert REQUEST["cache_control_injection_points"] is POINTS
    assert marked(plan.request) == SYSTEM
    assert plan.injection is None
    assert [point.party for point in plan.breakpoints] == ["policy"]
    [edit] = [edit for edit in plan.edits if edit.change == "set"]
    assert (edit.location, edit.before, edit.after) == (("cache_control_injection_points",), POINTS, None)
    assert edit.source.rule == "a"


@pytest.mark.parametrize("rule", [add("tools"), "match: {model: gpt*}, " + add("system")])
def test_they_stay_where_it_marks_nothing(rule):
    policy = engine(rule, injection="replace")
    assert policy.rewrite(REQUEST) is REQUEST


def test_a_policy_that_observes_leaves_them():
    policy = engine(add("system"), injection="replace", mode="observe")
    plan = policy.plan(REQUEST)
    assert plan.request is REQUEST
    assert [point.party for point in plan.breakpoints] == ["litellm"]
    assert [point.party for point in plan.intended] == ["policy"]
