"""Reading a request: its shape, its leading system prompt, and messages of every make."""

from __future__ import annotations

import pytest
from litellm.types.utils import ChatCompletionMessageToolCall, Function, Message

from policy_cache.errors import RequestError
from policy_cache.request.prompt import Prompt, detect_shape

USER = {"role": "user", "content": "q"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


@pytest.mark.parametrize(
    ("request_", "shape"),
    [
        ({}, "chat"),
        ({"messages": []}, "chat"),
        ({"messages": [USER]}, "chat"),
        ({"messages": [USER], "system": "s"}, "messages"),
        ({"messages": [USER], "system": []}, "messages"),
        ({"messages": [USER], "system": None}, "chat"),
        ({"messages": [USER], "tools": [{"type": "function", "function": {"name": "f"}}]}, "chat"),
        ({"messages": [USER], "tools": [{"function": {}}], "system": "s"}, "chat"),
        ({"messages": [USER], "tools": [{"name": "f", "input_schema": {}}]}, "messages"),
        ({"messages": [USER], "tools": []}, "chat"),
        ({"messages": [USER], "tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "chat"),
        ({"messages": [USER], "tools": [{"type": "web_search_20250305"}], "system": "s"}, "messages"),
        ({"messages": [{"role": "system", "content": "s"}, USER], "system": "s"}, "chat"),
        ({"messages": [{"role": "developer", "content": "s"}, USER], "system": "s"}, "chat"),
        ({"messages": [USER, {"role": "tool", "content": "r"}], "system": "s"}, "chat"),
        ({"messages": [USER, {"role": "function", "content": "r"}], "system": "s"}, "chat"),
        (
            {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}], "system": "s"},
            "chat",
        ),
        ({"messages": [user({"type": "tool_result", "tool_use_id": "1"})]}, "messages"),
        (
            {"messages": [USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]}]},
            "messages",
        ),
        ({"messages": [user({"type": "image", "source": {}})]}, "messages"),
        ({"messages": [user({"type": "image_url", "image_url": {}})]}, "chat"),
        ({"messages": [user({"type": "text", "text": "t"})]}, "chat"),
        ({"messages": "text", "tools": 3, "system": "s"}, "messages"),
        ({"messages": [None, 3]}, "chat"),
        ({"messages": [USER, Message(role="assistant", content="a")]}, "chat"),
        ({"input": "hi"}, "responses"),
        ({"input": [USER], "tools": [{"type": "function", "name": "f"}]}, "responses"),
        ({"input": [USER], "tools": [{"function": {}}]}, "responses"),
        ({"input": [USER], "messages": [USER]}, "chat"),
    ],
)
def test_detects_the_shape(request_, shape):
    assert detect_shape(request_) == shape


S, D = {"role": "system", "content": "s"}, {"role": "developer", "content": "d"}


@pytest.mark.parametrize(
    ("messages", "shape", "leading"),
    [
        ([], "chat", 0),
        ([USER], "chat", 0),
        ([S, USER], "chat", 1),
        ([S, D, S, USER], "chat", 3),
        ([S, USER, S], "chat", 1),
        ([USER, S], "chat", 0),
        ([S], "chat", 1),
        ([S, USER], "messages", 0),
    ],
)
def test_the_leading_system_messages(messages, shape, leading):
    assert Prompt({"messages": messages}, shape).leading == leading


def test_a_top_level_system_gives_way_to_system_messages():
    assert Prompt({"system": "top", "messages": [USER]}, "chat").system == "top"
    assert Prompt({"system": "top", "messages": [S, USER]}, "chat").system is None
    assert Prompt({"system": "top", "messages": [S, USER]}, "messages").system == "top"


@pytest.mark.parametrize(
    ("tools", "count"), [(None, 0), ([], 0), ([{}], 1), (({}, {}), 2), ("text", 0), ({"a": 1}, 0)]
)
def test_the_tools(tools, count):
    assert len(Prompt({"messages": [], "tools": tools}, "chat").tools) == count


ITEM_CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "found"}
SCREEN = {"type": "computer_call_output", "call_id": "d", "output": {"type": "computer_screenshot"}}
THOUGHT = {"type": "reasoning", "id": "r", "summary": []}


def test_items_are_messages_of_whose_turn_they_are_in():
    prompt = Prompt(
        {"instructions": "i", "input": [S, USER, THOUGHT, ITEM_CALL, OUTPUT, SCREEN]}, "responses"
    )
    roles = [message["role"] for message in prompt.messages]
    assert roles == ["system", "user", "assistant", "assistant", "tool", "tool"]
    assert prompt.messages[4]["content"] == "found"
    assert (prompt.leading, prompt.system, prompt.area) == (1, "i", "input")
    assert [prompt.content_at(index) for index in (1, 4)] == [
        ("input", 1, "content"),
        ("input", 4, "output"),
    ]


def test_a_text_as_input_is_what_a_user_says():
    prompt = Prompt({"input": "hi"}, "responses")
    assert prompt.messages == [{"role": "user", "content": "hi"}]
    assert (prompt.at(0), prompt.content_at(0)) == (("input",), ("input",))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, r"\$\['input'\]: expected a text or a list of items, found nothing"),
        ({}, r"\$\['input'\]: expected a text or a list of items, found an object"),
        ([USER, 3], r"\$\['input'\]\[1\]: expected an item, found a number"),
    ],
)
def test_an_input_that_is_none(given, message):
    with pytest.raises(RequestError, match=message):
        Prompt({"input": given}, "responses")


def test_a_chat_request_may_have_a_text_as_input_too():
    prompt = Prompt({"messages": [USER], "input": "t"}, "chat")
    assert [prompt.at(index) for index, _ in enumerate(prompt.messages)] == [("messages", 0)]


def test_an_item_with_a_role_says_what_its_content_says():
    call = {"type": "function_call_output", "call_id": "c", "output": "r"}
    prompt = Prompt({"input": [{**USER, "output": None}, {**call, "role": "user"}, call]}, "responses")
    assert [prompt.content_at(index)[-1] for index in range(3)] == ["content", "content", "output"]


def test_plain_messages_are_not_copied():
    messages = [S, USER]
    assert Prompt({"messages": messages}, "chat").messages is messages


def test_objects_read_as_their_fields():
    call = ChatCompletionMessageToolCall(id="c", type="function", function=Function(name="f", arguments="{}"))
    messages = [S, Message(role="assistant", content=None, tool_calls=[call])]
    prompt = Prompt({"messages": messages}, "chat")
    assert [message["role"] for message in prompt.messages] == ["system", "assistant"]
    assert prompt.messages[0] is S
    assert prompt.messages[1]["tool_calls"] == [call]


@pytest.mark.parametrize(
    ("request_", "location", "found", "expected"),
    [
        ({}, ("messages",), "nothing", "a list of messages"),
        ({"messages": None}, ("messages",), "nothing", "a list of messages"),
        ({"messages": "hello"}, ("messages",), "a text", "a list of messages"),
        ({"messages": {"role": "user"}}, ("messages",), "an object", "a list of messages"),
        ({"messages": [USER, "hello"]}, ("messages", 1), "a text", "a message"),
        ({"messages": [None]}, ("messages", 0), "nothing", "a message"),
        ({"messages": [USER, USER, 3]}, ("messages", 2), "a number", "a message"),
        ({"messages": [[USER]]}, ("messages", 0), "a list", "a message"),
    ],
)
def test_what_is_no_request(request_, location, found, expected):
    with pytest.raises(RequestError) as caught:
        Prompt(request_, "chat")
    assert (caught.value.location, caught.value.found, caught.value.expected) == (location, found, expected)
