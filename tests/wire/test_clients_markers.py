"""What a client marked, or left where no marker may stand, on the way through a policy and litellm."""

from __future__ import annotations

import copy

import pytest

from policy_cache import Engine
from policy_cache.integrations.litellm import check, wire
from tests.conftest import REPOSITORY
from tests.wire.agreement import send, unmarked
from tests.wire.routes import Case
from tests.wire.spots import (
    REASONING,
    answer,
    call,
    function,
    item_call,
    item_output,
    output_text,
    result,
    says,
    system,
    text,
    tool,
    use,
    user,
)
from tests.wire.tags import TAG, number
from tests.wire.test_agreement import engine_of, problems

LONG = TAG + " word" * 6_000
MARKER = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
OPENAI = {"prompt_cache_breakpoint": {"mode": "explicit"}}
DEFAULT = Engine.default()


def long_function(name, **more):
    return {**function(name, **more), "function": {**function(name)["function"], "description": LONG}}


def policy(*targets, client="keep", ttl="5m"):
    listed = ", ".join(f'"{target}"' for target in targets)
    return Engine.from_text(
        f"version: 1\nname: test\nclient_markers: {client}\nrules:\n"
        f"  - {{name: mark, targets: [{listed}], action: {{add_cache_control: {{ttl: {ttl}}}}}}}\n"
    )


def plan_of(engine, request, model, shape="chat"):
    """The plan of a request on a route, on which every party agrees."""
    case = Case("here", None, {"model": model}, shape)
    request = number(copy.deepcopy(request))
    assert send(unmarked({**request, **case.request}), case).body is not None
    assert problems(engine, request, case) == []
    return engine.plan({**request, **case.request}, shape=shape)


def effective(plan):
    """The blocks that end a prefix, in prefix order, each with its TTL and who placed it."""
    return [(point.block, point.ttl, point.party) for point in plan.breakpoints if point.slot is not None]


def lost(plan):
    return [point.at for point in plan.breakpoints if point.slot is None]


def reasons(plan):
    return {placement.source.target: placement.reason for placement in plan.placements}


REMINDERS = [
    {"role": "system", "content": "Reminder: it is Tuesday, 14:03."},
    {"role": "developer", "content": [{"type": "text", "text": "Reminder: it is Tuesday, 14:03."}]},
    {"role": "system", "content": [{"type": "text", "text": "Reminder."}], "clear_at": "turn_end"},
]


@pytest.mark.parametrize("reminder", REMINDERS, ids=["text", "developer", "turn-scoped"])
@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-opus-5",
        "vertex_ai/claude-opus-5",
        "bedrock/us.anthropic.claude-opus-4-8",
        "bedrock/invoke/us.anthropic.claude-opus-4-8",
        "openrouter/anthropic/claude-opus-5",
    ],
)
def test_a_trailing_reminder_never_carries_the_conversations_marker(model, reminder):
    request = {
        "tools": [long_function("f")],
        "messages": [
            system(),
            user(),
            says(None, tool_calls=[call("c1")]),
            answer("c1"),
            user(),
            reminder,
        ],
        "max_tokens": 16,
    }
    plan = plan_of(policy("messages.last"), request, model)
    assert effective(plan) == [(("messages", 4, "content", 0), "5m", "policy")]


@pytest.mark.parametrize("reminder", [REMINDERS[0], REMINDERS[2]], ids=["text", "turn-scoped"])
def test_a_trailing_reminder_of_the_messages_api_carries_none_either(reminder):
    request = {
        "system": LONG,
        "messages": [user(), says(), user(), reminder],
        "max_tokens": 16,
    }
    plan = plan_of(policy("messages.last"), request, "anthropic/claude-opus-5", "messages")
    assert effective(plan) == [(("messages", 2, "content", 0), "5m", "policy")]


