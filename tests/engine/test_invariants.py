"""What holds for every request under every policy."""

from __future__ import annotations

import copy
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from litellm.types.utils import Function
from pydantic import BaseModel

from benchmarks.request import agent_request
from policy_cache import Engine, RequestError
from policy_cache.cache.reader import Readers
from policy_cache.cache.reading import marked
from policy_cache.engine.direct import direct
from policy_cache.engine.reasons import ACTED, REASONS
from policy_cache.request.markers import MARKER_KEYS, may_hold_markers
from policy_cache.request.prompt import Prompt
from tests.policies import WHOLE, policies
from tests.prompts import broken_requests, requests

pytestmark = pytest.mark.property


def engine_of(policy):
    return Engine.from_text(yaml.safe_dump(policy))


def plain(value):
    """A request as JSON would have it: pydantic objects as their dicts."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def stripped(request):
    """A request without markers, and with one-block lists of text as texts."""

    def strip(value, name=""):
        if isinstance(value, dict):
            if name == "properties":
                return value
            return {key: strip(item, key) for key, item in value.items() if key not in MARKER_KEYS}
        if isinstance(value, list):
            items = [strip(item) for item in value]
            alone = name in {"content", "output", "system"} and len(items) == 1
            if alone and set(items[0]) == {"type", "text"}:
                return items[0]["text"]
            return items
        return value

    return strip(plain(request))


def without_nones(value):
    """litellm's objects and their dict forms differ in absent and null members."""
    if isinstance(value, dict):
        return {key: without_nones(item) for key, item in value.items() if item is not None}
    return [without_nones(item) for item in value] if isinstance(value, list) else value


def wire_markers(request, route):
    return [m for m in route.markers_of(Prompt(request, route.shape)) if m.block is not None]


@given(policies(splitting=True), requests(3))
def test_the_callers_request_is_never_mutated(policy, request):
    before = copy.deepcopy(plain(request))
    engine_of(policy).rewrite(request)
    assert plain(request) == before


@given(policies(), requests(3))
def test_no_change_gives_the_very_same_object(policy, request):
    engine = engine_of(policy)
    plan = engine.plan(request)
    assert plan.changed is bool(plan.edits)
    if not plan.edits:
        assert engine.rewrite(request) is request
        assert plan.request is request
    else:
        assert plain(plan.request) != plain(request)


LOWERED_AND_ON_THE_REQUEST = {
    "version": 1,
    "name": "p",
    "rules": [
        {
            "name": "r",
            "targets": [{"at": "messages.last", "ttl": "1h"}, "request"],
            "action": {"add_cache_control": {}},
        }
    ],
}
MARKED_TOOL = {
    "model": "anthropic/claude-sonnet-4-5",
    "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "word " * 6_000}],
}


@given(policies(splitting=True), requests(3), st.booleans())
def test_what_was_read_of_a_request_serves_what_was_made_of_it(policy, request, asked):
    engine = engine_of(policy)
    route = engine.route(request)
    original = Prompt(request, route.shape)
    if asked:
        may_hold_markers(original)
    elsewhere = {**request, "api_key": "other"}
    incoming = engine.incoming(elsewhere, prompt=original.elsewhere(elsewhere))
    sent = engine.send(incoming)
    assert plain(sent) == plain(engine.rewrite(elsewhere))
    fresh = route.markers_of(Prompt(sent, route.shape))
    assert route.markers_of(incoming.facts.prompt.rewritten(sent)) == fresh
    outgoing, markers = engine.outgoing(incoming)
    read = Readers({}).read(outgoing.request, route)
    assert marked(read, markers, route) == marked(read, fresh, route)
    assert [(each.order[0], each.ttl) for each in markers] == [(each.order[0], each.ttl) for each in fresh]


class Part(BaseModel):
    """A block as an SDK returns it: with members that are not there."""

    text: str = "nested"
    type: str = "text"
    citations: None = None


NESTED = {
    "model": "anthropic/claude-sonnet-4-5",
    "system": "word",
    "messages": [
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": [Part()]}]},
        {"role": "user", "content": [Part(), {"type": "document", "source": {"content": [Part()]}}]},
    ],
}


