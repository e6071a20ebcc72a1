"""Requests of every shape with every kind of block, each tagged, and a client's markers at any place."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from policy_cache.request.location import value_at
from tests.wire import spots
from tests.wire.spots import (
    DIALECTS,
    TAG,
    answer,
    call,
    function,
    result,
    says,
    system,
    text,
    tool,
    use,
    user,
)
from tests.wire.tags import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.request.location import Location

Any_ = dict[str, Any]

LONG = TAG + " word" * 3_000
"""More than the smallest prefix that any route caches."""

TEXTS = st.just(TAG)
BLANKS = st.sampled_from(["", " ", "\n"])
MOSTLY_TEXTS = st.integers(0, 9).flatmap(lambda chance: BLANKS if chance == 0 else TEXTS)


def listed(*blocks: st.SearchStrategy[Any_], most: int = 3) -> st.SearchStrategy[list[Any_]]:
    return st.lists(st.one_of(blocks), min_size=1, max_size=most).map(copy.deepcopy)


def text_blocks() -> st.SearchStrategy[Any_]:
    return MOSTLY_TEXTS.map(text)


def content(*blocks: st.SearchStrategy[Any_]) -> st.SearchStrategy[Any]:
    """A text, or a list of blocks."""
    return MOSTLY_TEXTS | listed(text_blocks(), *blocks)


def just(*blocks: Any_) -> st.SearchStrategy[Any_]:
    return st.sampled_from(blocks)


# OpenAI's shape.

CHAT_USER = {
    "image_url": spots.IMAGE_URL,
    "document of text": spots.TEXT_DOCUMENT,
    "document of content": spots.DOCUMENT,
    "document, pdf": spots.PDF,
    "file": spots.FILE,
}
CHAT_TOOLS = {
    "Anthropic-shaped": tool("own"),
    "web_search": spots.WEB_SEARCH,
    "computer": spots.CHAT_COMPUTER,
    "code_execution": spots.CODE_TOOL,
    "tool_search": spots.TOOL_SEARCH,
    "mcp": spots.MCP,
}
# litellm sends some results of tools without their content, or it elsewhere, so these have no tag in it.
CHAT_RESULTS = {
    "image_url": {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    "document": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
    "nested document": {"type": "document", "source": {"type": "content", "content": [text("d"), text("e")]}},
    "search_result": {
        "type": "search_result",
        "source": "s",
        "title": "t",
        "content": [text("d"), text("e")],
    },
}


def kinds(blocks: dict[str, Any_], prefix: str, without: frozenset[str]) -> list[st.SearchStrategy[Any_]]:
    """One of the blocks that litellm takes on a route, if it takes any."""
    kept = [block for name, block in blocks.items() if f"{prefix} {name}" not in without]
    return [just(*kept)] if kept else []


@st.composite
def chat_requests(draw: st.DrawFn, without: frozenset[str] = frozenset()) -> Any_:
    """A request in OpenAI's shape; `without` names the kinds that litellm refuses on the route."""
    said = content()
    messages: list[Any_] = []
    for _ in range(draw(st.integers(0, 2))):
        messages.append(  # noqa: PERF401, a draw each
            {"role": draw(st.sampled_from(["system", "system", "developer"])), "content": draw(said)}
        )
    calls = 0
    for _ in range(draw(st.integers(1, 4))):
        turn = draw(st.sampled_from(["user", "user", "agent", "agent", "assistant", "system", "developer"]))
        if turn == "user" or not any(message["role"] == "user" for message in messages):
            messages.append(user(draw(content(*kinds(CHAT_USER, "user", without)))))
        if turn in ("system", "developer"):
            later = {"role": turn, "content": draw(said)}
            messages.append({**later, "clear_at": "turn_end"} if draw(st.integers(0, 3)) == 0 else later)
        if turn in ("assistant", "agent"):
            message = says(draw(said))
            if draw(st.integers(0, 3)) == 0:
                message["thinking_blocks"] = [draw(just(spots.THINKING, spots.REDACTED))]
            if turn == "agent":
                number_of = draw(st.integers(1, 3))
                prefix = "srvtoolu_" if draw(st.integers(0, 9)) == 0 else "call_"
                names = [f"{prefix}{calls + index}" for index in range(number_of)]
                calls += number_of
                made = [call(name) for name in names]
                if draw(st.integers(0, 9)) == 0:
                    made.append(call(names[0]))
                if draw(st.integers(0, 9)) == 0:
                    made[0]["caller"] = dict(spots.CODE)
                message["tool_calls"] = made
                if draw(st.booleans()):
                    message["content"] = None
                messages.append(message)
                results = content(*kinds(CHAT_RESULTS, "tool", without))
                messages += [answer(name, draw(results)) for name in names]
            else:
                messages.append(message)
    request: Any_ = {"messages": messages, "max_tokens": 16}
    tools = [function(f"f{index}") for index in range(draw(st.integers(0, 3)))]
    if tools:
        tools[0]["function"]["description"] = LONG
        if draw(st.integers(0, 3)) == 0:
            tools[-1]["defer_loading"] = True
        for extra in kinds(CHAT_TOOLS, "tool,", without):
            if draw(st.integers(0, 3)) == 0:
                tools.append(draw(extra))  # noqa: PERF401, a draw each
        request["tools"] = tools
    else:
        messages[0]["content"] = LONG
    if "system parameter" not in without and draw(st.integers(0, 9)) == 0:
        request["system"] = draw(listed(text_blocks()))
    return finished(draw, request)