CONVERSATION = {"messages": [user(), says(), user()], "max_tokens": 16}


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("bedrock/us.anthropic.claude-opus-4-8", "messages"),
        ("bedrock/converse/us.anthropic.claude-opus-4-8", "chat"),
        ("databricks/databricks-claude-sonnet-4-5", "chat"),
        ("snowflake/claude-sonnet-4-5", "chat"),
    ],
)
def test_a_marker_on_the_request_that_is_lost_claims_no_block(model, shape):
    if shape == "messages":
        request = {**CONVERSATION, "system": LONG, **MARKER}
        last = 2
    else:
        request = {**CONVERSATION, "messages": [system(LONG), *CONVERSATION["messages"]], **MARKER}
        last = 3
    plan = plan_of(policy("messages.last"), request, model, shape)
    assert reasons(plan) == {"messages.last": "applied"}
    assert effective(plan) == [(("messages", last, "content", 0), "5m", "policy")]


def test_a_marker_on_the_request_is_the_last_blocks_where_it_is_kept():
    request = {**CONVERSATION, "system": LONG, **HOUR}
    plan = plan_of(policy("messages.last"), request, "anthropic/claude-sonnet-4-5", "messages")
    assert reasons(plan) == {"messages.last": "kept_client_marker"}
    assert effective(plan) == [(("messages", 2, "content"), "1h", "client")]


def test_the_result_of_a_call_that_code_execution_made_carries_none():
    by_code = {"type": "code_execution_20250825", "tool_id": "srvtoolu_2"}
    execution = {
        "type": "server_tool_use",
        "id": "srvtoolu_2",
        "name": "code_execution",
        "input": {"code": TAG},
    }
    weather = tool("weather", allowed_callers=["code_execution_20250825"])
    request = {
        "system": LONG,
        "tools": [{"type": "code_execution_20250825", "name": "code_execution"}, weather],
        "messages": [
            user(),
            says([text(), execution, use("toolu_1", caller=by_code)]),
            user([result("toolu_1")]),
        ],
        "max_tokens": 16,
    }
    plan = plan_of(policy("messages.last"), request, "anthropic/claude-opus-5", "messages")
    assert effective(plan) == [(("messages", 1, "content", 0), "5m", "policy")]
    # A client's own there is told, and takes no slot.
    request["messages"][2]["content"][0] |= MARKER
    given = {**number(request), "model": "anthropic/claude-opus-5"}
    plan = policy("messages.last").plan(given, shape="messages")
    assert lost(plan) == [("messages", 2, "content", 0)]


GPT = {
    "messages": [
        system([text("Persona."), {**text(LONG), **MARKER}, text("Today: Monday")]),
        user([{**text(), **MARKER}]),
        says(),
        user([{**text(), **MARKER}, text("env: 14:03")]),
        says(),
        user([text()]),
    ]
}
MARKED_BY_CLIENT = [
    (("messages", 0, "content", 1), "5m", "client"),
    (("messages", 1, "content", 0), "5m", "client"),
    (("messages", 3, "content", 0), "5m", "client"),
]


def test_cache_control_counts_where_litellm_makes_openais_marker_of_it():
    three = ("system", "messages.previous_turn", "messages.last")
    plan = plan_of(policy(*three), GPT, "openai/gpt-5.6")
    assert effective(plan) == MARKED_BY_CLIENT
    assert set(reasons(plan).values()) == {"over_budget"}
    checked = check(plan)
    assert [len(fate.places) for fate in checked.fates] == [1, 1, 1]
    assert checked.added == ()


def test_a_translated_marker_is_taken_away_where_the_policy_replaces():
    plan = plan_of(policy("system", "messages.last", client="replace"), GPT, "openai/gpt-5.6")
    assert effective(plan) == [
        (("messages", 0, "content", 2), "5m", "policy"),
        (("messages", 5, "content", 0), "5m", "policy"),
    ]
    assert check(plan).added == ()


def test_a_policy_stands_down_before_a_translated_marker():
    plan = plan_of(policy("system", client="stand_down"), GPT, "openai/gpt-5.6")
    assert not plan.changed
    assert effective(plan) == MARKED_BY_CLIENT


@pytest.mark.parametrize("model", ["openai/gpt-5.6", "azure/gpt-5.6"])
def test_cache_control_is_lost_on_the_responses_bridge(model):
    request = {**GPT, "tools": [function("f")]}
    plan = plan_of(policy("system"), request, model)
    assert effective(plan) == [(("messages", 0, "content", 2), "5m", "policy")]


