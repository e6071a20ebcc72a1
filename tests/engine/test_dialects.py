"""Routes that mark in another way than Anthropic: OpenAI's breakpoints, and Gemini's runs."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from policy_cache.engine import arbitrate
from tests.engine.requests import add, engine, said, tool

POINT = {"mode": "explicit"}
MARKER = {"type": "ephemeral"}
LONG = "word " * 12_000


def conversation(model, *more, **request):
    messages = [
        {"role": "system", "content": f"SYSTEM {LONG}"},
        {"role": "user", "content": "QUESTION"},
        {"role": "assistant", "content": "ANSWER"},
        {"role": "user", "content": "LAST"},
        *more,
    ]
    return {"model": model, "messages": messages, **request}


def text(words, **more):
    return {"type": "text", "text": words, **more}


# OpenAI from GPT-5.6 on


def test_a_breakpoint_is_written_as_openai_has_it():
    sent = engine(add("system, messages.last")).rewrite(conversation("openai/gpt-5.6"))
    assert sent["messages"][0]["content"] == [text(f"SYSTEM {LONG}", prompt_cache_breakpoint=POINT)]
    assert sent["messages"][3]["content"] == [text("LAST", prompt_cache_breakpoint=POINT)]
    assert "cache_control" not in str(sent)


def test_an_hour_is_not_to_be_had():
    plan = engine(add("system", "1h")).plan(conversation("gpt-6.1-sol"))
    [placement] = plan.placements
    assert (placement.reason, placement.ttl) == ("ttl_unsupported", "5m")
    assert placement.detail == "gpt-6.1-sol takes no 1h on this route"


def test_never_on_tools_nor_on_an_assistants_text():
    rules = engine(add("tools"), add("'$.messages[2]'"))
    plan = rules.plan(conversation("openai/gpt-5.6", tools=[tool()]))
    assert said(plan) == [
        ("$['tools'][0]", None, "5m", "not_markable"),
        ("$['messages'][2]", "$['messages'][1]['content']", "5m", "moved"),
    ]


def test_a_tool_message_is_marked_inside():
    request = conversation(
        "openai/gpt-5.6",
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]},
        {"role": "tool", "tool_call_id": "c", "content": "RESULT"},
        tools=[tool()],
    )
    sent = engine(add("messages.last_tool_result")).rewrite(request)
    assert sent["messages"][-1]["content"] == [text("RESULT", prompt_cache_breakpoint=POINT)]
    assert engine(add("messages.last_tool_result")).rewrite(sent) is sent


ROUTER = "openrouter/anthropic/claude-sonnet-4.5"


def answered(model, content):
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]}
    return conversation(
        model, call, {"role": "tool", "tool_call_id": "c", "content": content}, tools=[tool()]
    )


@pytest.mark.parametrize("model", ["openai/gpt-5.6", ROUTER, "dashscope/qwen3-max"])
@pytest.mark.parametrize(
    ("target", "block", "reason"),
    [
        ("messages.last_tool_result", 2, "applied"),
        ("messages.last", 2, "applied"),
        ("'$.messages[-1]'", 2, "applied"),
        ("'$.messages[-1].content'", 2, "applied"),
        ("'$.messages[-1].content[1]'", 1, "applied"),
        ("'$.messages[-1].content[0].text'", 0, "moved"),
    ],
)
def test_which_block_of_a_tool_message(model, target, block, reason):
    request = answered(model, [text(words) for words in ("first", "second", "third")])
    [placement] = engine(add(target)).plan(request).placements
    assert (placement.at, placement.reason) == (("messages", 5, "content", block), reason)


@pytest.mark.parametrize(
    ("target", "reason"), [("'$.messages[-1]'", "applied"), ("'$.messages[-1].content[1]'", "moved")]
)
def test_on_anthropic_the_result_itself_is_marked(target, reason):
    request = answered("anthropic/claude-sonnet-4-5", [text("first"), text("second")])
    [placement] = engine(add(target)).plan(request).placements
    assert (placement.at, placement.reason) == (("messages", 5), reason)


def test_a_split_tool_message_is_marked_once():
    rules = engine(
        "targets: [messages.last_tool_result], action: {split_text: {at: '## T'}}", add("messages.last")
    )
    once = rules.rewrite(answered(ROUTER, "stable ## T volatile"))
    assert once["messages"][5]["content"] == [text("stable ", cache_control=MARKER), text("## T volatile")]
    assert rules.rewrite(once) is once


def test_removing_one_marker_of_a_block_does_not_forget_the_other():
    both = {"cache_control": MARKER, "prompt_cache_breakpoint": POINT}
    request = conversation("openai/gpt-5.6")
    request["messages"][1:] = [
        {"role": role, "content": [text(str(number), **both)] if role == "user" else "a"}
        for number, role in enumerate(["user", "assistant"] * 3)
    ] + [{"role": "user", "content": "q"}]
    rules = engine("action: {remove_cache_control: {}}", add("system, messages.previous_turn, messages.last"))
    once = rules.rewrite(request)
    assert str(once).count("prompt_cache_breakpoint") == 3
    assert "cache_control" not in str(once)
    assert rules.rewrite(once) is once
    replaced = engine("action: {remove_cache_control: {}}", add("system"), client_markers="replace").rewrite(
        request
    )
    assert str(replaced).count("prompt_cache_breakpoint") == 1


@pytest.mark.parametrize(
    ("model", "lost"),
    [
        ("databricks/databricks-claude-sonnet-4-5", {"tools": [tool(cache_control=MARKER)] * 4}),
        ("snowflake/claude-sonnet-4-5", {"tools": [tool(cache_control=MARKER)] * 4}),
        ("gemini/gemini-2.5-pro", {"tools": [tool(cache_control=MARKER)]}),
        ("gemini/gemini-2.5-pro", {"cache_control": MARKER}),
    ],
)
def test_a_clients_marker_that_is_lost_uses_no_slot(model, lost):
    rules = Engine.from_text(
        "version: 1\nname: p\nrules:\n  - name: r\n    match: {provider: ['*', gemini]}\n"
        "    targets: [messages.last]\n    action: {add_cache_control: {}}\n"
    )
    plan = rules.plan(conversation(model, **lost))
    assert [marker.block for marker in plan.client_markers] == [None] * len(plan.client_markers)
    assert [one.reason for one in plan.placements] == ["applied"]


def test_on_snowflake_a_marker_on_a_message_of_text_is_lost():
    request = conversation("snowflake/claude-sonnet-4-5")
    request["messages"][3]["cache_control"] = MARKER
    plan = engine(add("messages.last_user")).plan(request)
    assert [one.reason for one in plan.placements] == ["applied"]


def test_the_clients_breakpoints_stay_and_count():
    request = conversation("openai/gpt-5.6")
    for index, words in ((0, f"SYSTEM {LONG}"), (1, "QUESTION")):
        request["messages"][index]["content"] = [text(words, prompt_cache_breakpoint=POINT)]
    plan = engine(add("system, messages.last, '$.messages[1]'")).plan(request)
    assert [one.reason for one in plan.placements] == ["kept_client_marker", "applied", "kept_client_marker"]
    assert {marker.key for marker in plan.client_markers} == {"prompt_cache_breakpoint"}
    full = engine(add("'$.messages[-1]'"), add("'$.messages[-2]'")).plan(
        {**request, "messages": [*plan.request["messages"], {"role": "user", "content": "MORE"}]}
    )
    assert [one.reason for one in full.placements] == ["over_budget", "kept_client_marker"]


def test_a_clients_cache_control_does_not_count_and_can_be_removed():
    request = conversation("azure/gpt-5.6")
    request["messages"][0]["content"] = [text(f"SYSTEM {LONG}", cache_control=MARKER)]
    plan = engine(add("system")).plan(request)
    assert [marker.block for marker in plan.client_markers] == [None]
    assert [one.reason for one in plan.placements] == ["applied"]
    sent = Engine.default().rewrite(request)
    assert sent["messages"][0]["content"] == [text(f"SYSTEM {LONG}", prompt_cache_breakpoint=POINT)]


def test_a_marker_on_the_request_is_removed_though_it_takes_no_effect():
    request = conversation("openai/gpt-5.6", cache_control=MARKER)
    assert "cache_control" not in Engine.default().rewrite(request)


def test_removing_leaves_openais_breakpoints_alone():
    request = conversation("azure/gpt-5.6")
    request["messages"][0]["content"] = [text(f"SYSTEM {LONG}", prompt_cache_breakpoint=POINT)]
    sent = Engine.default().rewrite(request)
    assert sent["messages"][0] == request["messages"][0]


def test_replacing_takes_every_marker_of_the_clients_away():
    """litellm turns a `cache_control` into a breakpoint here, so it goes too."""
    request = conversation("openai/gpt-5.6")
    marked = [text("QUESTION", prompt_cache_breakpoint=POINT), text("MORE", cache_control=MARKER)]
    request["messages"][1]["content"] = marked
    sent = engine(add("system"), client_markers="replace").rewrite(request)
    assert sent["messages"][1]["content"] == [text("QUESTION"), text("MORE")]
    assert sent["messages"][0]["content"][0]["prompt_cache_breakpoint"] == POINT
    request["messages"][1]["content"] = [
        text("QUESTION", prompt_cache_breakpoint=POINT, cache_control=MARKER)
    ]
    sent = engine(add("system"), client_markers="replace").rewrite(request)
    assert sent["messages"][1]["content"] == [text("QUESTION")]


# Gemini

GEMINI = "gemini/gemini-2.5-pro"
NAMED = """
  - name: rule
    match: {{provider: [gemini, vertex_ai], model: "gemini-*"}}
    targets: ["{target}"]
    action: {{add_cache_control: {ttl}}}