@example(NESTED)
@given(requests(3))
def test_objects_are_hashed_as_their_json(request):
    route = Engine.passing().route(request)
    prompts = [Readers({}).read(each, route) for each in (request, plain(request))]
    assert prompts[0].prefix == prompts[1].prefix


@example(LOWERED_AND_ON_THE_REQUEST, MARKED_TOOL)
@given(policies(splitting=True), requests(3))
def test_rewriting_twice_is_rewriting_once(policy, request):
    engine = engine_of(policy)
    once = engine.rewrite(request)
    assert engine.rewrite(once) is once


@given(policies(removing=False, modes=("keep", "stand_down")), requests(3))
def test_without_the_markers_it_is_the_same_request(policy, request):
    after = engine_of(policy).rewrite(request)
    assert without_nones(stripped(after)) == without_nones(stripped(request))


@given(policies(splitting=True), requests(3))
def test_never_more_markers_than_the_route_allows(policy, request):
    plan = engine_of(policy).plan(request)
    # Markers that share a block are sent as one.
    before = len({marker.block for marker in wire_markers(plan.original, plan.route)})
    after = len({marker.block for marker in wire_markers(plan.request, plan.route)})
    assert after <= max(before, plan.route.breakpoints)


@given(policies(splitting=True), requests(3))
def test_ttls_never_rise_unless_the_client_had_them_rise(policy, request):
    plan = engine_of(policy).plan(request)

    def rising(prompt):
        markers = sorted(wire_markers(prompt, plan.route), key=lambda m: m.order)
        ttls = [plan.route.lifetime_of(marker) for marker in markers]
        short = next((index for index, ttl in enumerate(ttls) if ttl != "1h"), len(ttls))
        return "1h" in ttls[short:]

    assume(not rising(plan.original))
    assert not rising(plan.request)


@given(policies(splitting=True), requests(3))
def test_never_two_markers_on_one_block(policy, request):
    plan = engine_of(policy).plan(request)
    before = [m.block for m in wire_markers(plan.original, plan.route)]
    after = [m.block for m in wire_markers(plan.request, plan.route)]
    assert all(after.count(block) <= max(1, before.count(block)) for block in after)


@given(policies(splitting=True), requests(3))
def test_every_placement_ends_with_one_known_reason(policy, request):
    plan = engine_of(policy).plan(request)
    for placement in plan.placements:
        assert placement.reason in REASONS
        if placement.ttl is not None:
            assert (placement.at is not None) is (placement.reason in ACTED)


@given(policies(splitting=True), requests(3, objects=False))
def test_the_json_patch_makes_the_request(policy, request):
    plan = engine_of(policy).plan(request)
    assert patched(json.loads(json.dumps(request)), plan.json_patch()) == plan.request


@given(policies(splitting=True), requests(3))
def test_a_plan_without_what_was_refused_has_none_of_it_and_all_the_rest(policy, request):
    plan = engine_of(policy).plan(request)
    whole = [point.at for point in plan.breakpoints if point.party == "policy"]
    for mark in set(plan.marks.values()):
        rest = plan.without({mark})
        assert mark not in rest.marks.values()
        assert [kept for kept in plan.marks.items() if kept[1] != mark] == [*rest.marks.items()]
        assert len([p for p in rest.breakpoints if p.party == "policy"]) <= len(whole)
    bare = plan.without([*plan.marks.values()])
    assert bare.marks == {}
    # Under `replace`, a client's marker that is as the policy wants it stays, as the policy's own.
    before = {marker.holder for marker in plan.client_markers}
    assert {point.at for point in bare.breakpoints if point.party == "policy"} <= before
    assert patched(json.loads(json.dumps(plain(request))), bare.json_patch()) == plain(bare.request)


def in_tuples(value):
    if isinstance(value, dict):
        return {key: in_tuples(item) for key, item in value.items()}
    return tuple(in_tuples(item) for item in value) if isinstance(value, (list, tuple)) else value


@given(policies(splitting=True), requests(3, objects=False))
def test_tuples_are_lists(policy, request):
    engine = engine_of(policy)
    plan, tuples = engine.plan(request), engine.plan(in_tuples(request))
    assert tuples.placements == plan.placements
    assert tuples.breakpoints == plan.breakpoints
    assert plain(engine.rewrite(in_tuples(request))) == plain(engine.rewrite(request))