def test_a_clients_hour_on_a_route_of_five_minutes_bars_no_marker_before_it():
    request = {
        "tools": [long_function("f")],
        "messages": [system(LONG), user([{**text(), **HOUR}]), says(), user()],
    }
    plan = plan_of(policy("system"), request, "dashscope/qwen3-max")
    assert reasons(plan) == {"system": "applied"}
    assert [block for block, _, _ in effective(plan)] == [
        ("messages", 0, "content", 0),
        ("messages", 1, "content", 0),
    ]


def test_a_marker_on_a_deferred_tool_bars_no_other():
    request = {
        "system": LONG,
        "tools": [
            {**tool("a"), "description": LONG},
            tool("b", defer_loading=True, **HOUR),
        ],
        **CONVERSATION,
    }
    plan = plan_of(policy("tools"), request, "anthropic/claude-opus-5", "messages")
    assert reasons(plan) == {"tools": "applied"}
    assert effective(plan) == [(("tools", 0), "5m", "policy")]
    assert lost(plan) == [("tools", 1)]


def test_markers_on_thinking_and_on_empty_text_take_no_slot():
    thinking = {"type": "thinking", "thinking": TAG, "signature": "c2ln"}
    request = {
        "system": LONG,
        "tools": [{**tool("a"), "description": LONG}],
        "messages": [
            user(),
            says([{**thinking, **MARKER}, text()]),
            user([{**text(""), **MARKER}, text()]),
        ],
        "max_tokens": 16,
    }
    targets = ("tools", "system", "messages.previous_turn", "messages.last")
    plan = plan_of(policy(*targets), request, "anthropic/claude-opus-5", "messages")
    assert set(reasons(plan).values()) == {"applied"}
    assert lost(plan) == [("messages", 1, "content", 0), ("messages", 2, "content", 0)]


CLAUDE = [
    "anthropic/claude-sonnet-4-5",
    "vertex_ai/claude-sonnet-4-5@20250929",
    "azure_ai/claude-sonnet-4-5",
    "bedrock/claude_platform/claude-sonnet-4-5",
    "bedrock/invoke/anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
]


@pytest.mark.parametrize("model", CLAUDE)
def test_openais_marker_counts_on_every_claude_that_litellm_translates_it_for(model):
    request = {
        "tools": [long_function("f")],
        "messages": [
            system(),
            user([{**text(), **OPENAI}, text()]),
            says(),
            user(),
            says(),
            user(),
        ],
        "max_tokens": 16,
    }
    plan = plan_of(DEFAULT, request, model)
    assert (("messages", 1, "content", 0), "5m", "client") in effective(plan)
    assert len(effective(plan)) == 4


INSIDE = {
    "a document": {
        "type": "document",
        "source": {"type": "content", "content": [text(), {**text(), **MARKER}]},
    },
    "a search result": {
        "type": "search_result",
        "source": "s",
        "title": "t",
        "content": [{**text(), **MARKER}],
    },
    "a result": result("t", [{**text(), **MARKER}]),
    "a document in a result": result(
        "t", [{"type": "document", "source": {"type": "content", "content": [{**text(), **MARKER}]}}]
    ),
    "a search result in a result": result(
        "t", [{"type": "search_result", "source": "s", "title": "t", "content": [{**text(), **MARKER}]}]
    ),
}


@pytest.mark.parametrize("block", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("client", ["keep", "replace", "stand_down"])
def test_a_marker_inside_a_block_is_the_blocks(block, client):
    before = [user(), says([use("t")])] if block["type"] == "tool_result" else []
    request = {
        "system": LONG,
        "tools": [{**tool("a"), "description": LONG}],
        "messages": [*before, user([block, text()]), says(), user()],
        "max_tokens": 16,
    }
    index = len(before)
    targets = ("tools", "system", "messages.previous_turn", "messages.last")
    plan = plan_of(policy(*targets, client=client), request, "anthropic/claude-sonnet-4-5", "messages")
    inside = (("messages", index, "content", 0), "5m", "client")
    if client == "stand_down":
        assert effective(plan) == [inside]
        return
    assert (inside in effective(plan)) is (client == "keep")
    assert len(effective(plan)) == 4


JOINED = "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    "tail", [[user()], [user(" ")], []], ids=["another turn", "a blank turn", "a prefill"]
)
@pytest.mark.parametrize("target", ["messages.last", "$.messages[1]", "$.messages[1].content[0]"])
def test_texts_that_converse_joins_are_left_as_they_are(target, tail):
    request = {
        "system": LONG,
        "tools": [{**tool("a"), "description": LONG}],
        "messages": [user(), says([text(), text()]), *tail],
        "max_tokens": 16,
    }
    plan = plan_of(policy(target), request, JOINED, "messages")
    assert ("messages", 1) not in {block[:2] for block, _, _ in effective(plan)}


