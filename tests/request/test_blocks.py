"""Blocks: which can carry a marker, by role and by route, and in which order they come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.blocks import message_blocks, system_blocks, tool_block, walk
from policy_cache.request.location import normalized
from policy_cache.request.prompt import Prompt

ANTHROPIC = "anthropic/claude-sonnet-4-5"
BEDROCK = "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CONVERSE = "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TEXT = {"type": "text", "text": "t"}
FUNCTION = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"name": "f", "input_schema": {}}


def rules(shape, model=ANTHROPIC):
    return resolve(packaged_catalog(), model=model, provider=None, api_base=None, shape=shape).blocks


def prompt(messages, shape, **more):
    return Prompt({"messages": messages, "tools": [FUNCTION], **more}, shape)


def markable(messages, shape, index=0, *, model=ANTHROPIC, **more):
    return [
        block.markable
        for block in message_blocks(prompt(messages, shape, **more), rules(shape, model), index)
    ]


def one(role, part, shape, **more):
    [found] = markable([{"role": role, "content": [part]}], shape, **more)
    return found


SERVER_RESULTS = [
    "web_search",
    "web_fetch",
    "code_execution",
    "bash_code_execution",
    "text_editor_code_execution",
    "tool_search",
]


@pytest.mark.parametrize(
    ("role", "kind", "expected"),
    [
        ("user", "image", True),
        ("user", "document", True),
        ("user", "search_result", True),
        ("user", "tool_result", True),
        ("user", "container_upload", True),
        ("user", "thinking", False),
        ("user", "tool_use", False),
        ("user", "image_url", False),
        ("user", "made_up", False),
        ("assistant", "tool_use", True),
        ("assistant", "server_tool_use", True),
        *(("assistant", f"{kind}_tool_result", True) for kind in SERVER_RESULTS),
        ("assistant", "thinking", False),
        ("assistant", "redacted_thinking", False),
        ("assistant", "image", False),
    ],
)
def test_native_blocks(role, kind, expected):
    assert one(role, {"type": kind}, "messages") is expected


@pytest.mark.parametrize(
    ("role", "kind", "expected"),
    [
        ("user", "image_url", True),
        ("user", "document", True),
        ("user", "file", True),
        ("user", "image", False),
        ("user", "tool_result", False),
        ("user", "input_audio", False),
        ("assistant", "thinking", False),
        ("assistant", "tool_use", False),
        ("assistant", "image_url", False),
    ],
)
def test_chat_blocks(role, kind, expected):
    assert one(role, {"type": kind}, "chat") is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t", True),
        (" t ", True),
        ("", False),
        (" ", False),
        ("\n\t ", False),
        ("x-anthropic-billing-header: cc_version=1", False),
        ("not x-anthropic-billing-header:", True),
        (None, False),
        (3, False),
    ],
)
@pytest.mark.parametrize("shape", ["chat", "messages"])
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_texts(role, shape, text, expected):
    assert one(role, {"type": "text", "text": text}, shape) is expected
    if isinstance(text, str):
        assert markable([{"role": role, "content": text}], shape) == [expected]


def test_a_text_without_text():
    assert one("user", {"type": "text"}, "messages") is False


@pytest.mark.parametrize(
    "part", [None, "text", 3, ["text"], {}, {"type": None}, {"type": ["text"]}, {"text": "t"}]
)
def test_what_is_no_block(part):
    assert one("user", part, "messages") is False


@pytest.mark.parametrize("content", [None, 3, {"type": "text"}])
def test_what_is_no_content(content):
    assert markable([{"role": "user", "content": content}], "messages") == []


@pytest.mark.parametrize(
    ("caller", "expected"),
    [(None, True), ({"type": "direct"}, True), ({"type": "code_execution_20250825", "tool_id": "s"}, False)],
)
def test_a_call_by_code_execution_takes_no_marker(caller, expected):
    assert one("assistant", {"type": "tool_use", "id": "t", "caller": caller}, "messages") is expected


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (FUNCTION, True),
        (CUSTOM, True),
        ({"type": "web_search_20250305", "name": "web_search"}, True),
        ({**CUSTOM, "defer_loading": True}, False),
        ({**CUSTOM, "defer_loading": False}, True),
        ({"type": "function", "function": {"name": "f", "defer_loading": True}}, False),
        ({"type": "mcp", "server_url": "x"}, False),
        (None, False),
        ("f", False),
    ],
)
def test_tools(tool, expected):
    found = tool_block(Prompt({"messages": [], "tools": [tool]}, "chat"), rules("chat"), 0)
    assert (found.location, found.markable) == (("tools", 0), expected)


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"content": None, "tool_calls": [CALL, {**CALL, "id": "d"}]}, [True, True]),
        ({"content": None, "tool_calls": [CALL, CALL]}, [True, False]),
        ({"content": "a", "tool_calls": [CALL]}, [True, True]),
        ({"content": "", "tool_calls": [CALL]}, [True]),
        ({"content": [TEXT, {"type": "thinking"}], "tool_calls": [CALL]}, [True, False, True]),
        ({"content": "a", "tool_calls": [{**CALL, "type": "custom"}]}, [True, False]),
        ({"content": "a", "tool_calls": [{**CALL, "id": "srvtoolu_1"}, CALL]}, [False, False, False]),
        ({"content": "a", "tool_calls": []}, [True]),
        ({"content": "a", "tool_calls": None}, [True]),
    ],
)
def test_calls(message, expected):
    assert markable([{"role": "assistant", **message}], "chat") == expected


@pytest.mark.parametrize("content", ["r", "", None, [TEXT, TEXT]])
@pytest.mark.parametrize("role", ["tool", "function"])
def test_a_tool_message_is_one_block(role, content):
    [block] = message_blocks(prompt([{"role": role, "content": content}], "chat"), rules("chat"), 0)
    assert (block.location, block.markable) == (("messages", 0), True)


def test_a_function_message_on_bedrock_carries_nothing():
    assert markable([{"role": "function", "content": "r"}], "chat", model=BEDROCK) == [False]
    assert markable([{"role": "tool", "content": "r"}], "chat", model=BEDROCK) == [True]


SYSTEM, USER, ANSWER = ({"role": role, "content": "s"} for role in ("system", "user", "assistant"))


@pytest.mark.parametrize(
    ("messages", "index", "effective"),
    [
        ([USER, SYSTEM], 1, True),
        ([USER, SYSTEM, ANSWER], 1, True),
        ([USER, SYSTEM, SYSTEM, ANSWER], 1, True),
        ([USER, SYSTEM, USER], 1, True),
        ([USER, SYSTEM, SYSTEM, USER], 1, True),
        ([USER, {**SYSTEM, "clear_at": "turn"}], 1, True),
    ],
)
def test_a_leading_system_message_can_be_marked_a_later_one_never(messages, index, effective):
    """A client's marker on it takes effect; of `clear_at`, litellm sends nothing in this shape."""
    assert markable([SYSTEM, *messages], "chat", 0) == [True]
    [block] = message_blocks(prompt(messages, "chat"), rules("chat"), index)
    assert (block.markable, block.effective) == (False, effective)


