"""Requests as hypothesis makes them: every shape, every kind of block, and things that are wrong."""

from __future__ import annotations

from hypothesis import strategies as st
from litellm.types.utils import Message

MARKERS = st.sampled_from(
    [{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "5m"}, {"type": "ephemeral", "ttl": "1h"}]
)
WORDS = st.sampled_from(
    ["", " ", "short", "## Today is Monday", "x" * 400, "stable ## Today volatile", "ä" * 700]
)
LONG = st.sampled_from(["word " * 300, "word " * 1_200, "short"])


def texts():
    return st.one_of(WORDS, LONG)


def maybe_marked(block, chance):
    """The block, with a client's marker on it in one case of `chance`."""
    if not chance:
        return block
    return st.tuples(block, st.integers(0, chance), MARKERS).map(
        lambda parts: {**parts[0], "cache_control": parts[2]} if parts[1] == 0 else parts[0]
    )


def text_block(chance=0):
    return maybe_marked(texts().map(lambda text: {"type": "text", "text": text}), chance)


def image_url():
    return st.just({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}})


def image():
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    return st.just({"type": "image", "source": source})


@st.composite
def chat_messages(draw, chance=0, *, objects=True):
    """A conversation in OpenAI's shape that litellm accepts."""
    messages = []
    for _ in range(draw(st.integers(0, 2))):
        role = draw(st.sampled_from(["system", "system", "developer"]))
        messages.append({"role": role, "content": draw(content([text_block(chance)]))})
    calls = 0
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["user", "user", "agent", "agent", "assistant", "system"]))
        if kind == "user":
            blocks = [text_block(chance), text_block(chance), image_url()]
            messages.append({"role": "user", "content": draw(content(blocks))})
        elif kind == "assistant":
            messages.append(draw(assistant(chance)))
        elif kind == "system" and messages:
            messages.append({"role": "system", "content": draw(content([text_block(chance)]))})
        else:
            messages.append({"role": "user", "content": draw(content([text_block(chance)]))})
            number = draw(st.integers(1, 3))
            names = [f"call_{calls + index}" for index in range(number)]
            calls += number
            message = draw(assistant(chance))
            message["tool_calls"] = [draw(maybe_marked(st.just(tool_call(name)), chance)) for name in names]
            if draw(st.booleans()):
                message["content"] = None
            if objects and not isinstance(message["content"], list) and draw(st.booleans()):
                message = Message(**message)
            messages.append(message)
            for name in names:
                result = {
                    "role": "tool",
                    "tool_call_id": name,
                    "content": draw(content([text_block(chance)])),
                }
                messages.append(draw(maybe_marked(st.just(result), chance)))
    if not any(message["role"] == "user" for message in messages):
        messages.append({"role": "user", "content": "hello"})
    return messages


def content(blocks):
    return st.one_of(texts(), st.lists(st.one_of(blocks), min_size=1, max_size=3))


def tool_call(name):
    return {"id": name, "type": "function", "function": {"name": "look_up", "arguments": '{"q": "x"}'}}


@st.composite
def assistant(draw, chance=0):
    message = {"role": "assistant", "content": draw(content([text_block(chance)]))}
    if draw(st.integers(0, 3)) == 0:
        message["thinking_blocks"] = [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]
    return message


@st.composite
def chat_tools(draw, chance=0):
    tools = []
    for index in range(draw(st.integers(0, 4))):
        tool = {
            "type": "function",
            "function": {
                "name": f"tool_{index}",
                "description": draw(LONG),
                "parameters": {
                    "type": "object",
                    "properties": {"cache_control": {"type": "string", "description": draw(WORDS)}},
                },
            },
        }
        if draw(st.integers(0, 6)) == 0:
            tool["defer_loading"] = True
        tools.append(draw(maybe_marked(st.just(tool), chance)))
    return tools


@st.composite
def chat_requests(draw, chance=0, *, objects=True):
    """A request in OpenAI's shape."""
    request = {
        "model": draw(MODELS),
        "messages": draw(chat_messages(chance, objects=objects)),
        "max_tokens": 16,
    }
    tools = draw(chat_tools(chance))
    if tools:
        request["tools"] = tools
    return draw(maybe_marked(st.just(request), 4 * chance))