@pytest.mark.parametrize(
    "model",
    [
        "openrouter/anthropic/claude-sonnet-4.5",
        "databricks/databricks-claude-sonnet-4-5",
        "dashscope/qwen3-max",
        "openai/gpt-5.6",
        "azure/gpt-5.6",
        "anthropic/claude-sonnet-4-5",
    ],
)
def test_what_is_wanted_for_an_agent_is_replayed_in_full(model):
    request = {
        "tools": [long_function("f")],
        "messages": [
            system(LONG),
            user(),
            says(None, tool_calls=[call("c1")]),
            answer("c1"),
            says(None, tool_calls=[call("c2")]),
            answer("c2"),
        ],
        "max_tokens": 16,
    }
    plan = plan_of(policy("system", "messages.previous_turn", "messages.last"), request, model)
    assert len(effective(plan)) == 3


def test_any_policy_leaves_what_is_in_no_dialect_alone():
    request = {"messages": [system(LONG), {**user(), **OPENAI}], "max_tokens": 16}
    plan = plan_of(engine_of(0, "keep", ("5m", "5m")), request, "anthropic/claude-sonnet-4-5")
    assert lost(plan) == [("messages", 1)]


def test_litellm_counts_markers_without_effect_where_it_translates_one():
    """It refuses more than four, whatever becomes of them."""
    silent = [text("") | MARKER, text("") | OPENAI]
    request = {
        "messages": [{"role": "system", "content": LONG}, user(), says(), user(), system(silent)],
        "max_tokens": 16,
    }
    plan = plan_of(
        policy("system", "messages.previous_turn", "messages.last"), request, "anthropic/claude-opus-5"
    )
    assert reasons(plan) == {
        "system": "applied",
        "messages.previous_turn": "applied",
        "messages.last": "over_budget",
    }


ANSWERED = {"role": "assistant", "content": [{**output_text(), **MARKER}]}
ANSWER = {"role": "assistant", "content": [output_text()]}