def patched(document, operations):
    """RFC 6902, written from the RFC: the three operations that plans use."""
    for operation in operations:
        *parents, last = [
            key.replace("~1", "/").replace("~0", "~")
            for key in operation["path"].removeprefix("/").split("/")
        ]
        target = document
        for key in parents:
            target = target[int(key)] if isinstance(target, list) else target[key]
        if isinstance(target, list):
            last = int(last)
        if operation["op"] == "add" and isinstance(target, list):
            assert last <= len(target)
            target.insert(last, operation["value"])
        elif operation["op"] == "add":
            target[last] = operation["value"]
        else:
            assert last in target if isinstance(target, dict) else last < len(target)
            if operation["op"] == "remove":
                del target[last]
            else:
                target[last] = operation["value"]
    return document


@given(policies(splitting=True), broken_requests())
def test_rewrite_never_raises(policy, request):
    engine = engine_of(policy)
    before = repr(request)
    after = engine.rewrite(request)
    assert repr(request) == before
    if engine.failures:
        assert after is request


@given(policies(splitting=True), requests(3))
def test_observing_changes_nothing_and_says_what_it_would_do(policy, request):
    enforced = engine_of(policy).plan(request)
    engine = engine_of({**policy, "mode": "observe"})
    plan = engine.plan(request)
    assert plan.request is request
    assert engine.rewrite(request) is request
    assert [edit[:4] for edit in plan.edits] == [edit[:4] for edit in enforced.edits]
    observed = [placement.reason == "observed" for placement in plan.placements]
    assert observed == [placement.reason in ACTED for placement in enforced.placements]


@settings(max_examples=20)
@given(policies(), st.lists(requests(3), min_size=2, max_size=4))
def test_one_engine_serves_many_threads(policy, many):
    engine = engine_of(policy)
    alone = [plain(engine_of(policy).rewrite(request)) for request in many]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda index: plain(engine.rewrite(many[index % len(many)])), range(40)))
    assert together == [alone[index % len(many)] for index in range(40)]


@given(
    st.one_of(policies(splitting=True), policies(removing=False, targets=WHOLE)),
    st.one_of(requests(), requests(3)),
)
def test_planning_and_rewriting_agree(policy, request):
    engine = engine_of(policy)
    assert plain(engine.plan(request).request) == plain(engine.rewrite(request))


def test_a_usual_request_goes_the_direct_way():
    engine, request = Engine.default(), agent_request()
    prompt = Prompt(request, "chat")
    route = engine.facts(request).route
    matching = [rule for rule in engine.rules if rule.source.rule in {"agent-prefix", "conversation"}]
    marks = direct(matching, prompt, route, engine.lifetimes)
    assert marks is not None
    assert [*marks] == [point.origin for point in engine.plan(request).breakpoints]


@given(policies(splitting=True), broken_requests())
def test_plan_raises_nothing_but_request_errors(policy, request):
    engine = engine_of(policy)
    try:
        plan = engine.plan(request)
    except RequestError:
        return
    assert plan.request is request or plan.changed


@pytest.mark.parametrize("role", [[], {}, 3, None, "", "nobody"])
def test_a_role_may_be_anything(role):
    messages = [{"role": role, "content": "hello"}, {"role": "user", "content": [{"type": role}]}]
    plan = Engine.default().plan(
        {"model": "claude-sonnet-4-5", "messages": [messages[0], *messages, messages[0]]}
    )
    assert not plan.changed


@pytest.mark.parametrize("tool", [Function(name="f", arguments=""), Part()])
def test_a_tool_may_be_an_object_without_a_description(tool):
    engine, described = Engine.default(), {"name": "g", "description": "word " * 6_000}
    for given_tool in (tool, {"type": "function", "function": tool}):
        tools = [given_tool, {"type": "function", "function": described}]
        request = {**MARKED_TOOL, "tools": tools}
        assert engine.rewrite(request) == engine.plan(request).request != request
    assert not engine.failures