"""


def gemini(target="messages.last", ttl="{}"):
    return Engine.from_text("version: 1\nname: p\nrules:" + NAMED.format(target=target, ttl=ttl))


@pytest.mark.parametrize("match", ["{}", '{model: "*"}', "{provider: vertex_ai}", '{provider: ["*"]}'])
def test_a_rule_that_does_not_name_gemini_leaves_it_alone(match):
    rule = f"""
version: 1
name: p
rules:
  - name: rule
    match: {match}
    targets: [messages.last]
    action: {{add_cache_control: {{}}}}
"""
    request = conversation("vertex_ai/gemini-2.5-pro")
    plan = Engine.from_text(rule).plan(request)
    assert not plan.changed
    assert [(one.reason, one.detail) for one in plan.placements] == [
        (
            "provider_automatic",
            "vertex_ai caches by itself; a rule marks here only if its `match` names gemini",
        )
    ]
    assert Engine.from_text(rule).rewrite(request) is request


@pytest.mark.parametrize(("ttl", "said"), [("{}", "5m"), ("{ttl: 1h}", "1h")])
def test_a_run_from_the_first_message_to_a_users_turn(ttl, said):
    request = conversation(GEMINI)
    plan = gemini(ttl=ttl).plan(request)
    marker = {"type": "ephemeral", "ttl": said}
    assert plan.request["messages"] == [
        {"role": "system", "content": [text(f"SYSTEM {LONG}", cache_control=marker)]},
        {"role": "user", "content": [text("QUESTION", cache_control=marker)]},
        *request["messages"][2:],
    ]
    [placement] = plan.placements
    assert (placement.at, placement.reason) == (("messages", 1, "content"), "applied")


def test_a_run_holds_messages_without_a_text_as_a_whole():
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function"}]}
    result = {"role": "tool", "tool_call_id": "c", "content": "RESULT"}
    request = conversation(GEMINI, call, result, {"role": "user", "content": "MORE"}, tools=[tool()])
    request["messages"].append({"role": "assistant", "content": "BYE"})
    sent = gemini().rewrite(request)
    marker = {"type": "ephemeral", "ttl": "5m"}
    assert sent["messages"][4] == {**call, "cache_control": marker}
    assert sent["messages"][5] == {**result, "cache_control": marker}
    assert sent["messages"][6]["content"] == [text("MORE", cache_control=marker)]
    assert sent["messages"][7] == request["messages"][7]
    assert gemini().rewrite(sent) is sent


@pytest.mark.parametrize("target", ["tools", "system", "$.messages[0]"])
def test_what_cannot_end_a_run(target):
    request = conversation(GEMINI, tools=[tool()])
    [placement] = gemini(target).plan(request).placements
    assert placement.reason == "not_markable"
    assert placement.detail == "only a user's turn with something after it ends a cached run here"


def test_a_later_system_message_would_move():
    request = conversation(GEMINI, {"role": "system", "content": "NEW"}, {"role": "user", "content": "MORE"})
    assert gemini().rewrite(request) is request


def test_a_prefix_that_litellm_would_not_cache_is_left_alone():
    roles = ("user", "assistant", "user")
    request = {"model": GEMINI, "messages": [{"role": role, "content": "x"} for role in roles]}
    assert [one.reason for one in gemini().plan(request).placements] == ["below_minimum"]


def test_many_targets_of_a_long_conversation_are_settled_in_one_pass(monkeypatch):
    looked = []
    real = arbitrate.run_ends
    monkeypatch.setattr(arbitrate, "run_ends", lambda *given: looked.append(1) or real(*given))
    more = [{"role": role, "content": "x"} for role in ("assistant", "user") * 200]
    plan = gemini("$.messages[*]").plan(conversation(GEMINI, *more))
    assert len(plan.placements) == 404
    assert looked == [1]


def test_a_run_does_not_part_two_turns_of_a_user():
    """litellm merges them into one, which a run would send as two."""
    messages = [{"role": "user", "content": "word " * 9_000}, {"role": "user", "content": "more"}]
    plan = gemini().plan({"model": GEMINI, "messages": messages})
    assert [placement.reason for placement in plan.placements] == ["not_markable"]


def test_one_run_a_request():
    engine = Engine.from_text(
        "version: 1\nname: p\nrules:"
        + NAMED.format(target="messages.last", ttl="{}")
        + NAMED.format(target="$.messages[1]", ttl="{}").replace("name: rule", "name: other")
    )
    more = [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    plan = engine.plan(conversation(GEMINI, *more))
    assert [one.reason for one in plan.placements] == ["applied", "over_budget"]