@pytest.mark.parametrize(
    "model", ["bedrock/amazon.nova-pro-v1:0", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"]
)
@pytest.mark.parametrize(
    ("items", "kept"),
    [
        ([ANSWERED, item_call("c"), item_output("c")], False),
        ([item_call("c"), ANSWERED, item_output("c")], False),
        ([ANSWER, ANSWERED, item_call("c"), item_output("c")], False),
        ([item_call("c"), ANSWER, ANSWERED, item_output("c")], False),
        ([ANSWERED, {"type": "reasoning", "summary": []}, item_call("c"), item_output("c")], False),
        ([ANSWERED, REASONING, item_call("c"), item_output("c")], True),
        ([item_call("c"), REASONING, ANSWERED, item_output("c")], True),
        ([ANSWERED, item_call("c", custom=True), item_output("c", custom=True)], False),
        ([item_call("c"), item_call("d"), ANSWERED, item_output("c"), item_output("d")], False),
        ([ANSWERED, ANSWER, item_call("c"), item_output("c")], True),
        ([item_call("c"), item_output("c"), ANSWERED], True),
        ([ANSWERED, {"role": "user", "content": TAG}, item_call("c"), item_output("c")], True),
        ([ANSWERED, {"role": "developer", "content": TAG}, item_call("c"), item_output("c")], True),
    ],
)
def test_converse_writes_a_call_without_tools_into_the_text_of_its_turn(model, items, kept):
    request = {"input": [{"role": "user", "content": LONG}, *items, {"role": "user", "content": TAG}]}
    plan = plan_of(policy("system"), request, model, "responses")
    assert bool(effective(plan)) is kept
    assert bool(lost(plan)) is not kept


STORED = [
    "gemini/gemini-2.5-pro",
    "gemini/models/gemini-2.5-pro",
    "gemini/gemini-4-pro",
    "gemini/models/gemini-4-pro",
    "vertex_ai/gemini-2.5-pro",
    "vertex_ai/google/gemini-2.5-pro",
    "vertex_ai/google/gemini-4-pro",
    "vertex_ai_beta/gemini-2.5-pro",
]


@pytest.mark.parametrize("name", ["default", "interactive"])
@pytest.mark.parametrize("model", STORED)
def test_nothing_is_stored_on_gemini_by_any_of_its_names(model, name):
    engine = Engine.from_file(REPOSITORY / "policies" / f"{name}.yaml")
    messages = [system([text(LONG) | MARKER]), user([text() | MARKER]), says(), user()]
    request = {"model": model, "messages": messages, "tools": [long_function("f", **MARKER)]}
    sent = wire(engine.rewrite(request)).sent
    assert [one.method for one in sent] == ["POST"]
    assert "cachedContent" not in sent[0].body


def agents(shape):
    """An agent's request whose client marks nothing."""
    if shape == "messages":
        tools = [tool("f", description=LONG)]
        messages = [user(), says([use("c1")]), user([result("c1")]), says(), user()]
        return {"tools": tools, "system": LONG, "messages": messages, "max_tokens": 16}
    messages = [system(LONG), user(), says(None, tool_calls=[call("c1")]), answer("c1"), says(), user()]
    return {"tools": [long_function("f")], "messages": messages, "max_tokens": 16}


@pytest.mark.parametrize("shape", ["chat", "messages"])
@pytest.mark.parametrize(
    "model",
    [
        "vertex_ai_beta/claude-sonnet-4-5@20250929",
        "bedrock/invoke/amazon.nova-pro-v1:0",
        "bedrock/invoke/us.amazon.nova-pro-v1:0",
        "bedrock/invoke/us.amazon.nova-2-lite-v1:0",
        "opencode_go/claude-sonnet-5-5",
    ],
)
def test_nothing_is_marked_by_names_that_litellm_sends_another_way(model, shape):
    request = {"model": model, **agents(shape)}
    assert plan_of(DEFAULT, agents(shape), model, shape).breakpoints == ()
    assert wire(DEFAULT.rewrite(request, shape=shape), shape=shape).sent == wire(request, shape=shape).sent


def test_a_databricks_endpoint_of_ones_own_name_loses_the_markers_of_tools_alone():
    for content in (LONG, [text(LONG)]):
        request = agents("messages")
        request["messages"][2] = user([result("c1", content)])
        plan = plan_of(
            policy("tools", "system", "messages.last_tool_result"),
            request,
            "databricks/my-claude",
            "messages",
        )
        assert reasons(plan)["tools"] == "not_markable"
        assert effective(plan) == [
            (("system", 0), "5m", "policy"),
            (("messages", 2, "content", 0), "5m", "policy"),
        ]


def test_a_databricks_endpoint_of_ones_own_name_loses_that_of_a_result_of_two_texts():
    request = agents("messages")
    request["messages"][2] = user([result("c1", [text(), text()], **MARKER)])
    plan = plan_of(policy("messages.last"), request, "databricks/my-claude", "messages")
    assert lost(plan) == [("messages", 2, "content", 0)]


@pytest.mark.parametrize(
    ("model", "places"),
    [
        ("sap/anthropic--claude-4.5-sonnet", ["tools", "system", "question", "result"]),
        ("openrouter/google/gemini-2.5-pro", ["system", "question", "result"]),
    ],
)
def test_what_a_client_marked_in_anthropics_shape_stays(model, places):
    at = {
        "tools": ("tools", 0),
        "system": ("system", 0),
        "question": ("messages", 0, "content", 0),
        "result": ("messages", 2, "content", 0),
    }
    request = {
        "tools": [tool("f", description=LONG) | MARKER],
        "system": [text(LONG) | MARKER],
        "messages": [
            user([text() | MARKER]),
            says([use("c1")]),
            user([result("c1", LONG, **MARKER)]),
        ],
        "max_tokens": 16,
    }
    plan = plan_of(DEFAULT, request, model, "messages")
    clients = [block for block, _, party in effective(plan) if party == "client"]
    assert clients == [at[place] for place in places]
    assert lost(plan) == []


@pytest.mark.parametrize(
    ("model", "shape", "translated"),
    [
        ("openai/gpt-5.6", "chat", True),
        ("openai/gpt-5.6", "messages", True),
        ("openai/responses/gpt-5.6", "chat", False),
        ("openai/responses/gpt-5.6", "messages", True),
        ("openai/ft:gpt-5.6:acme", "chat", False),
        ("openai/ft:gpt-5.6:acme", "messages", False),
    ],
)
def test_a_marker_of_claudes_that_litellm_does_not_translate_leaves_openai_the_policys(
    model, shape, translated
):
    messages = [user([text(LONG) | MARKER]), says(), user([text(LONG)])]
    request = {"messages": messages, "max_tokens": 16}
    plan = plan_of(policy("$.messages[0]", "messages.last"), request, model, shape)
    assert effective(plan) == [
        (("messages", 0, "content", 0), "5m", "client" if translated else "policy"),
        (("messages", 2, "content", 0), "5m", "policy"),
    ]


DROPPING = ["openrouter/openai/gpt-5.6", "openai/ft:gpt-5.6:acme"]


@pytest.mark.parametrize("shape", ["chat", "messages"])
@pytest.mark.parametrize("model", DROPPING)
def test_nothing_is_marked_where_dropping_parameters_drops_markers(model, shape, monkeypatch):
    for said in (True, "true", 1):
        plan = plan_of(
            policy("system", "messages.last"), {**agents(shape), "drop_params": said}, model, shape
        )
        assert plan.breakpoints == ()
        assert reasons(plan) == {"system": "route_drops_marker", "messages.last": "route_drops_marker"}
    for said in (False, "false", None):
        plan = plan_of(policy("messages.last"), {**agents(shape), "drop_params": said}, model, shape)
        assert len(effective(plan)) == 1
    monkeypatch.setattr("litellm.drop_params", True)
    assert plan_of(policy("messages.last"), agents(shape), model, shape).breakpoints == ()


@pytest.mark.parametrize(
    ("model", "shape"),
    [("openai/gpt-5.6", "chat"), ("azure/gpt-5.6", "messages"), ("anthropic/claude-sonnet-4-5", "chat")],
)
def test_dropping_parameters_drops_no_markers_elsewhere(model, shape):
    plan = plan_of(policy("messages.last"), {**agents(shape), "drop_params": True}, model, shape)
    assert len(effective(plan)) == 1


@pytest.mark.parametrize("shape", ["messages", "chat"])
def test_a_result_that_is_marked_twice_keeps_one_marker(shape):
    """On its last part, too, a marker may count beside that of the result: five would be refused."""
    part = {**text("y"), **MARKER}
    if shape == "messages":
        turns = [says([use("a")]), user([{**result("a", [part]), **MARKER}])]
        request = {"system": [{**text(LONG), **MARKER}], "tools": [{**tool("f"), "description": LONG}]}
        request["messages"] = [user(), *turns, says("k"), user()]
    else:
        turns = [says(None, tool_calls=[call("a")]), {**answer("a", [part]), **MARKER}]
        request = {"tools": [long_function("f")]}
        request["messages"] = [
            {**system(), "content": [{**text(LONG), **MARKER}]},
            user(),
            *turns,
            says("k"),
            user(),
        ]
    request |= {"model": "anthropic/claude-opus-5", "max_tokens": 16}
    sent = wire(DEFAULT.rewrite(request), shape=shape)
    assert len(sent.markers) == 4
    assert len(wire(request, shape=shape).markers) == 3
    results = [place.location for place in sent.markers if place.location[:2] == ("messages", 2)]
    assert len(results) == 1