# Anthropic's shape.

NATIVE_USER = {
    "image": spots.IMAGE,
    "document of text": spots.TEXT_DOCUMENT,
    "document of content": spots.DOCUMENT,
    "document, pdf": spots.PDF,
    "search_result": spots.SEARCH_RESULT,
    "container_upload": spots.UPLOAD,
}
NATIVE_TOOLS = {
    "custom": tool("own", type="custom"),
    "web_search": spots.WEB_SEARCH,
    "computer": spots.COMPUTER,
    "code_execution": spots.CODE_TOOL,
    "tool_search": spots.TOOL_SEARCH,
}
NATIVE_RESULTS = {
    "image": spots.IMAGE,
    "document": spots.TEXT_DOCUMENT,
    "nested document": spots.DOCUMENT,
    "search_result": spots.SEARCH_RESULT,
    "tool_reference": spots.TOOL_REFERENCE,
}


@st.composite
def native_requests(draw: st.DrawFn, without: frozenset[str] = frozenset()) -> Any_:
    """A request in Anthropic's shape."""
    said = content()
    thoughts = just(spots.THINKING, spots.REDACTED)
    messages = [user(draw(content(*kinds(NATIVE_USER, "user", without))))]
    calls = 0
    for _ in range(draw(st.integers(0, 4))):
        turn = draw(st.sampled_from(["user", "agent", "agent", "assistant", "server", "system"]))
        if turn == "user":
            messages.append(user(draw(content(*kinds(NATIVE_USER, "user", without)))))
        elif turn == "system":
            later = system(draw(said))
            messages.append({**later, "clear_at": "turn_end"} if draw(st.booleans()) else later)
        elif turn == "assistant":
            messages.append(says(draw(said | st.tuples(thoughts, text_blocks()).map(list))))
        elif turn == "server" and "server_tool_use" not in without:
            messages.append(says(copy.deepcopy([*spots.SERVER_TURN, *draw(listed(text_blocks(), most=2))])))
        else:
            number_of = draw(st.integers(1, 3))
            names = [f"toolu_{calls + index}" for index in range(number_of)]
            calls += number_of
            by_code = draw(st.integers(0, 3)) == 0
            uses = [use(name, caller=dict(spots.CODE)) if by_code else use(name) for name in names]
            opening = draw(st.lists(thoughts | text_blocks(), max_size=2).map(copy.deepcopy))
            messages.append(says([*opening, *uses]))
            results = content(*kinds(NATIVE_RESULTS, "in a tool_result,", without))
            blocks = [result(name, draw(results)) for name in names]
            messages.append(user([*blocks, *draw(st.lists(text_blocks(), max_size=1))]))
    request: Any_ = {"messages": messages, "max_tokens": 16}
    if draw(st.booleans()):
        request["system"] = draw(said)
    tools = [tool(f"f{index}") for index in range(draw(st.integers(0, 3)))]
    if tools:
        tools[0]["description"] = LONG
        if draw(st.integers(0, 3)) == 0:
            tools[-1]["defer_loading"] = True
        for extra in kinds(NATIVE_TOOLS, "tool,", without):
            if draw(st.integers(0, 3)) == 0:
                tools.append(draw(extra))  # noqa: PERF401, a draw each
        request["tools"] = tools
    else:
        request["system"] = LONG
    return finished(draw, request)


# The Responses API's shape.

RESPONSES_USER = {"image": spots.INPUT_IMAGE, "file": spots.INPUT_FILE}
RESPONSES_TOOLS = {
    "custom": {"type": "custom", "name": "patch", "description": TAG},
    "web_search": {"type": "web_search"},
}