MODELS = st.sampled_from(
    [
        "anthropic/claude-sonnet-4-5",
        "claude-opus-4-5",
        "vertex_ai/claude-sonnet-4-5@20250929",
        "azure_ai/claude-sonnet-4-5",
        "bedrock/claude_platform/claude-sonnet-4-5",
        "bedrock/invoke/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/converse/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    ]
)


def tool_use(name):
    return {"type": "tool_use", "id": name, "name": "look_up", "input": {"q": "x"}}


def thinking():
    return st.just({"type": "thinking", "thinking": "hm", "signature": "c2ln"})


@st.composite
def native_messages(draw, chance=0):
    """A conversation in Anthropic's shape."""
    messages = []
    calls = 0
    for _ in range(draw(st.integers(1, 4))):
        blocks = [text_block(chance), maybe_marked(image(), chance)]
        messages.append({"role": "user", "content": draw(content(blocks))})
        if draw(st.booleans()):
            number = draw(st.integers(1, 3))
            names = [f"toolu_{calls + index}" for index in range(number)]
            calls += number
            uses = [draw(maybe_marked(st.just(tool_use(name)), chance)) for name in names]
            opening = draw(st.lists(st.one_of(text_block(chance), thinking()), max_size=2))
            messages.append({"role": "assistant", "content": [*opening, *uses]})
            results = [
                draw(
                    maybe_marked(
                        st.just(
                            {
                                "type": "tool_result",
                                "tool_use_id": name,
                                "content": draw(content([text_block(0)])),
                            }
                        ),
                        chance,
                    )
                )
                for name in names
            ]
            messages.append({"role": "user", "content": results})
        messages.append({"role": "assistant", "content": draw(content([text_block(chance)]))})
    messages.append({"role": "user", "content": draw(content([text_block(chance)]))})
    return messages


@st.composite
def native_requests(draw, chance=0):
    """A request in Anthropic's shape."""
    request = {"model": draw(MODELS), "messages": draw(native_messages(chance)), "max_tokens": 16}
    if draw(st.booleans()):
        request["system"] = draw(content([text_block(chance)]))
    request["tools"] = [
        draw(
            maybe_marked(
                st.just(
                    {
                        "name": f"tool_{index}",
                        "description": draw(LONG),
                        "input_schema": {
                            "type": "object",
                            "properties": {"cache_control": {"type": "string"}},
                        },
                    }
                ),
                chance,
            )
        )
        for index in range(draw(st.integers(1, 3)))
    ]
    return draw(maybe_marked(st.just(request), 4 * chance))


def input_part(chance=0):
    text = texts().map(lambda words: {"type": "input_text", "text": words})
    picture = st.just({"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="})
    return maybe_marked(st.one_of(text, text, picture), chance)


@st.composite
def items(draw, chance=0):
    """The `input` of a request of the Responses API."""
    said = [input_part(chance)]
    given = [
        {"role": draw(st.sampled_from(["system", "developer"])), "content": draw(content(said))}
        for _ in range(draw(st.integers(0, 2)))
    ]
    calls = 0
    for _ in range(draw(st.integers(1, 4))):
        given.append(draw(maybe_marked(st.just({"role": "user", "content": draw(content(said))}), chance)))
        if draw(st.booleans()):
            names = [f"call_{calls + index}" for index in range(draw(st.integers(1, 3)))]
            calls += len(names)
            if draw(st.booleans()):
                given.append({"type": "reasoning", "id": "rs_1", "summary": []})
            made = {"type": "function_call", "name": "look_up", "arguments": "{}"}
            given += [draw(maybe_marked(st.just({**made, "call_id": name}), chance)) for name in names]
            for name in names:
                output = {"type": "function_call_output", "call_id": name, "output": draw(content(said))}
                given.append(draw(maybe_marked(st.just(output), chance)))
        if draw(st.booleans()):
            text = texts().map(lambda words: {"type": "output_text", "text": words})
            given.append({"role": "assistant", "content": draw(content([maybe_marked(text, chance)]))})
    given.append({"role": "user", "content": draw(content(said))})
    return given


@st.composite
def responses_requests(draw, chance=0):
    """A request of the Responses API."""
    model = draw(st.one_of(MODELS, st.sampled_from(["openai/gpt-5.6", "azure/gpt-5.6", "openai/gpt-4o"])))
    request = {"model": model, "input": draw(st.one_of(texts(), items(chance), items(chance), items(chance)))}
    if draw(st.booleans()):
        request["instructions"] = draw(LONG)
    if draw(st.booleans()):
        tool = {"type": "function", "name": "look_up", "description": draw(LONG), "parameters": {}}
        request["tools"] = [draw(maybe_marked(st.just(tool), chance))]
    return draw(maybe_marked(st.just(request), 4 * chance))


def requests(chance=0, *, objects=True):
    """A request in any shape."""
    return st.one_of(
        chat_requests(chance, objects=objects), native_requests(chance), responses_requests(chance)
    )


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "tool_calls", "cache_control", "function", "x"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@st.composite
def broken_requests(draw):
    """A request with missing and wrong-typed parts."""
    request = draw(requests(2))
    for name in draw(
        st.lists(
            st.sampled_from(["messages", "input", "instructions", "tools", "system", "model", "extra_body"]),
            max_size=2,
        )
    ):
        request[name] = draw(JUNK)
    area = "input" if "input" in request else "messages"
    if isinstance(request.get(area), list) and request[area]:
        place = draw(st.integers(0, len(request[area]) - 1))
        request[area] = [*request[area]]
        request[area][place] = draw(JUNK)
    return request
