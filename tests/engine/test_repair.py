"""`client_markers: repair`: what the provider would refuse or ignore is put right, and said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.engine.repair import REPAIR
from policy_cache.report.plan.explain import explain
from policy_cache.text.styled import plain
from tests.wire.generated import requests

MARKS = Engine.from_text(
    "version: 1\nname: marks\nclient_markers: repair\nrules:\n"
    "  - {name: m, targets: [system, messages.last], action: {add_cache_control: {}}}\n"
)
NONE = Engine.from_text("version: 1\nname: none\nclient_markers: repair\nrules: []\n")
MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
CLAUDE = "anthropic/claude-sonnet-4-5"
TEXT = {"type": "text", "text": "words"}


def user(*blocks):
    return {"role": "user", "content": [*blocks]}


def native(*messages, model=CLAUDE, **more):
    return {"model": model, "max_tokens": 16, "system": "s", "messages": [*messages], **more}


def repairs(plan):
    """Where something was put right, and how."""
    return [(p.location, p.detail) for p in plan.placements if p.source is REPAIR]


CODE = {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}
USE = {"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": CODE}
RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "r"}
THOUGHT = {"type": "thinking", "thinking": "t", "signature": "c2ln"}
DEFERRED = {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True}
NOWHERE = "none counts there on this route"


@pytest.mark.parametrize(
    ("request_", "at", "why"),
    [
        (
            native(user(TEXT), tools=[DEFERRED | MARK]),
            ("tools", 0),
            "the provider takes none on a deferred tool",
        ),
        (
            native(user(TEXT), {"role": "assistant", "content": [THOUGHT | MARK, TEXT]}, user(TEXT)),
            ("messages", 1, "content", 0),
            "the provider takes none on thinking",
        ),
        (
            native(user(TEXT, {"type": "text", "text": ""} | MARK)),
            ("messages", 0, "content", 1),
            "the provider takes none on an empty text",
        ),
        (
            native(user(TEXT), {"role": "assistant", "content": [USE]}, user(RESULT | MARK)),
            ("messages", 2, "content", 0),
            NOWHERE,
        ),
        (
            native(user(TEXT), model="bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", **MARK),
            (),
            "one on the request does not reach the provider",
        ),
        (
            {
                "model": CLAUDE,
                "messages": [
                    user(TEXT),
                    {"role": "assistant", "content": "a", "thinking_blocks": [THOUGHT | MARK]},
                    user(TEXT),
                ],
            },
            ("messages", 1, "thinking_blocks", 0),
            "the provider takes none on thinking",
        ),
    ],
    ids=["deferred", "thinking", "empty", "programmatic", "request", "thinking_blocks"],
)
def test_a_marker_without_effect_is_taken_away(request_, at, why):
    plan = NONE.plan(request_)
    assert repairs(plan) == [(at, f"taken away: {why}")]
    assert plan.breakpoints == ()
    assert "cache_control" not in str(NONE.rewrite(request_))


def test_of_too_many_the_first_and_the_last_stay():
    plan = NONE.plan(native(*[user(TEXT | MARK) for _ in range(7)]))
    assert [point.at[1] for point in plan.breakpoints] == [0, 1, 5, 6]
    assert [at[1] for at, _ in repairs(plan)] == [2, 3, 4]
    assert {why for _, why in repairs(plan)} == {"taken away: the provider takes 4 breakpoints"}


def test_an_hour_becomes_five_minutes_where_the_route_takes_none():
    request = {"model": "dashscope/qwen3-max", "messages": [user(TEXT | HOUR), user(TEXT)]}
    plan = NONE.plan(request)
    assert [(point.at, point.ttl, point.party) for point in plan.breakpoints] == [
        (("messages", 0, "content", 0), "5m", "client")
    ]
    assert plan.request["messages"][0]["content"][0] == TEXT | MARK
    assert repairs(plan) == [
        (("messages", 0, "content", 0), "done with 5m: qwen3-max takes no 1h on this route")
    ]


def test_an_hour_behind_five_minutes_becomes_five_minutes():
    plan = NONE.plan(native(user(TEXT | HOUR), user(TEXT | MARK), user(TEXT | HOUR)))
    assert [point.ttl for point in plan.breakpoints] == ["1h", "5m", "5m"]
    assert repairs(plan) == [
        (("messages", 2, "content", 0), "done with 5m: a 1h marker may not follow a 5m one")
    ]


def test_a_marker_inside_a_block_moves_to_the_block():
    document = {"type": "document", "source": {"type": "content", "content": [TEXT | HOUR, TEXT]}}
    plan = NONE.plan(native(user(document, TEXT)))
    assert plan.request["messages"][0]["content"][0] == {
        "type": "document",
        "source": {"type": "content", "content": [TEXT, TEXT]},
        **HOUR,
    }
    assert [(point.at, point.ttl) for point in plan.breakpoints] == [(("messages", 0, "content", 0), "1h")]


POINT = {"prompt_cache_breakpoint": {"mode": "explicit"}}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def test_openais_marker_inside_a_result_moves_as_the_routes_own():
    parts = [TEXT | POINT, TEXT]
    request = {
        "model": CLAUDE,
        "messages": [
            user(TEXT),
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "a", "content": parts},
        ],
    }
    sent = NONE.rewrite(request)
    assert sent["messages"][2] == {"role": "tool", "tool_call_id": "a", "content": [TEXT, TEXT], **MARK}
    assert NONE.rewrite(sent) is sent


def test_an_hour_behind_openais_marker_becomes_five_minutes():
    request = {"model": CLAUDE, "messages": [user(TEXT | POINT), user(TEXT | HOUR)]}
    assert NONE.rewrite(request)["messages"][1] == user(TEXT | MARK)


@pytest.mark.parametrize("on_message", [False, True])
def test_a_split_carries_the_repaired_marker_along(on_message):
    text = {"type": "text", "text": "stable SPLIT rest"}
    last = {"role": "user", "content": text["text"], **HOUR} if on_message else user(text | HOUR)
    engine = Engine.from_text(
        "version: 1\nname: s\nclient_markers: repair\nrules:\n"
        "  - {name: s, targets: [messages.last], action: {split_text: {at: SPLIT}}}\n"
    )
    sent = engine.rewrite({"model": CLAUDE, "messages": [user(TEXT | MARK), last]})
    assert sent["messages"][1]["content"][1] == {"type": "text", "text": "SPLIT rest", **MARK}
    assert engine.rewrite(sent) == sent


def test_a_member_that_is_none_is_no_marker():
    result = {**RESULT, "content": [TEXT | MARK, TEXT], "cache_control": None}
    use = {name: value for name, value in USE.items() if name != "caller"}
    sent = NONE.rewrite(native(user(TEXT), {"role": "assistant", "content": [use]}, user(result)))
    assert sent["messages"][2]["content"][0] == {**RESULT, "content": [TEXT, TEXT], **MARK}


@pytest.mark.parametrize(("block", "request_"), [(MARK, HOUR), (HOUR, MARK)])
def test_the_last_blocks_own_marker_goes_before_the_requests(block, request_):
    plan = NONE.plan(native(user(TEXT | block), **request_))
    assert repairs(plan) == [((), "taken away: the last block has its own")]


def test_of_a_block_and_a_part_in_it_the_block_keeps_its_marker():
    document = {"type": "document", "source": {"type": "content", "content": [TEXT | HOUR, TEXT]}, **MARK}
    plan = NONE.plan(native(user(document)))
    assert [why for _, why in repairs(plan)] == ["taken away: the block around it has one"]


@pytest.mark.parametrize("value", [True, "ephemeral", 3])
def test_what_is_no_marker_displaces_none(value):
    messages = [user(TEXT | MARK), user(TEXT | MARK), *[user(TEXT | {"cache_control": value})] * 3]
    plan = NONE.plan(native(*messages))
    assert [point.at[1] for point in plan.breakpoints] == [0, 1]


def test_what_a_rule_removes_needs_no_repair():
    engine = Engine.from_text(
        "version: 1\nname: r\nclient_markers: repair\nrules:\n"
        "  - {name: r, targets: ['$.messages[:2]'], action: {remove_cache_control: {}}}\n"
    )
    plan = engine.plan(native(*[user(TEXT | MARK) for _ in range(6)]))
    assert repairs(plan) == []
    assert [point.at[1] for point in plan.breakpoints] == [2, 3, 4, 5]


@pytest.mark.parametrize("enabled", ["enabled: false\n", ""])
def test_what_is_switched_off_repairs_nothing(enabled, monkeypatch):
    if not enabled:
        monkeypatch.setenv("POLICY_CACHE_DISABLED", "1")
    engine = Engine.from_text(f"version: 1\nname: n\n{enabled}client_markers: repair\nrules: []\n")
    request = native(user(TEXT), tools=[DEFERRED | MARK], prompt_cache_key="k" * 99)
    assert engine.rewrite(request) is request
    assert engine.plan(request).request is request


@pytest.mark.parametrize("where", ["argument", "extra_body"])
@pytest.mark.parametrize("model", ["openai/gpt-4o", "openai/gpt-5.6"])
def test_a_key_that_is_too_long_is_hashed(model, where):
    key = {"prompt_cache_key": "k" * 95}
    request = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    request |= key if where == "argument" else {"extra_body": key}
    sent = NONE.rewrite(request)
    short = (sent if where == "argument" else sent["extra_body"])["prompt_cache_key"]
    assert len(short) <= 64
    assert short == NONE.plan(request).edits[0].after
    fitting = {**request, "prompt_cache_key": "k", "extra_body": {}}
    assert NONE.rewrite(fitting) is fitting


def test_explain_says_what_was_put_right():
    request = native(user(TEXT), tools=[DEFERRED | MARK])
    shown = plain(explain(NONE.rules, NONE.facts(request), NONE.plan(request)))
    why = "taken away: the provider takes none on a deferred tool"
    assert f"repaired at $['tools'][0]: {why}\n" in shown


@pytest.mark.property
@given(data=st.data(), shape=st.sampled_from(["chat", "messages"]))
def test_what_is_repaired_needs_no_repair(data, shape):
    request = {**data.draw(requests(shape)), "model": CLAUDE}
    for engine in (NONE, MARKS):
        sent = engine.rewrite(request, shape=shape)
        assert engine.rewrite(sent, shape=shape) == sent
        assert engine.plan(request, shape=shape).request == sent


@pytest.mark.parametrize("value", ["ephemeral", {"type": "persistent"}, {"ttl": "5m"}])
def test_what_is_no_marker_is_taken_away(value):
    request = native(user({**TEXT, "cache_control": value}))
    plan = NONE.plan(request)
    assert plan.request == native(user(TEXT))
    assert [placement.detail for placement in plan.placements] == ["taken away: its value is no marker"]