@pytest.mark.parametrize(
    ("shape", "model", "expected"),
    [
        ("messages", ANTHROPIC, True),
        ("chat", ANTHROPIC, True),
        ("chat", BEDROCK, False),
        ("messages", BEDROCK, True),
    ],
)
def test_a_top_level_system(shape, model, expected):
    given = prompt([USER], shape, system=[TEXT, TEXT])
    assert [block.markable for block in system_blocks(given, rules(shape, model))] == [expected] * 2


def test_without_tools_bedrock_turns_calls_and_results_into_text():
    asked = {"role": "assistant", "content": "a", "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "c", "content": "r"}
    messages = [USER, asked, result]
    assert markable(messages, "chat", 1, model=BEDROCK) == [True, True]
    assert markable(messages, "chat", 1, model=BEDROCK, tools=None) == [False, False]
    assert markable(messages, "chat", 2, model=BEDROCK, tools=None) == [False]
    assert markable(messages, "chat", 2, tools=None) == [True]


@pytest.mark.parametrize(
    ("content", "around", "expected"),
    [
        ([TEXT], USER, [True]),
        ([TEXT, TEXT], USER, [False, False]),
        ([TEXT, {"type": "tool_use", "id": "t"}], USER, [True, True]),
        ([TEXT], ANSWER, [False]),
    ],
)
def test_converse_joins_the_texts_of_an_answer_unless_one_is_marked(content, around, expected):
    messages = [USER, {"role": "assistant", "content": content}, around]
    assert markable(messages, "messages", 1, model=CONVERSE) == expected
    assert markable(messages, "messages", 1) == [True] * len(content)


def test_on_bedrock_a_text_before_an_image_would_be_marked_behind_it():
    answer = {"role": "assistant", "content": [TEXT, {"type": "image_url", "image_url": {"url": "x"}}]}
    assert markable([USER, answer, USER], "chat", 1, model=BEDROCK) == [False, False]
    assert markable([USER, answer, USER], "chat", 1) == [True, False]


def test_a_route_without_markers_has_no_markable_block():
    nothing = rules("chat", "gpt-4o")
    given = prompt([{"role": "user", "content": "q"}], "chat", system="s")
    found = [
        tool_block(given, nothing, 0),
        *system_blocks(given, nothing),
        *message_blocks(given, nothing, 0),
    ]
    assert [block.markable for block in found] == [False] * 3


def responses(items, model="openai/gpt-5.6", **more):
    """The blocks of a request of the Responses API: where, what, and whether a policy may mark it."""
    blocks = walk(Prompt({"input": items, **more}, "responses"), rules("responses", model))
    return [(block.location, block.kind, block.markable) for block in blocks]


ITEMS = [
    {"role": "developer", "content": "d"},
    {
        "role": "user",
        "content": [{"type": "input_text", "text": "q"}, {"type": "input_image", "image_url": "u"}],
    },
    {"type": "reasoning", "id": "r", "summary": []},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "found"},
    {"type": "computer_call_output", "call_id": "e", "output": {"type": "computer_screenshot"}},
    {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
]


def test_openai_reads_a_marker_on_what_it_is_told():
    assert responses(ITEMS, instructions="i", tools=[{"type": "function", "name": "f"}]) == [
        (("tools", 0), "tool", False),
        (("instructions",), "text", False),
        (("input", 0, "content"), "text", True),
        (("input", 1, "content", 0), "text", True),
        (("input", 1, "content", 1), "image_url", True),
        (("input", 2), "thinking", False),
        (("input", 3), "tool_use", False),
        (("input", 4, "output"), "tool_result", True),
        (("input", 5), "tool_result", False),
        (("input", 6, "content", 0), "text", False),
    ]


def test_claude_takes_one_on_a_call_and_on_its_output_as_a_whole():
    blocks = responses(ITEMS, ANTHROPIC)
    assert [location for location, _, markable in blocks if markable] == [
        ("input", 0, "content"),
        ("input", 1, "content", 0),
        ("input", 1, "content", 1),
        ("input", 3),
        ("input", 4),
        ("input", 6, "content", 0),
    ]


def test_a_text_as_input_has_no_place_for_one():
    assert responses("q") == [(("input",), "text", False)]


def test_the_order_of_the_prefix():
    messages = [
        SYSTEM,
        {"role": "user", "content": [TEXT, TEXT]},
        {"role": "assistant", "content": "a", "tool_calls": [CALL, CALL]},
        {"role": "tool", "content": "r"},
    ]
    given = prompt(messages, "chat")
    blocks = [tool_block(given, rules("chat"), 0)]
    blocks += [block for index in range(4) for block in message_blocks(given, rules("chat"), index)]
    assert [block.order for block in blocks] == sorted(block.order for block in blocks)
    assert len({block.order for block in blocks}) == len(blocks)
    assert [normalized(block.location) for block in blocks] == [
        "$['tools'][0]",
        "$['messages'][0]['content']",
        "$['messages'][1]['content'][0]",
        "$['messages'][1]['content'][1]",
        "$['messages'][2]['content']",
        "$['messages'][2]['tool_calls'][0]",
        "$['messages'][2]['tool_calls'][1]",
        "$['messages'][3]",
    ]


@pytest.mark.parametrize(
    "content", [" ", "", [{"type": "text", "text": " "}], [{"type": "text", "text": ""}]]
)
@pytest.mark.parametrize("calling", [False, True])
def test_a_blank_text_beside_calls_takes_a_clients_marker_where_litellm_sends_it(content, calling):
    call = {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    given = prompt([{"role": "assistant", "content": content, "tool_calls": [call]}], "chat")
    table = rules("chat")
    if calling:
        table = replace(table, blank=table.blank | {"calling"})
    effective = [block.location for block in message_blocks(given, table, 0) if block.effective]
    at = ("messages", 0, "content")
    text = (*at, 0) if isinstance(content, list) else at
    assert effective == [*([text] if calling else []), ("messages", 0, "tool_calls", 0)]
