"""What is no request: `rewrite` gives it back and says so once, `plan` says where."""

from __future__ import annotations

import logging

import pytest

from policy_cache import Engine
from policy_cache.errors import RequestError
from tests.engine.requests import ANTHROPIC, BIG, add, chat, engine, native, native_tool

SECRET = "hunter2"
USER = {"role": "user", "content": SECRET}
RULE = add("tools, system, messages.last")

BAD = {
    "not a dict": ([SECRET], (), "a list", "a request, as a dict"),
    "nothing": (None, (), "nothing", "a request, as a dict"),
    "a text": (SECRET, (), "a text", "a request, as a dict"),
    "no model": ({"messages": [USER]}, ("model",), "nothing", "the model's name"),
    "a model that is no text": ({"model": 3, "messages": [USER]}, ("model",), "a number", "the model's name"),
    "no messages": ({"model": ANTHROPIC}, ("messages",), "nothing", "a list of messages"),
    "messages that are nothing": (
        {"model": ANTHROPIC, "messages": None},
        ("messages",),
        "nothing",
        "a list of messages",
    ),
    "messages that are a text": (
        {"model": ANTHROPIC, "messages": SECRET},
        ("messages",),
        "a text",
        "a list of messages",
    ),
    "messages that are a number": (
        {"model": ANTHROPIC, "messages": 3},
        ("messages",),
        "a number",
        "a list of messages",
    ),
    "a message that is a text": (
        {"model": ANTHROPIC, "messages": [USER, SECRET]},
        ("messages", 1),
        "a text",
        "a message",
    ),
    "a message that is a number": (
        {"model": ANTHROPIC, "messages": [3]},
        ("messages", 0),
        "a number",
        "a message",
    ),
    "a message that is nothing": (
        {"model": ANTHROPIC, "messages": [USER, None]},
        ("messages", 1),
        "nothing",
        "a message",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_plan_says_where(case):
    request, location, found, expected = BAD[case]
    with pytest.raises(RequestError) as caught:
        engine(RULE).plan(request)
    error = caught.value
    assert (error.location, error.found, error.expected) == (location, found, expected)
    assert SECRET not in str(error)


@pytest.mark.parametrize("case", BAD)
def test_rewrite_gives_it_back_counts_it_and_logs_it_once(case, caplog):
    request = BAD[case][0]
    rules = engine(RULE)
    with caplog.at_level(logging.DEBUG, logger="policy_cache"):
        assert rules.rewrite(request) is request
        assert rules.rewrite(request) is request
    assert rules.failures == {"RequestError": 2}
    [record] = caplog.records
    assert (record.name, record.levelno) == ("policy_cache", logging.WARNING)
    assert SECRET not in record.getMessage()
    assert record.exc_info is None


def cyclic_tools():
    tool = native_tool(SECRET, description="small")
    tool["input_schema"]["properties"]["self"] = tool
    return native(system="small", tools=[tool])


def test_a_cycle_in_the_tools(caplog):
    request = cyclic_tools()
    rules = engine(RULE)
    with pytest.raises(RequestError) as caught:
        rules.plan(request)
    assert caught.value.found == "over 200,000 values, or a cycle"
    assert rules.rewrite(request) is request
    assert rules.failures == {"RequestError": 1}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert SECRET not in caplog.text


def nested(depth):
    value = SECRET
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "request_",
    [
        native(tools=[native_tool(input_schema={"type": "object", "properties": {"x": nested(5_000)}})]),
        native([{"role": "user", "content": nested(5_000)}]),
        native(metadata={"x": nested(5_000)}),
        native(system=nested(5_000)),
    ],
    ids=["tools", "messages", "metadata", "system"],
)
def test_huge_nesting_is_no_failure(request_):
    rules = engine(add("'$..zzz', system, messages.last"), add("tools"))
    rules.rewrite(request_)
    assert rules.failures == {}


def test_each_kind_of_failure_is_logged_once(caplog, monkeypatch):
    rules = engine(RULE)
    for request in (None, 3, cyclic_tools(), None):
        assert rules.rewrite(request) is request

    def fail(*_, **__):
        raise ValueError(SECRET)

    monkeypatch.setattr("policy_cache.engine.engine.detect_shape", fail)
    request = chat()
    assert rules.rewrite(request) is request
    assert rules.rewrite(request) is request
    with pytest.raises(ValueError, match=SECRET):
        rules.plan(request)
    assert rules.failures == {"RequestError": 4, "ValueError": 2}
    assert len(caplog.records) == 2
    assert "ValueError" in caplog.records[1].getMessage()
    assert SECRET not in caplog.text


def test_a_good_request_after_a_bad_one():
    rules = engine(RULE)
    rules.rewrite(None)
    assert rules.rewrite(native()) != native()
    assert rules.failures == {"RequestError": 1}


@pytest.mark.parametrize(
    "request_",
    [
        {"model": ANTHROPIC, "messages": []},
        native(tools=[None, "f", 3]),
        native(tools="f"),
        native([{}]),
        native([{"role": 3, "content": {"a": BIG}}]),
        native([{"role": "user"}]),
        native([{"role": "user", "content": [None, 3, "x", {"type": ["text"]}, {"text": BIG}]}]),
        native([{"role": "assistant", "tool_calls": "call"}]),
        native([{"role": "assistant", "content": BIG, "tool_calls": [None]}]),
        native(system={"a": BIG}),
        native(system=3),
        native(extra_body=BIG),
        native(metadata="x", extra_headers=3, proxy_server_request="y"),
    ],
    ids=range(13),
)
def test_strange_parts_are_no_failure(request_):
    rules = Engine.default()
    rules.rewrite(request_)
    engine(RULE, client_markers="replace").rewrite(request_)
    assert rules.failures == {}
    rules.plan(request_)