def input_texts() -> st.SearchStrategy[Any_]:
    return MOSTLY_TEXTS.map(spots.input_text)


@st.composite
def responses_requests(draw: st.DrawFn, without: frozenset[str] = frozenset()) -> Any_:
    """A request of the Responses API."""
    parts = [input_texts(), *kinds(RESPONSES_USER, "user", without)]
    said = MOSTLY_TEXTS | listed(input_texts())
    asked = MOSTLY_TEXTS | listed(*parts)
    items: list[Any_] = []
    for _ in range(draw(st.integers(0, 2))):
        items.append(  # noqa: PERF401, a draw each
            {"role": draw(st.sampled_from(["system", "developer"])), "content": draw(said)}
        )
    calls = 0
    for _ in range(draw(st.integers(1, 4))):
        turn = draw(st.sampled_from(["user", "user", "agent", "agent", "assistant", "system", "developer"]))
        if turn == "user" or not any(item.get("role") == "user" for item in items):
            typed = {"type": "message"} if draw(st.booleans()) else {}
            items.append({**typed, **user(draw(asked))})
        if turn in ("system", "developer"):
            items.append({"role": turn, "content": draw(said)})
        if turn in ("assistant", "agent"):
            if draw(st.integers(0, 2)) == 0:
                items.append(copy.deepcopy(spots.REASONING))
            if turn == "assistant" or draw(st.booleans()):
                items.append(says(draw(TEXTS | listed(TEXTS.map(spots.output_text)))))
        if turn == "agent":
            names = [f"call_{calls + index}" for index in range(draw(st.integers(1, 3)))]
            calls += len(names)
            custom = "custom" not in without and draw(st.integers(0, 4)) == 0
            items += [spots.item_call(name, custom=custom) for name in names]
            items += [spots.item_output(name, draw(asked), custom=custom) for name in names]
    request: Any_ = {"input": items, "max_output_tokens": 16}
    if draw(st.booleans()):
        request["instructions"] = TAG
    tools = [spots.flat(f"f{index}") for index in range(draw(st.integers(0, 3)))]
    if tools:
        tools[0]["description"] = LONG
        for extra in kinds(RESPONSES_TOOLS, "tool,", without):
            if draw(st.integers(0, 3)) == 0:
                tools.append(draw(extra))  # noqa: PERF401, a draw each
        request["tools"] = copy.deepcopy(tools)
    else:
        request["instructions"] = LONG
    if draw(st.integers(0, 19)) == 0:
        request["input"] = TAG
    return finished(draw, request)


# A client's markers.


def finished(draw: st.DrawFn, request: Any_) -> Any_:
    """The request with its tags counted, and with a client's markers in half of the cases."""
    request = number(copy.deepcopy(request))
    if draw(st.booleans()):
        return request
    if draw(st.integers(0, 9)) == 0:
        request["extra_body"] = {}
    places = list(carriers(request))
    marked: set[Location] = set()
    for at in draw(st.lists(st.sampled_from(places), min_size=1, max_size=4)):
        # Of two TTLs on one block, which counts is nobody's promise.
        block = at[:4] if at[:1] in _AREAS and not _is_whole(request, at) else at[:2]
        if () in marked or (marked and block in {(), ("extra_body",)}):
            continue
        if any(block[: len(other)] == other or other[: len(block)] == block for other in marked):
            continue
        marked.add(() if block == ("extra_body",) else block)
        key, marker = DIALECTS[draw(st.sampled_from(sorted(DIALECTS)))]
        value_at(request, at)[key] = dict(marker)
    return request


_AREAS = (("messages",), ("input",))
_NESTING = (
    "tools",
    "function",
    "system",
    "messages",
    "input",
    "content",
    "output",
    "source",
    "tool_calls",
    "thinking_blocks",
    "extra_body",
)


def carriers(value: Any, at: Location = ()) -> Iterator[Location]:
    """Where a marker may stand: the request, tools, messages, calls and blocks, nested ones too."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from carriers(item, (*at, index))
    elif isinstance(value, dict):
        if at == () or at[-1] != "source":
            yield at
        for name in _NESTING:
            if name in value:
                yield from carriers(value[name], (*at, name))


def requests(shape: str, without: frozenset[str] = frozenset()) -> st.SearchStrategy[Any_]:
    made = {"chat": chat_requests, "messages": native_requests, "responses": responses_requests}
    return made[shape](without)


def _is_whole(request: dict[str, Any], at: Location) -> bool:
    """Whether a place is a message, or in the result of a tool, which carries one marker as a whole."""
    return len(at) < 4 or request[at[0]][at[1]].get("role") in ("tool", "function")
