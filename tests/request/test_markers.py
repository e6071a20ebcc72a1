"""The markers that a client placed: where they are found, and where they take effect."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litellm.types.utils import Message

from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.location import normalized
from policy_cache.request.markers import holders, may_hold_markers
from policy_cache.request.prompt import Prompt, detect_shape
from tests.wire.generated import requests
from tests.wire.wire import marks, send

BARE = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
MARK = {"cache_control": BARE}
USER = {"role": "user", "content": "q"}
CALL = {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
TOOL = {"type": "function", "function": FUNCTION}
NATIVE_TOOL = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}


def text(value, **more):
    return {"type": "text", "text": value, **more}


def chat(*messages, **more):
    return {"model": "anthropic/claude-sonnet-4-5", "messages": list(messages), "max_tokens": 16, **more}


def native(content, **more):
    return chat({"role": "user", "content": content}, **{"tools": [NATIVE_TOOL], **more})


def calling(*results, **more):
    asked = {"role": "assistant", "content": None, "tool_calls": [{**CALL, **more}]}
    return chat(USER, asked, *results, tools=[TOOL])


def result(content="r", **more):
    return {"role": "tool", "tool_call_id": "call_0", "content": content, **more}


def tool_result(content="r", **more):
    return {"type": "tool_result", "tool_use_id": "toolu_0", "content": content, **more}


def using(block):
    used = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_0", "name": "f", "input": {}}]}
    return chat(USER, used, {"role": "user", "content": [block]}, tools=[NATIVE_TOOL])


def route_of(request, shape=None):
    shape = shape or detect_shape(request)
    return resolve(packaged_catalog(), model=request["model"], provider=None, api_base=None, shape=shape)


def markers_of(request, shape=None):
    route = route_of(request, shape)
    return route.markers_of(Prompt(request, route.shape))


# Where the marker is, and the block on which it takes effect; None where it takes none.
FOUND = {
    "a tool": (chat(USER, tools=[{**TOOL, **MARK}]), "$['tools'][0]", "$['tools'][0]"),
    "a tool's function": (
        chat(USER, tools=[{"type": "function", "function": {**FUNCTION, **MARK}}]),
        "$['tools'][0]['function']",
        "$['tools'][0]",
    ),
    "a native tool": (native("q", tools=[{**NATIVE_TOOL, **MARK}]), "$['tools'][0]", "$['tools'][0]"),
    "a system block": (native("q", system=[text("s", **MARK)]), "$['system'][0]", "$['system'][0]"),
    "a block of a system message": (
        chat({"role": "system", "content": [text("s", **MARK)]}, USER),
        "$['messages'][0]['content'][0]",
        "$['messages'][0]['content'][0]",
    ),
    "a system message of text": (
        chat({"role": "system", "content": "s", **MARK}, USER),
        "$['messages'][0]",
        "$['messages'][0]['content']",
    ),
    "a system message of blocks": (
        chat({"role": "system", "content": [text("s")], **MARK}, USER),
        "$['messages'][0]",
        None,
    ),
    "a user message of text": (chat({**USER, **MARK}), "$['messages'][0]", "$['messages'][0]['content']"),
    "a user message of blocks": (
        chat({"role": "user", "content": [text("q")], **MARK}),
        "$['messages'][0]",
        None,
    ),
    "a user block": (
        chat({"role": "user", "content": [text("q"), text("r", **MARK)]}),
        "$['messages'][0]['content'][1]",
        "$['messages'][0]['content'][1]",
    ),
    "an assistant message of text": (
        chat(USER, {"role": "assistant", "content": "a", **MARK}, USER),
        "$['messages'][1]",
        "$['messages'][1]['content']",
    ),
    "a tool call": (
        calling(result(), **MARK),
        "$['messages'][1]['tool_calls'][0]",
        "$['messages'][1]['tool_calls'][0]",
    ),
    "a tool message": (calling(result(**MARK)), "$['messages'][2]", "$['messages'][2]"),
    "a block of a tool message": (
        calling(result([text("r", **MARK)])),
        "$['messages'][2]['content'][0]",
        "$['messages'][2]",
    ),
    "a tool result": (
        using(tool_result(**MARK)),
        "$['messages'][2]['content'][0]",
        "$['messages'][2]['content'][0]",
    ),
    "a block of a tool result": (
        using(tool_result([text("r", **MARK)])),
        "$['messages'][2]['content'][0]['content'][0]",
        "$['messages'][2]['content'][0]",
    ),
    "the request": (native("q", **MARK), "$", "$['messages'][0]['content']"),
}


@pytest.mark.parametrize("case", FOUND)
def test_finds(case):
    request, holder, block = FOUND[case]
    [found] = markers_of(request)
    assert normalized(found.holder) == holder
    assert (None if found.block is None else normalized(found.block)) == block
    assert found.ttl == "5m"


@pytest.mark.parametrize("case", FOUND)
def test_litellm_sends_it_exactly_where_it_takes_effect(case):
    request, _, block = FOUND[case]
    body = send(copy.deepcopy(request), route_of(request))
    assert len(marks(body)) == (0 if block is None else 1)


@pytest.mark.parametrize(
    ("marker", "ttl"),
    [
        (BARE, "5m"),
        ({"type": "ephemeral", "ttl": "5m"}, "5m"),
        (HOUR, "1h"),
        ({"type": "ephemeral", "ttl": None}, "5m"),
        ({"type": "ephemeral", "ttl": 3}, "5m"),
        (True, "5m"),
        ({}, "5m"),
    ],
)
def test_its_ttl(marker, ttl):
    request = native(
        [text("q", cache_control=marker)], cache_control=marker, extra_body={"cache_control": marker}
    )
    assert [found.ttl for found in markers_of(request, "messages")] == [ttl] * 3


def test_one_in_extra_body_takes_effect_on_the_request():
    [found] = markers_of({**chat(USER, extra_body=MARK), "model": "azure_ai/claude-sonnet-4-5"})
    assert (found.holder, found.block) == (("extra_body",), ("messages", 0, "content"))


def test_one_in_extra_body_is_lost_where_litellm_sends_that_as_a_member():
    [found] = markers_of(native("q", extra_body=MARK), "messages")
    assert (found.holder, found.block) == (("extra_body",), None)


def test_a_top_level_system_beside_system_messages_is_lost():
    request = chat({"role": "system", "content": "s"}, USER, system=[text("top", **MARK)])
    [found] = markers_of(request, "chat")
    assert (found.holder, found.block) == (("system", 0), None)


def test_objects_carry_markers_too():
    message = Message(role="assistant", content="a", cache_control=BARE)
    [found] = markers_of(chat(USER, message), "chat")
    assert (found.holder, found.block) == (("messages", 1), ("messages", 1, "content"))


def test_one_of_the_other_dialect_on_a_tool_of_the_wrong_shape_is_seen():
    tool = {**TOOL, "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert [holder.location for holder in holders(Prompt({"messages": [], "tools": [tool]}, "messages"))] == [
        ("tools", 0)
    ]
    assert [*holders(Prompt({"messages": [], "tools": [tool]}, "chat"))] == []
    [holder] = holders(Prompt({"messages": [], "tools": [{**tool, **MARK}]}, "chat"))
    assert "prompt_cache_breakpoint" not in holder.fields


PROPERTIES = {"cache_control": {"type": "object", "properties": {"ttl": {"type": "string"}}}}


@pytest.mark.parametrize(
    "request_",
    [
        chat(USER),
        native("q", tools=[{**NATIVE_TOOL, "input_schema": {"type": "object", "properties": PROPERTIES}}]),
        chat(
            USER,
            tools=[{"type": "function", "function": {"name": "f", "parameters": {"properties": PROPERTIES}}}],
        ),
        chat(
            USER,
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": MARK}]},
        ),
        chat(USER, metadata=MARK, extra_body={"metadata": MARK}),
        native([text("q", cache_control=None)], cache_control=None, extra_body={"cache_control": None}),
        chat({**USER, "cache_control": None}, tools=[{**TOOL, "cache_control": None}]),
        native("cache_control"),
    ],
)
def test_what_is_no_marker(request_):
    assert markers_of(request_) == []


def test_all_of_them_in_one_request():
    request = chat(
        {"role": "user", "content": [text("a", **MARK), tool_result([text("x"), text("y", **MARK)], **MARK)]},
        {"role": "user", "content": "b", **MARK},
        system=[text("s"), text("t", cache_control=HOUR)],
        tools=[{**NATIVE_TOOL, **MARK}, NATIVE_TOOL, {**NATIVE_TOOL, **MARK}],
        cache_control=HOUR,
        extra_body=MARK,
    )
    found = markers_of(request, "messages")
    assert sorted(normalized(one.holder) for one in found) == [
        "$",
        "$['extra_body']",
        "$['messages'][0]['content'][0]",
        "$['messages'][0]['content'][1]",
        "$['messages'][0]['content'][1]['content'][1]",
        "$['messages'][1]",
        "$['system'][1]",
        "$['tools'][0]",
        "$['tools'][2]",
    ]
    in_prefix_order = [normalized(one.holder) for one in sorted(found, key=lambda one: one.order)]
    assert in_prefix_order[:3] == ["$['tools'][0]", "$['tools'][2]", "$['system'][1]"]
    assert set(in_prefix_order[-3:]) == {"$", "$['extra_body']", "$['messages'][1]"}


@pytest.mark.property
@given(data=st.data(), shape=st.sampled_from(["chat", "messages", "responses"]))
def test_the_quick_look_never_misses_a_marker(data, shape):
    prompt = Prompt(data.draw(requests(shape)), shape)
    assert may_hold_markers(prompt) or [*holders(prompt)] == []


@pytest.mark.parametrize("around", [{}, {"source": "s"}])
def test_the_quick_look_sees_what_stands_deep_in_a_result(around):
    part = {"type": "search_result", **around, "content": [{"type": "text", "text": "x", **MARK}]}
    result = {"type": "tool_result", "tool_use_id": "a", "content": [part]}
    prompt = Prompt({"messages": [{"role": "user", "content": [result]}]}, "messages")
    assert [holder.location[-2:] for holder in holders(prompt)] == [("content", 0)]
    assert may_hold_markers(prompt)
