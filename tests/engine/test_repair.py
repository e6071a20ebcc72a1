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
    sent = NONE.rewrite(request, shape=shape)
    assert NONE.rewrite(sent, shape=shape) is sent
    assert NONE.plan(request, shape=shape).request == sent
