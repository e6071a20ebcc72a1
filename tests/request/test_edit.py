"""Editing a copy: what is copied, what is shared, and what each operation does."""

from __future__ import annotations

import copy

import pytest
from litellm.types.utils import Message

from policy_cache.request.edit import Draft, marked

MARKER = {"type": "ephemeral"}


def request():
    return {
        "model": "claude",
        "tools": [{"name": "a"}, {"name": "b", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "user", "content": "y"},
        ],
    }


def test_copies_the_containers_on_the_way_and_shares_the_rest():
    original = request()
    before = copy.deepcopy(original)
    draft = Draft(original)
    draft.apply("add", ("tools", 1, "cache_control"), MARKER)
    result = draft.request
    assert original == before
    assert result == {**before, "tools": [{"name": "a"}, {**before["tools"][1], "cache_control": MARKER}]}
    assert result is not original
    assert result["tools"] is not original["tools"]
    assert result["tools"][1] is not original["tools"][1]
    assert result["tools"][0] is original["tools"][0]
    assert result["tools"][1]["input_schema"] is original["tools"][1]["input_schema"]
    assert result["messages"] is original["messages"]


def test_copies_each_container_once():
    draft = Draft(request())
    draft.apply("add", ("tools", 0, "cache_control"), MARKER)
    tools, first = draft.request["tools"], draft.request["tools"][0]
    draft.apply("add", ("tools", 1, "cache_control"), MARKER)
    draft.apply("add", ("tools", 0, "x"), 1)
    assert draft.request["tools"] is tools
    assert draft.request["tools"][0] is first


@pytest.mark.parametrize(
    ("op", "location", "value", "at", "expected"),
    [
        (
            "add",
            ("tools", 1),
            "new",
            ("tools",),
            [{"name": "a"}, "new", {"name": "b", "input_schema": {"type": "object"}}],
        ),
        (
            "add",
            ("tools", 2),
            "new",
            ("tools",),
            [{"name": "a"}, {"name": "b", "input_schema": {"type": "object"}}, "new"],
        ),
        (
            "replace",
            ("tools", 0),
            "new",
            ("tools",),
            ["new", {"name": "b", "input_schema": {"type": "object"}}],
        ),
        ("remove", ("tools", 1), None, ("tools",), [{"name": "a"}]),
        ("add", ("tools", 0, "x"), 1, ("tools", 0), {"name": "a", "x": 1}),
        ("replace", ("tools", 0, "name"), "c", ("tools", 0), {"name": "c"}),
        ("remove", ("tools", 0, "name"), None, ("tools", 0), {}),
        ("replace", ("messages", 1, "content"), ["z"], ("messages", 1), {"role": "user", "content": ["z"]}),
        ("add", ("extra_body",), {"a": 1}, ("extra_body",), {"a": 1}),
        (
            "remove",
            ("model",),
            None,
            (),
            {name: value for name, value in request().items() if name != "model"},
        ),
    ],
)
def test_operations(op, location, value, at, expected):
    original = request()
    draft = Draft(original)
    draft.apply(op, location, value)
    found = draft.request
    for key in at:
        found = found[key]
    assert found == expected
    assert original == request()


def test_an_object_becomes_its_dict_form_in_the_copy_alone():
    message = Message(role="assistant", content="hello")
    original = {"messages": [message]}
    draft = Draft(original)
    draft.apply(
        "replace", ("messages", 0, "content"), [{"type": "text", "text": "hello", "cache_control": MARKER}]
    )
    assert draft.request["messages"][0] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "hello", "cache_control": MARKER}],
    }
    assert original["messages"][0] is message
    assert message.content == "hello"


def test_a_tuple_becomes_a_list_in_the_copy():
    original = {"messages": ({"role": "user", "content": "x"},)}
    draft = Draft(original)
    draft.apply("add", ("messages", 0, "cache_control"), MARKER)
    assert draft.request == {"messages": [{"role": "user", "content": "x", "cache_control": MARKER}]}
    assert original == {"messages": ({"role": "user", "content": "x"},)}


def test_marks_share_all_but_the_containers_on_the_way():
    original = request()
    before = copy.deepcopy(original)
    marks = {
        ("tools", 1): MARKER,
        ("messages", 0, "content", 0): {"type": "ephemeral", "ttl": "1h"},
        ("messages", 1, "content"): MARKER,
        (): MARKER,
    }
    result = marked(original, marks, "cache_control")
    assert original == before
    assert result == {
        **before,
        "cache_control": MARKER,
        "tools": [{"name": "a"}, {**before["tools"][1], "cache_control": MARKER}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
                ],
            },
            {"role": "user", "content": [{"type": "text", "text": "y", "cache_control": MARKER}]},
        ],
    }
    assert result["tools"][0] is original["tools"][0]
    assert result["tools"][1]["input_schema"] is original["tools"][1]["input_schema"]


def test_two_marks_in_one_message():
    message = Message(role="assistant", content="a", tool_calls=None)
    original = {
        "model": "claude",
        "system": "s",
        "messages": [message, {"role": "user", "content": [{}, {}]}],
    }
    marks = {
        ("system",): MARKER,
        ("messages", 0, "content"): MARKER,
        ("messages", 1, "content", 0): MARKER,
        ("messages", 1, "content", 1): MARKER,
    }
    result = marked(original, marks, "cache_control")
    assert result["system"] == [{"type": "text", "text": "s", "cache_control": MARKER}]
    assert result["messages"][0]["content"] == [{"type": "text", "text": "a", "cache_control": MARKER}]
    assert result["messages"][1]["content"] == [{"cache_control": MARKER}, {"cache_control": MARKER}]
    assert message.content == "a"
    assert original["messages"][1]["content"] == [{}, {}]
