"""Who wanted which breakpoint in which order, and what the prefix looks like afterwards."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given

from policy_cache import Engine
from policy_cache.engine.changes import edited
from policy_cache.engine.reasons import ACTED
from policy_cache.report.plan.arbitration import arbitration, holders
from policy_cache.report.plan.prefix import Part, draw
from policy_cache.request.prompt import Prompt
from tests.engine.requests import BARE, BIG, HOUR, add, chat, engine, native, native_tool, text
from tests.policies import policies
from tests.prompts import requests


def steps(found):
    return [
        (step.placement.source.target, step.slot, step.holder, step.placement.reason) for step in found.steps
    ]


def test_who_gets_what_and_who_has_it_already():
    blocks = [text("q", cache_control=BARE), text("r", cache_control=BARE)]
    request = native([{"role": "user", "content": blocks}], tools=[native_tool()])
    rules = engine(add("tools, system, messages.last"), add("'$.tools[-1]', request"))
    found = arbitration(rules.plan(request))
    assert (found.limit, found.client) == (4, 2)
    assert steps(found) == [
        ("tools", 3, None, "applied"),
        ("system", 4, None, "applied"),
        ("messages.last", None, None, "kept_client_marker"),
        ("$.tools[-1]", None, 1, "duplicate"),
        ("request", None, None, "kept_client_marker"),
    ]
    assert list(holders(found)) == ["the client (2)", "steps 1 and 2"]
    assert [step.wanted for step in found.steps][:4] == [
        ("tools", 0),
        ("system",),
        ("messages", 0, "content", 1),
        ("tools", 0),
    ]


def test_what_named_nothing_takes_no_part():
    found = arbitration(engine(add("tools, system")).plan(chat()))
    assert steps(found) == [("system", 1, None, "applied")]


def test_markers_that_are_replaced_are_not_the_clients_any_more():
    request = native(system=[text(BIG, cache_control=HOUR)])
    found = arbitration(engine(add("system"), client_markers="replace").plan(request))
    assert (found.client, steps(found)) == (0, [("system", 1, None, "applied")])


def test_a_marker_that_is_removed_and_set_anew_is_the_policys():
    request = native(system=[text(BIG, cache_control=BARE)])
    rules = engine("action: {remove_cache_control: {}}", add("system"))
    found = arbitration(rules.plan(request))
    assert not rules.plan(request).edits
    assert (found.client, steps(found)) == (0, [("system", 1, None, "applied")])


@pytest.mark.property
@given(policies(splitting=True), requests(3))
def test_breakpoints_are_numbered_from_the_clients_on(policy, request):
    plan = Engine.from_text(yaml.safe_dump(policy)).plan(request)
    found = arbitration(plan)
    taken = [step.slot for step in found.steps if step.slot is not None]
    assert taken == list(range(found.client + 1, found.client + 1 + len(taken)))
    assert not taken or taken[-1] <= found.limit
    acted = {*ACTED, "observed"}
    assert len(taken) == sum(1 for one in plan.placements if one.reason in acted and one.ttl is not None)
    assert [step.number for step in found.steps] == list(range(1, len(found.steps) + 1))


@pytest.mark.property
@given(policies(splitting=True), requests(3))
def test_the_drawing_has_every_breakpoint_that_is_sent_and_no_other(policy, request):
    plan = Engine.from_text(yaml.safe_dump(policy)).plan(request)
    drawing = draw(plan)
    sent = plan.request if plan.changed else edited(plan.original, plan.edits)
    markers = [m for m in plan.route.markers_of(Prompt(sent, plan.route.shape)) if m.block is not None]
    drawn = drawing.ends
    points = [end.breakpoint for end in drawn]
    if plan.route.run:
        assert len(drawn) == bool(markers)
    else:
        ends = {m.block: plan.route.lifetime_of(m) for m in sorted(markers, key=lambda m: m.order)}
        assert [(point.block, plan.route.lifetime_of(point)) for point in points] == list(ends.items())
    assert [point.slot for point in points] == list(range(1, len(drawn) + 1))
    sizes = [one.tokens for one in drawn]
    assert sizes == sorted(sizes)
    assert not sizes or sizes[-1] <= drawing.tokens
    parts = [piece.tokens for piece in drawing.pieces if isinstance(piece, Part)]
    assert abs(sum(parts) - drawing.tokens) <= len(parts)


@pytest.mark.property
@given(policies(modes=("replace",)), requests(0, objects=False))
def test_every_breakpoint_of_an_unmarked_request_is_a_rules(policy, request):
    plan = Engine.from_text(yaml.safe_dump(policy)).plan(request)
    wanted = {one.source for one in plan.placements}
    assert {end.breakpoint.source for end in draw(plan).ends} <= wanted
