"""Every reason with which a placement can end, in exact cases."""

from __future__ import annotations

import pytest

from policy_cache.engine.reasons import ACTED, MEANING, REASONS
from policy_cache.request.location import normalized
from tests.engine.requests import (
    ANTHROPIC,
    BARE,
    BEDROCK,
    BEDROCK_37,
    BIG,
    FIVE,
    HOUR,
    add,
    call,
    chat,
    engine,
    marked,
    native,
    native_tool,
    result,
    said,
    text,
    tool,
    tool_result,
    tool_use,
)

SYSTEM, TOOL, LAST = "$['messages'][0]", "$['tools'][0]", "$['messages'][1]"
THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
DEFER = {"defer_loading": True}


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


TALK = [user("q0"), assistant("a0"), user("q1"), assistant("a1"), user("q2"), assistant("a2"), user("q3")]

CASES = {
    # applied
    "applied in chat": (
        [add("tools, system, messages.last")],
        chat(tools=[tool(), tool("g")]),
        [
            ("$['tools'][1]", "$['tools'][1]", "5m", "applied"),
            (SYSTEM, "$['messages'][0]['content']", "5m", "applied"),
            (LAST, "$['messages'][1]['content']", "5m", "applied"),
        ],
    ),
    "applied in messages": (
        [add("tools, system, request, messages.last", "1h")],
        native(tools=[native_tool()]),
        [
            (TOOL, TOOL, "1h", "applied"),
            ("$['system']", "$['system']", "1h", "applied"),
            ("$", "$", "1h", "applied"),
            ("$['messages'][0]", None, "1h", "duplicate"),
        ],
    ),
    "applied on the last of parallel calls": (
        [add("'$.messages[1].tool_calls[-1]'")],
        chat(
            [user(BIG), assistant(None, tool_calls=[call(0), call(1)]), result(0), result(1)], tools=[tool()]
        ),
        [("$['messages'][1]['tool_calls'][1]", "$['messages'][1]['tool_calls'][1]", "5m", "applied")],
    ),
    "a target's own ttl": (
        [add("{at: tools, ttl: 1h}, system", "5m")],
        chat(tools=[tool()]),
        [(TOOL, TOOL, "1h", "applied"), (SYSTEM, "$['messages'][0]['content']", "5m", "applied")],
    ),
    # moved
    "moved from a last thinking block": (
        [add("'$.messages[1].content[-1]'")],
        native([user("q"), assistant([text("a"), THINKING]), user("q")]),
        [("$['messages'][1]['content'][1]", "$['messages'][1]['content'][0]", "5m", "moved")],
    ),
    "not moved: the last markable block is what a message means": (
        [add("'$.messages[1]'")],
        native([user("q"), assistant([text("a"), THINKING]), user("q")]),
        [("$['messages'][1]", "$['messages'][1]['content'][0]", "5m", "applied")],
    ),
    "moved from a deferred tool": (
        [add("'$.tools[-1]'")],
        native(tools=[native_tool(), native_tool("g", **DEFER)]),
        [("$['tools'][1]", TOOL, "5m", "moved")],
    ),
    "not moved: the last markable tool is what `tools` means": (
        [add("tools")],
        native(tools=[native_tool(), native_tool("g", **DEFER)]),
        [("$['tools'][1]", TOOL, "5m", "applied")],
    ),
    "moved from inside a tool result": (
        [add("'$.messages[-1].content[0].content[0]'")],
        native(
            [user(BIG), assistant([tool_use(0)]), user([tool_result(0, [text("r")])])], tools=[native_tool()]
        ),
        [("$['messages'][2]['content'][0]['content'][0]", "$['messages'][2]['content'][0]", "5m", "moved")],
    ),
    "moved from an empty text": (
        [add("'$.messages[0].content[-1]'")],
        native([user([text("q"), text("")])]),
        [("$['messages'][0]['content'][1]", "$['messages'][0]['content'][0]", "5m", "moved")],
    ),
    "moved from an empty message to the turn before": (
        [add("'$.messages[-1]'")],
        native([user("q"), assistant("a"), user("")]),
        [("$['messages'][2]", "$['messages'][1]['content']", "5m", "moved")],
    ),
    "moved from the first message to the system prompt": (
        [add("'$.messages[0]'")],
        native([user("")]),
        [("$['messages'][0]", "$['system']", "5m", "moved")],
    ),
    "moved from a tool's function": (
        [add("'$.tools[0].function'")],
        chat(tools=[tool()]),
        [("$['tools'][0]['function']", TOOL, "5m", "moved")],
    ),
    # kept_client_marker
    "the client's own marker stays": (
        [add("tools", "1h")],
        chat(tools=[tool(cache_control=BARE)]),
        [(TOOL, None, "1h", "kept_client_marker")],
    ),
    "the client's marker on a message counts for its text": (
        [add("system")],
        chat([{"role": "system", "content": BIG, "cache_control": BARE}, user("q")]),
        [(SYSTEM, None, "5m", "kept_client_marker")],
    ),
    "the client's marker inside a result counts for the result": (
        [add("messages.last")],
        native(
            [user(BIG), assistant([tool_use(0)]), user([tool_result(0, [text("r", cache_control=BARE)])])],
            tools=[native_tool()],
        ),
        [("$['messages'][2]", None, "5m", "kept_client_marker")],
    ),
    "a 5m may not precede the client's 1h": (
        [add("tools")],
        chat([{"role": "system", "content": [text(BIG, cache_control=HOUR)]}, user("q")], tools=[tool()]),
        [(TOOL, None, "5m", "kept_client_marker")],
    ),
    "a 1h may precede the client's 1h": (
        [add("tools", "1h")],
        chat([{"role": "system", "content": [text(BIG, cache_control=HOUR)]}, user("q")], tools=[tool()]),
        [(TOOL, TOOL, "1h", "applied")],
    ),
    "the client's marker on the request takes no second ttl on its block": (
        [add("messages.last", "1h")],
        native(cache_control=BARE),
        [("$['messages'][0]", None, "1h", "kept_client_marker")],
    ),
    "the client's marker on the request": (
        [add("request", "1h")],
        native(cache_control=BARE),
        [("$", None, "1h", "kept_client_marker")],
    ),
    "a marker on the request where the client's stands with another ttl": (
        [add("request", "1h")],
        native([user([text("q", cache_control=BARE)])]),
        [("$", None, "1h", "kept_client_marker")],
    ),
    # duplicate
    "duplicates within a rule and of an earlier one": (
        [add("'$.tools[0]', tools", "1h"), add("tools, system, '$.messages[0].content'")],
        chat(tools=[tool()]),
        [
            (TOOL, TOOL, "1h", "applied"),
            (TOOL, None, "1h", "duplicate"),
            (TOOL, None, "5m", "duplicate"),
            (SYSTEM, "$['messages'][0]['content']", "5m", "applied"),
            ("$['messages'][0]['content']", None, "5m", "duplicate"),
        ],
    ),
    "two places that settle on one block": (
        [add("'$.messages[1].content[*]'")],
        native([user("q"), assistant([text("a"), THINKING]), user("q")]),
        [
            ("$['messages'][1]['content'][1]", "$['messages'][1]['content'][0]", "5m", "moved"),
            ("$['messages'][1]['content'][0]", None, "5m", "duplicate"),
        ],
    ),
    # no_target
    "no target": (
        [add("tools, system, messages.last_tool_result, messages.previous_turn, '$.tools[3]'")],
        chat([user(BIG)]),
        [(None, None, "5m", "no_target")] * 5,
    ),
    # not_markable
    "outside the prompt": (
        [add("'$.model', '$.metadata.x'")],
        chat(metadata={"x": "y"}),
        [("$['model']", None, "5m", "not_markable"), ("$['metadata']['x']", None, "5m", "not_markable")],
    ),
    "nothing before it can carry one": (
        [add("tools, messages.last")],
        {"model": ANTHROPIC, "messages": [user("")], "tools": [native_tool(**DEFER)]},
        [(TOOL, None, "5m", "not_markable"), ("$['messages'][0]", None, "5m", "not_markable")],
    ),
    # below_minimum
    "below the minimum, then above": (
        [add("system, messages.last")],
        chat([{"role": "system", "content": "x" * 1_000}, user("y" * 1_560)]),
        [
            (SYSTEM, None, "5m", "below_minimum"),
            (LAST, "$['messages'][1]['content']", "5m", "applied"),
        ],
    ),
    "one character below the minimum": (
        [add("messages.last")],
        chat([user("y" * 2_559)]),
        [("$['messages'][0]", None, "5m", "below_minimum")],
    ),
    "a model with a larger minimum": (
        [add("messages.last")],
        chat([user("y" * 10_239)], model="anthropic/claude-opus-4-5"),
        [("$['messages'][0]", None, "5m", "below_minimum")],
    ),
    # over_budget
    "over budget: earlier rules and targets first": (
        [
            add("tools, system"),
            add("messages.last, '$.messages[0]'"),
            add("'$.messages[2]', '$.messages[4]'"),
        ],
        native(TALK, tools=[native_tool()]),
        [
            (TOOL, TOOL, "5m", "applied"),
            ("$['system']", "$['system']", "5m", "applied"),
            ("$['messages'][6]", "$['messages'][6]['content']", "5m", "applied"),
            ("$['messages'][0]", "$['messages'][0]['content']", "5m", "applied"),
            ("$['messages'][2]", None, "5m", "over_budget"),
            ("$['messages'][4]", None, "5m", "over_budget"),
        ],
    ),
    "over budget: within a target the hits nearest the end first": (
        [add("\"$.messages[?@.role=='user']\", system")],
        native([user("q"), assistant("a"), *TALK]),
        [
            ("$['messages'][8]", "$['messages'][8]['content']", "5m", "applied"),
            ("$['messages'][6]", "$['messages'][6]['content']", "5m", "applied"),
            ("$['messages'][4]", "$['messages'][4]['content']", "5m", "applied"),
            ("$['messages'][2]", "$['messages'][2]['content']", "5m", "applied"),
            ("$['messages'][0]", None, "5m", "over_budget"),
            ("$['system']", None, "5m", "over_budget"),
        ],
    ),
    "over budget: the client's markers count, on the request too": (
        [add("tools, system, messages.previous_turn, messages.last")],
        native(
            [user([text("q", cache_control=BARE)]), assistant("a"), user("r"), assistant("b"), user("s")],
            tools=[native_tool()],
            cache_control=BARE,
        ),
        [
            (TOOL, TOOL, "5m", "applied"),
            ("$['system']", "$['system']", "5m", "applied"),
            ("$['messages'][2]", None, "5m", "over_budget"),
            ("$['messages'][4]", None, "5m", "kept_client_marker"),
        ],
    ),
    "over budget: five of the client's stay, and nothing comes to them": (
        [add("tools")],
        native([user([text("q", cache_control=BARE) for _ in range(5)])], tools=[native_tool()]),
        [(TOOL, None, "5m", "over_budget")],
    ),
    # ttl_lowered
    "a late 1h after a 5m of the policy": (
        [add("tools"), add("system", "1h")],
        chat(tools=[tool()]),
        [(TOOL, TOOL, "5m", "applied"), (SYSTEM, "$['messages'][0]['content']", "5m", "ttl_lowered")],
    ),
    "a 1h of an earlier rule is lowered all the same": (
        [add("messages.last", "1h"), add("tools")],
        chat(tools=[tool()]),
        [(LAST, "$['messages'][1]['content']", "5m", "ttl_lowered"), (TOOL, TOOL, "5m", "applied")],
    ),
    "a late 1h after the client's bare marker": (
        [add("messages.last", "1h")],
        chat(tools=[tool(cache_control=BARE)]),
        [(LAST, "$['messages'][1]['content']", "5m", "ttl_lowered")],
    ),
    "a 1h before the client's bare marker stays": (
        [add("tools", "1h")],
        native([user([text("q", cache_control=BARE)])], tools=[native_tool()]),
        [(TOOL, TOOL, "1h", "applied")],
    ),
    "the request comes last": (
        [add("request", "1h"), add("system", "5m")],
        native(),
        [("$", "$", "5m", "ttl_lowered"), ("$['system']", "$['system']", "5m", "applied")],
    ),
    # ttl_unsupported
    "bedrock takes no 1h for Claude 3.7": (
        [add("tools, system", "1h")],
        chat(model=BEDROCK_37, tools=[tool()]),
        [
            (TOOL, TOOL, "5m", "ttl_unsupported"),
            (SYSTEM, "$['messages'][0]['content']", "5m", "ttl_unsupported"),
        ],
    ),
    "bedrock takes 1h for Claude 4.5": (
        [add("tools", "1h")],
        chat(model=BEDROCK, tools=[tool()]),
        [(TOOL, TOOL, "1h", "applied")],
    ),
    # provider_automatic
    "openai caches by itself": (
        [add("tools, system", "1h")],
        chat(model="gpt-4o", tools=[tool()]),
        [(None, None, "1h", "provider_automatic")] * 2,
    ),
    "gemini on vertex caches by itself": (
        [add("system")],
        chat(model="vertex_ai/gemini-2.5-pro"),
        [(None, None, "5m", "provider_automatic")],
    ),
    # provider_unsupported
    "an unknown provider": (
        [add("system")],
        chat(model="acme/super-claude"),
        [(None, None, "5m", "provider_unsupported")],
    ),
    "no provider at all": (
        [add("system")],
        chat(model="super"),
        [(None, None, "5m", "provider_unsupported")],
    ),
    "Claude before caching on bedrock": (
        [add("system")],
        chat(model="bedrock/anthropic.claude-3-sonnet-20240229-v1:0"),
        [(None, None, "5m", "provider_unsupported")],
    ),
    "a parameter that the provider does not take": (
        ["action: {set: {prompt_cache_key: k}}"],
        chat(),
        [(None, None, None, "provider_unsupported")],
    ),
    "a marker on the request would have no block": (
        [add("request")],
        {"model": ANTHROPIC, "messages": []},
        [("$", None, "5m", "not_markable")],
    ),
    # route_drops_marker
    "a marker on the request is lost on bedrock": (
        [add("request")],
        chat(model=BEDROCK),
        [("$", None, "5m", "route_drops_marker")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_placement(case):
    rules, request, expected = CASES[case]
    plan = engine(*rules).plan(request)
    assert said(plan) == expected
    assert plan.changed is any(reason in ACTED for *_, reason in expected)


def test_every_reason_has_a_case():
    seen = {reason for *_, expected in CASES.values() for *_, reason in expected}
    assert seen == set(REASONS) - {"stood_down", "repaired", "refused", "observed"}
    assert set(MEANING) == set(REASONS)


def test_a_clash_with_the_clients_marker_says_which():
    system = [text(BIG, cache_control=HOUR)]
    plan = engine(add("tools")).plan(chat([{"role": "system", "content": system}, user("q")], tools=[tool()]))
    assert plan.placements[0].detail == (
        "a 5m marker may not precede the client's 1h marker at $['messages'][0]['content'][0]"
    )


def test_where_litellm_drops_the_ttl_the_clients_1h_is_a_5m():
    request = chat(
        [{"role": "system", "content": [text(BIG, cache_control=HOUR)]}, user("q")], tools=[tool()]
    )
    plan = engine(add("tools", "1h")).plan({**request, "model": BEDROCK_37})
    assert said(plan) == [(TOOL, TOOL, "5m", "ttl_unsupported")]


CLIENT = native(
    [user([text("q", cache_control=FIVE)]), assistant("a"), user("r")],
    tools=[native_tool(cache_control=HOUR)],
)


@pytest.mark.parametrize(
    ("conduct", "expected", "markers"),
    [
        (
            "keep",
            [
                (TOOL, None, "1h", "kept_client_marker"),
                ("$['system']", "$['system']", "1h", "applied"),
                ("$['messages'][2]", "$['messages'][2]['content']", "5m", "ttl_lowered"),
            ],
            [
                (TOOL, "1h"),
                ("$['system'][0]", "1h"),
                ("$['messages'][0]['content'][0]", "5m"),
                ("$['messages'][2]['content'][0]", "5m"),
            ],
        ),
        (
            "stand_down",
            [(None, None, "1h", "stood_down")] * 3,
            [(TOOL, "1h"), ("$['messages'][0]['content'][0]", "5m")],
        ),
        (
            "replace",
            [
                (TOOL, TOOL, "1h", "applied"),
                ("$['system']", "$['system']", "1h", "applied"),
                ("$['messages'][2]", "$['messages'][2]['content']", "1h", "applied"),
            ],
            [(TOOL, "1h"), ("$['system'][0]", "1h"), ("$['messages'][2]['content'][0]", "1h")],
        ),
    ],
)
def test_the_clients_markers(conduct, expected, markers):
    rules = engine(add("tools, system, messages.last", "1h"), client_markers=conduct)
    plan = rules.plan(CLIENT)
    assert said(plan) == expected
    assert sorted(marked(plan.request)) == sorted(markers)
    assert plan.changed is (conduct != "stand_down")


def test_standing_down_needs_a_client_that_marked():
    rules = engine(add("tools"), client_markers="stand_down")
    assert said(rules.plan(native(tools=[native_tool()]))) == [(TOOL, TOOL, "5m", "applied")]


def test_standing_down_names_no_change_in_rewrite():
    assert engine(add("system"), client_markers="stand_down").rewrite(CLIENT) is CLIENT


def test_replacing_where_no_rule_finds_a_place_keeps_the_clients():
    rules = engine(add("messages.last_tool_result"), client_markers="replace")
    assert rules.rewrite(CLIENT) is CLIENT


def test_observing():
    rules = engine(add("tools, system, '$.tools[0]', '$.tools[5]'"), mode="observe")
    request = native(tools=[native_tool()])
    plan = rules.plan(request)
    assert said(plan) == [
        (TOOL, TOOL, "5m", "observed"),
        ("$['system']", "$['system']", "5m", "observed"),
        (TOOL, None, "5m", "duplicate"),
        (None, None, "5m", "no_target"),
    ]
    assert [edit.location for edit in plan.edits] == [("tools", 0), ("system",)]
    assert plan.request is request
    assert not plan.changed


def test_client_markers_are_all_reported():
    request = native(
        [user([text("q", cache_control=BARE), text("q", cache_control=FIVE)])],
        system=[text(BIG, cache_control=HOUR)],
        tools=[native_tool(cache_control=HOUR)],
        cache_control=BARE,
    )
    plan = engine(add("tools, messages.last")).plan(request)
    assert [(normalized(m.holder), m.ttl) for m in plan.client_markers] == [
        ("$", "5m"),
        (TOOL, "1h"),
        ("$['system'][0]", "1h"),
        ("$['messages'][0]['content'][0]", "5m"),
        ("$['messages'][0]['content'][1]", "5m"),
    ]
    assert said(plan) == [
        (TOOL, None, "5m", "kept_client_marker"),
        ("$['messages'][0]", None, "5m", "kept_client_marker"),
    ]
    assert plan.request is request


def test_details_hold_no_text_of_the_prompt():
    secret = "hunter2 " * 700
    request = native(
        [user(secret), assistant([text("a"), THINKING]), user([text(secret, cache_control=HOUR)])],
        system=secret,
        tools=[native_tool(description=secret)],
    )
    rules = engine(
        add("tools, system, messages.last, '$.messages[1].content[1]', '$.model', request", "1h"),
        add("tools"),
    )
    for placement in rules.plan(request).placements:
        assert "hunter2" not in placement.detail
