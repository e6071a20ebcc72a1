"""Every place where a client may put a marker, one by one, in the smallest request that has it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from policy_cache.request.location import value_at
from tests.wire.tags import PIXEL_TAG, TAG, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy_cache.request.location import Location

DIALECTS: dict[str, tuple[str, dict[str, str]]] = {
    "bare": ("cache_control", {"type": "ephemeral"}),
    "5m": ("cache_control", {"type": "ephemeral", "ttl": "5m"}),
    "1h": ("cache_control", {"type": "ephemeral", "ttl": "1h"}),
    "openai": ("prompt_cache_breakpoint", {"mode": "explicit"}),
}
"""How a client may write a marker: its member, and its value."""

PIXEL = "iVBORw0KGgo" + "A" + PIXEL_TAG


class Spot(NamedTuple):
    """A place for a marker.

    Attributes:
        name: What it is.
        request: A request that has it, without the marker.
        holder: What would carry the marker.
    """

    name: str
    request: dict[str, Any]
    holder: Location

    def marked(self, dialect: str) -> dict[str, Any]:
        """The request with a marker there."""
        key, marker = DIALECTS[dialect]
        request = copy.deepcopy(self.request)
        value_at(request, self.holder)[key] = dict(marker)
        return request


def text(words: str = TAG) -> dict[str, Any]:
    return {"type": "text", "text": words}


BLANK = {"type": "text", "text": " "}
EMPTY = {"type": "text", "text": ""}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
IMAGE_URL = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
TEXT_DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": TAG}}
DOCUMENT = {"type": "document", "source": {"type": "content", "content": [text(), text()]}}
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": f"JVBERi0x{PIXEL_TAG}"},
}
FILE = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,JVBERi0x{PIXEL_TAG}"}}
TOOL_REFERENCE = {"type": "tool_reference", "tool_name": "f"}
SEARCH_RESULT = {"type": "search_result", "source": "s", "title": "t", "content": [text(), text()]}
THINKING = {"type": "thinking", "thinking": TAG, "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": TAG}
UPLOAD = {"type": "container_upload", "file_id": TAG}
CODE = {"type": "code_execution_20250825", "tool_id": "srvtoolu_9"}


def schema() -> dict[str, Any]:
    return {"type": "object", "properties": {"cache_control": {"type": "string"}}}


def function(name: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": TAG, "parameters": schema()},
        **more,
    }


def tool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "description": TAG, "input_schema": schema(), **more}


def call(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "type": "function",
        "function": {"name": "f", "arguments": f'{{"q": "{TAG}"}}'},
        **more,
    }


def use(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "f", "input": {"q": TAG}, **more}


def result(name: str, content: Any = TAG, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": content, **more}


def answer(name: str, content: Any = TAG, **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": content, **more}


def user(content: Any = TAG, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def says(content: Any = TAG, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def system(content: Any = TAG, **more: Any) -> dict[str, Any]:
    return {"role": "system", "content": content, **more}


WEB_SEARCH = {"type": "web_search_20250305", "name": "web_search"}
COMPUTER = {"type": "computer_20250124", "name": "computer", "display_width_px": 9, "display_height_px": 9}
CHAT_COMPUTER = {
    "type": "computer_20250124",
    "function": {"name": "computer", "parameters": {"display_width_px": 9, "display_height_px": 9}},
}
CODE_TOOL = {"type": "code_execution_20250825", "name": "code_execution"}
TOOL_SEARCH = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
MCP = {
    "type": "mcp",
    "server_label": "m",
    "server_url": "https://mcp.example/sse",
    "require_approval": "never",
}
SERVER_TURN = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": TAG}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [{"type": "web_search_result", "url": "u", "title": TAG, "encrypted_content": "x"}],
    },
]
INPUT_IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}
INPUT_FILE = {
    "type": "input_file",
    "filename": "a.pdf",
    "file_data": f"data:application/pdf;base64,JVBERi0x{PIXEL_TAG}",
}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": TAG}]}


def input_text(words: str = TAG) -> dict[str, Any]:
    return {"type": "input_text", "text": words}


def output_text(words: str = TAG) -> dict[str, Any]:
    return {"type": "output_text", "text": words}


def flat(name: str, **more: Any) -> dict[str, Any]:
    """A tool of the Responses API."""
    return {"type": "function", "name": name, "description": TAG, "parameters": schema(), **more}


def item_call(name: str, *, custom: bool = False) -> dict[str, Any]:
    if custom:
        return {"type": "custom_tool_call", "call_id": name, "name": "patch", "input": TAG}
    return {"type": "function_call", "call_id": name, "name": "f", "arguments": f'{{"q": "{TAG}"}}'}


def item_output(name: str, output: Any = TAG, *, custom: bool = False) -> dict[str, Any]:
    kind = "custom_tool_call_output" if custom else "function_call_output"
    return {"type": kind, "call_id": name, "output": output}


MCP_TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "m"}


def _chat(*messages: dict[str, Any], tools: Any = "f", **more: Any) -> dict[str, Any]:
    given = {"messages": list(messages), "max_tokens": 16, **more}
    if tools == "f":
        tools = [function("f")]
    return {"tools": tools, **given} if tools else given


def chat_spots() -> Iterator[Spot]:
    """The places in OpenAI's shape."""
    for name, request, holder in (*_chat_spots(), *_silent_chat_spots(), *_calling_spots()):
        yield Spot(name, number(request), holder)


def runs() -> list[dict[str, Any]]:
    """The conversations of `_run_spots`, numbered."""
    return [number(request) for request in _run_spots()]


def _chat_spots() -> Iterator[tuple[str, dict[str, Any], Location]]:  # noqa: PLR0915, a list
    S = system()  # noqa: N806, it stands in every conversation
    plain = _chat(S, user(), says(), user())
    yield "request", plain, ()
    yield "extra_body", {**plain, "extra_body": {}}, ("extra_body",)
    # tools
    two = [function("f"), function("g")]
    yield "tool, last", _chat(S, user(), tools=two), ("tools", 1)
    yield "tool, first of two", _chat(S, user(), tools=two), ("tools", 0)
    yield "tool.function", _chat(S, user(), tools=two), ("tools", 1, "function")
    late = [function("f"), function("g", defer_loading=True)]
    yield "deferred tool", _chat(S, user(), tools=[*late, TOOL_SEARCH]), ("tools", 1)
    yield "deferred tool.function", _chat(S, user(), tools=[*late, TOOL_SEARCH]), ("tools", 1, "function")
    inner = function("g")
    inner["function"]["defer_loading"] = True
    yield "tool with function.defer_loading", _chat(S, user(), tools=[function("f"), inner]), ("tools", 1)
    for name, one in [
        ("Anthropic-shaped", tool("g")),
        ("Anthropic-shaped custom", tool("g", type="custom")),
        ("web_search", WEB_SEARCH),
        ("computer", CHAT_COMPUTER),
        ("code_execution", CODE_TOOL),
        ("tool_search", TOOL_SEARCH),
        ("mcp", MCP),
        ("mcp_toolset", MCP_TOOLSET),
    ]:
        yield f"tool, {name}", _chat(S, user(), tools=[function("f"), one]), ("tools", 1)
    # system
    yield "system text, message level", _chat(S, user()), ("messages", 0)
    yield "system list, message level", _chat(system([text(), text()]), user()), ("messages", 0)
    yield "system block, last", _chat(system([text(), text()]), user()), ("messages", 0, "content", 1)
    yield "system block, first of two", _chat(system([text(), text()]), user()), ("messages", 0, "content", 0)
    yield "system block, blank", _chat(system([text(), BLANK]), user()), ("messages", 0, "content", 1)
    yield "system block, empty", _chat(system([text(), EMPTY]), user()), ("messages", 0, "content", 1)
    yield "system blank text, message level", _chat(system(" "), user()), ("messages", 0)
    yield "second system text, message level", _chat(S, S, user()), ("messages", 1)
    yield "developer text, message level", _chat({**S, "role": "developer"}, user()), ("messages", 0)
    yield (
        "developer block",
        _chat({"role": "developer", "content": [text()]}, user()),
        ("messages", 0, "content", 0),
    )
    yield "`system` block, no system message", _chat(user(), system=[text(), text()]), ("system", 1)
    for silent in ("", [], [text("")], " ", [text(" ")]):
        yield (
            f"`system` block, beside a system message {silent!r}",
            _chat(system(silent), user(), system=[text()]),
            ("system", 0),
        )
    yield "`system` block, beside a system message", _chat(S, user(), system=[text()]), ("system", 0)
    # later system messages
    for role in ("system", "developer"):
        said, listed = {"role": role, "content": TAG}, {"role": role, "content": [text()]}
        yield (
            f"{role} mid, before user, message level",
            _chat(S, user(), says(), said, user()),
            ("messages", 3),
        )
        yield (
            f"{role} mid, before user, block",
            _chat(S, user(), says(), listed, user()),
            ("messages", 3, "content", 0),
        )
        yield (
            f"{role} mid, before assistant, message level",
            _chat(S, user(), said, says(), user()),
            ("messages", 2),
        )
        yield (
            f"{role} mid, before assistant, block",
            _chat(S, user(), listed, says(), user()),
            ("messages", 2, "content", 0),
        )
        yield f"{role} trailing, message level", _chat(S, user(), said), ("messages", 2)
        yield f"{role} trailing, block", _chat(S, user(), listed), ("messages", 2, "content", 0)
    gone = {**system([text()]), "clear_at": "turn_end"}
    yield "system trailing with clear_at, block", _chat(S, user(), gone), ("messages", 2, "content", 0)
    yield (
        "system trailing after a result, block",
        _chat(S, user(), says(None, tool_calls=[call("c")]), answer("c"), system([text()])),
        ("messages", 4, "content", 0),
    )
    # user
    yield "user text, message level", _chat(S, user()), ("messages", 1)
    yield "user list, message level", _chat(S, user([text(), text()])), ("messages", 1)
    yield "user blank text, message level", _chat(S, user(), says(), user(" ")), ("messages", 3)
    yield "user text block, last", _chat(S, user([text(), text()])), ("messages", 1, "content", 1)
    yield "user text block, first of two", _chat(S, user([text(), text()])), ("messages", 1, "content", 0)
    yield "user text block, blank", _chat(S, user([text(), BLANK])), ("messages", 1, "content", 1)
    yield "user text block, empty", _chat(S, user([text(), EMPTY])), ("messages", 1, "content", 1)
    yield (
        "user text block, before another user",
        _chat(S, user([text()]), user()),
        ("messages", 1, "content", 0),
    )
    for name, block in [
        ("image_url", IMAGE_URL),
        ("image", IMAGE),
        ("document of text", TEXT_DOCUMENT),
        ("document of content", DOCUMENT),
        ("document, pdf", PDF),
        ("file", FILE),
        ("search_result", SEARCH_RESULT),
        ("container_upload", UPLOAD),
        ("tool_result", result("c")),
    ]:
        yield f"user {name}", _chat(S, user([block, text()])), ("messages", 1, "content", 0)
    inside = ("messages", 1, "content", 0, "source", "content")
    yield "in a document's content, last", _chat(S, user([DOCUMENT, text()])), (*inside, 1)
    yield "in a document's content, first of two", _chat(S, user([DOCUMENT, text()])), (*inside, 0)
    # assistant
    yield "assistant text, message level", _chat(S, user(), says(), user()), ("messages", 2)
    yield "assistant list, message level", _chat(S, user(), says([text(), text()]), user()), ("messages", 2)
    yield "assistant single block", _chat(S, user(), says([text()]), user()), ("messages", 2, "content", 0)
    yield (
        "assistant block, last",
        _chat(S, user(), says([text(), text()]), user()),
        ("messages", 2, "content", 1),
    )
    yield (
        "assistant block, first of two",
        _chat(S, user(), says([text(), text()]), user()),
        ("messages", 2, "content", 0),
    )
    yield (
        "assistant block, blank",
        _chat(S, user(), says([text(), BLANK]), user()),
        ("messages", 2, "content", 1),
    )
    yield "assistant blank text, message level", _chat(S, user(), says(" "), user()), ("messages", 2)
    yield (
        "assistant block, then another assistant",
        _chat(S, user(), says([text()]), says(), user()),
        ("messages", 2, "content", 0),
    )
    yield (
        "assistant block, after another assistant",
        _chat(S, user(), says(), says([text()]), user()),
        ("messages", 3, "content", 0),
    )
    yield "assistant trailing block", _chat(S, user(), says([text()])), ("messages", 2, "content", 0)
    yield (
        "thinking_blocks",
        _chat(S, user(), says(thinking_blocks=[THINKING]), user()),
        ("messages", 2, "thinking_blocks", 0),
    )
    yield (
        "redacted in thinking_blocks",
        _chat(S, user(), says(thinking_blocks=[REDACTED]), user()),
        ("messages", 2, "thinking_blocks", 0),
    )
    yield (
        "thinking in content",
        _chat(S, user(), says([THINKING, text()]), user()),
        ("messages", 2, "content", 0),
    )
    yield (
        "assistant text with thinking_blocks, message level",
        _chat(S, user(), says(thinking_blocks=[THINKING]), user()),
        ("messages", 2),
    )
    yield (
        "assistant block with thinking_blocks",
        _chat(S, user(), says([text()], thinking_blocks=[THINKING]), user()),
        ("messages", 2, "content", 0),
    )
    yield (
        "tool_use in content",
        _chat(S, user(), says([text(), use("c")]), answer("c")),
        ("messages", 2, "content", 1),
    )
    # calls and results
    a, b = call("a"), call("b")
    for name, tools in (("", "f"), (", no tools", None)):
        yield (
            f"call, last{name}",
            _chat(S, user(), says(None, tool_calls=[a, b]), answer("a"), answer("b"), tools=tools),
            ("messages", 2, "tool_calls", 1),
        )
        yield (
            f"tool text, message level{name}",
            _chat(S, user(), says(None, tool_calls=[a]), answer("a"), tools=tools),
            ("messages", 3),
        )
        yield (
            f"tool block, last{name}",
            _chat(S, user(), says(None, tool_calls=[a]), answer("a", [text(), text()]), tools=tools),
            ("messages", 3, "content", 1),
        )
    answers = [answer("a"), answer("b")]
    calling = says(None, tool_calls=[a, b])
    blank = says([BLANK], tool_calls=[a, b])
    yield (
        "assistant block, blank, beside calls",
        _chat(S, user(), blank, *answers),
        ("messages", 2, "content", 0),
    )
    yield "call, first of two", _chat(S, user(), calling, *answers), ("messages", 2, "tool_calls", 0)
    yield "call.function", _chat(S, user(), calling, *answers), ("messages", 2, "tool_calls", 1, "function")
    yield (
        "call, of two with one id, second",
        _chat(S, user(), says(None, tool_calls=[a, a]), answer("a")),
        ("messages", 2, "tool_calls", 1),
    )
    yield (
        "call, of two with one id, first",
        _chat(S, user(), says(None, tool_calls=[a, a]), answer("a")),
        ("messages", 2, "tool_calls", 0),
    )
    yield (
        "call, srvtoolu_",
        _chat(S, user(), says(None, tool_calls=[call("srvtoolu_1")]), answer("srvtoolu_1")),
        ("messages", 2, "tool_calls", 0),
    )
    yield (
        "assistant text beside srvtoolu_ call, message level",
        _chat(S, user(), says(tool_calls=[call("srvtoolu_1")]), answer("srvtoolu_1")),
        ("messages", 2),
    )
    yield (
        "call with caller",
        _chat(S, user(), says(None, tool_calls=[call("a", caller=CODE)]), answer("a")),
        ("messages", 2, "tool_calls", 0),
    )
    yield (
        "tool message of a call with caller",
        _chat(S, user(), says(None, tool_calls=[call("a", caller=CODE)]), answer("a")),
        ("messages", 3),
    )
    yield (
        "assistant without content, with calls, message level",
        _chat(S, user(), calling, *answers),
        ("messages", 2),
    )
    yield (
        "assistant text with calls, message level",
        _chat(S, user(), says(tool_calls=[a]), answer("a")),
        ("messages", 2),
    )
    yield (
        "assistant block with calls",
        _chat(S, user(), says([text()], tool_calls=[a]), answer("a")),
        ("messages", 2, "content", 0),
    )
    yield (
        "assistant last of two blocks with calls",
        _chat(S, user(), says([text(), text()], tool_calls=[a]), answer("a")),
        ("messages", 2, "content", 1),
    )
    yield (
        "assistant first of two blocks with calls",
        _chat(S, user(), says([text(), text()], tool_calls=[a]), answer("a")),
        ("messages", 2, "content", 0),
    )
    asks = says(None, tool_calls=[a])
    yield "tool text, message level, first of two", _chat(S, user(), calling, *answers), ("messages", 3)
    yield "tool list, message level", _chat(S, user(), asks, answer("a", [text(), text()])), ("messages", 3)
    yield (
        "tool block, first of two",
        _chat(S, user(), asks, answer("a", [text(), text()])),
        ("messages", 3, "content", 0),
    )
    yield "tool block, single", _chat(S, user(), asks, answer("a", [text()])), ("messages", 3, "content", 0)
    for parts in ([text()], [text(), text()]):
        yield (
            f"tool list of {len(parts)}, message level, no tools",
            _chat(S, user(), asks, answer("a", parts), user(), tools=None),
            ("messages", 3),
        )
    yield "tool empty text, message level", _chat(S, user(), asks, answer("a", "")), ("messages", 3)
    yield (
        "tool block, blank",
        _chat(S, user(), asks, answer("a", [text(), BLANK])),
        ("messages", 3, "content", 1),
    )
    yield (
        "tool image_url",
        _chat(S, user(), asks, answer("a", [text(), IMAGE_URL])),
        ("messages", 3, "content", 1),
    )
    yield "tool document", _chat(S, user(), asks, answer("a", [TEXT_DOCUMENT])), ("messages", 3, "content", 0)
    yield (
        "tool document's nested block",
        _chat(S, user(), asks, answer("a", [DOCUMENT])),
        ("messages", 3, "content", 0, "source", "content", 1),
    )
    yield (
        "tool search_result",
        _chat(S, user(), asks, answer("a", [SEARCH_RESULT])),
        ("messages", 3, "content", 0),
    )
    yield (
        "tool search_result's nested block",
        _chat(S, user(), asks, answer("a", [SEARCH_RESULT])),
        ("messages", 3, "content", 0, "content", 1),
    )
    old = {"role": "function", "name": "f", "content": TAG}
    older = says(None, function_call={"name": "f", "arguments": f'{{"q": "{TAG}"}}'})
    yield "function text, message level", _chat(S, user(), older, old), ("messages", 3)
    yield (
        "function block",
        _chat(S, user(), older, {**old, "content": [text()]}),
        ("messages", 3, "content", 0),
    )
    yield "function_call", _chat(S, user(), older, old), ("messages", 2, "function_call")


def messages_spots() -> Iterator[Spot]:
    """The places in Anthropic's shape."""
    for name, request, holder in (*_messages_spots(), *_silent_messages_spots()):
        yield Spot(name, number(request), holder)


def _silent_chat_spots() -> Iterator[tuple[str, dict[str, Any], Location]]:
    """The places in texts that say nothing, and the request whose last turn is such a text."""
    yield from _between([system(), user()], ["", " ", None, [], [text("")], [text(" ")]])
    calling = {"tool_calls": [call("c")]}
    for words, said in (("", "empty"), (" ", "blank")):
        for turn, message, behind in [
            ("system", system(words), []),
            ("system later", system(words), []),
            ("user", user(words), []),
            ("assistant", says(words), []),
            ("assistant with thinking", says(words, thinking_blocks=[THINKING]), []),
            ("assistant with redacted thinking", says(words, thinking_blocks=[REDACTED]), []),
            ("assistant with calls", says(words, **calling), [answer("c")]),
        ]:
            first = [] if turn == "system" else [system(), user()]
            if turn == "user":
                first.append(says())
            at = ("messages", len(first))
            listed = {**message, "content": [text(words)]}
            several = {**message, "content": [text(), text(words)]}
            late = behind or [user()]
            yield f"{turn}, {said} text, message level", _chat(*first, message, *late), at
            yield f"{turn}, {said} block", _chat(*first, listed, *late), (*at, "content", 0)
            yield f"{turn}, {said} block behind another", _chat(*first, several, *late), (*at, "content", 1)
            if turn != "system" and not behind:
                yield f"request behind {turn}, {said} text", _chat(*first, message), ()
                yield f"request behind {turn}, {said} block", _chat(*first, listed), ()
        searched = says([*SERVER_TURN, text(words)])
        yield (
            f"assistant with server tools, {said} block",
            _chat(system(), user(), searched, user(), tools=[WEB_SEARCH]),
            ("messages", 2, "content", 2),
        )
        thought = says([THINKING, text(words)])
        at = ("messages", 2, "content", 1)
        yield (
            f"assistant with thinking in content, {said} block",
            _chat(system(), user(), thought, user()),
            at,
        )


def _calling_spots() -> Iterator[tuple[str, dict[str, Any], Location]]:
    """A block of an assistant's turn that litellm may merge with one that calls, with tools and without."""
    for tools in ("f", None):
        for ids in (("c",), ("c", "d"), ("c", "c")):
            for words in (TAG, "", [text(), text()]):
                calls = says(words, tool_calls=[call(name) for name in ids])
                answers = [answer(name) for name in sorted(set(ids))]
                for name, first in (("text", says()), ("block", says([text(), text()]))):
                    yield (
                        f"assistant {name}, then {words!r} with calls {'+'.join(ids)}, tools {tools}",
                        _chat(system(), user(), first, calls, *answers, user(), tools=tools),
                        ("messages", 2, "content", 0) if name == "block" else ("messages", 2),
                    )


def _run_spots() -> Iterator[dict[str, Any]]:
    """Conversations in which a run of marked messages meets one that cannot carry its marker as usual."""
    image = {"role": "user", "content": [IMAGE_URL, text("")]}
    yield _chat(system(TAG + " word" * 3_000), image, says(), user(), tools=None)
    for role in ("system", "developer"):
        for words in ("", " ", [], [text("")]):
            silent = {"role": role, "content": words}
            yield _chat(system(TAG + " word" * 3_000), silent, user(), says(), user(), tools=None)


def _between(first: list[dict[str, Any]], silent: Any) -> Iterator[tuple[str, dict[str, Any], Location]]:
    """A block of an assistant's turn that litellm may merge with the next one, across what says nothing."""
    for role in ("user", "assistant", "system"):
        for content in silent:
            between = {"role": role, "content": content}
            yield (
                f"assistant block, first of two, then {role} {content!r}, then another assistant",
                {"messages": [*first, says([text(), text()]), between, says(), user()], "max_tokens": 16},
                ("messages", len(first), "content", 0),
            )


def _silent_messages_spots() -> Iterator[tuple[str, dict[str, Any], Location]]:
    """The same in Anthropic's shape."""
    yield from _between([user()], ["", " ", [text("")], [text(" ")]])
    for words, said in (("", "empty"), (" ", "blank")):
        for turn, content in [
            ("user", []),
            ("assistant", []),
            ("assistant with thinking", [THINKING]),
            ("assistant with server tools", SERVER_TURN),
        ]:
            first = [user(), says()] if turn == "user" else [user()]
            make = user if turn == "user" else says
            listed = make([*content, text(words)])
            at = ("messages", len(first))
            tools = [WEB_SEARCH] if content is SERVER_TURN else "f"
            holder = (*at, "content", len(content))
            yield f"{turn}, {said} block", _native(*first, listed, user(), tools=tools), holder
            yield f"request behind {turn}, {said} block", _native(*first, listed, tools=tools), ()
            if not content:
                yield f"{turn}, {said} text, message level", _native(*first, make(words), user()), at
                yield f"request behind {turn}, {said} text", _native(*first, make(words)), ()
        for name, content in ("text", words), ("block", [text(words)]):
            yield f"request behind system trailing, {said} {name}", _native(user(), system(content)), ()


def _native(*messages: dict[str, Any], tools: Any = "f", **more: Any) -> dict[str, Any]:
    given = {"system": TAG, "messages": list(messages), "max_tokens": 16, **more}
    if tools == "f":
        tools = [tool("f")]
    return {"tools": tools, **given} if tools else given


def _messages_spots() -> Iterator[tuple[str, dict[str, Any], Location]]:  # noqa: PLR0915, a list
    plain = _native(user(), says(), user())
    yield "request", plain, ()
    yield "extra_body", {**plain, "extra_body": {}}, ("extra_body",)
    two = [tool("f"), tool("g")]
    yield "tool, last", _native(user(), tools=two), ("tools", 1)
    yield "tool, first of two", _native(user(), tools=two), ("tools", 0)
    yield (
        "deferred tool",
        _native(user(), tools=[tool("f"), tool("g", defer_loading=True), TOOL_SEARCH]),
        ("tools", 1),
    )
    for name, one in [
        ("custom", tool("g", type="custom")),
        ("web_search", WEB_SEARCH),
        ("computer", COMPUTER),
        ("code_execution", CODE_TOOL),
        ("tool_search", TOOL_SEARCH),
        ("mcp_toolset", MCP_TOOLSET),
    ]:
        more = (
            {"mcp_servers": [{"type": "url", "url": "https://m.example", "name": "m"}]}
            if one is MCP_TOOLSET
            else {}
        )
        yield f"tool, {name}", _native(user(), tools=[tool("f"), one], **more), ("tools", 1)
    listed = [text(), text()]
    yield "system block, last", _native(user(), system=listed), ("system", 1)
    yield "system block, first of two", _native(user(), system=listed), ("system", 0)
    yield "system block, single", _native(user(), system=[text()]), ("system", 0)
    yield "system block, blank", _native(user(), system=[text(), BLANK]), ("system", 1)
    yield "system block, empty", _native(user(), system=[text(), EMPTY]), ("system", 1)
    said = system([text()])
    yield (
        "system mid, before user, block",
        _native(user(), says(), said, user()),
        ("messages", 2, "content", 0),
    )
    yield (
        "system mid, before assistant, block",
        _native(user(), said, says(), user()),
        ("messages", 1, "content", 0),
    )
    yield (
        "system mid, before assistant, message level",
        _native(user(), system(), says(), user()),
        ("messages", 1),
    )
    yield "system trailing, block", _native(user(), said), ("messages", 1, "content", 0)
    yield (
        "system trailing with clear_at, block",
        _native(user(), {**said, "clear_at": "turn_end"}),
        ("messages", 1, "content", 0),
    )
    yield "user text, message level", _native(user()), ("messages", 0)
    yield "user list, message level", _native(user(listed)), ("messages", 0)
    yield "user text block, last", _native(user(listed)), ("messages", 0, "content", 1)
    yield "user text block, first of two", _native(user(listed)), ("messages", 0, "content", 0)
    yield "user text block, single", _native(user([text()])), ("messages", 0, "content", 0)
    yield "user text block, blank", _native(user([text(), BLANK])), ("messages", 0, "content", 1)
    yield "user text block, empty", _native(user([text(), EMPTY])), ("messages", 0, "content", 1)
    for name, block in [
        ("image", IMAGE),
        ("document of text", TEXT_DOCUMENT),
        ("document of content", DOCUMENT),
        ("document, pdf", PDF),
        ("search_result", SEARCH_RESULT),
        ("container_upload", UPLOAD),
    ]:
        yield f"user {name}", _native(user([block, text()])), ("messages", 0, "content", 0)
    inside = ("messages", 0, "content", 0)
    yield (
        "in a document's content, last",
        _native(user([DOCUMENT, text()])),
        (*inside, "source", "content", 1),
    )
    yield (
        "in a document's content, first of two",
        _native(user([DOCUMENT, text()])),
        (*inside, "source", "content", 0),
    )
    yield "in a search_result, last", _native(user([SEARCH_RESULT, text()])), (*inside, "content", 1)
    yield "in a search_result, first of two", _native(user([SEARCH_RESULT, text()])), (*inside, "content", 0)
    yield "assistant text, message level", _native(user(), says(), user()), ("messages", 1)
    yield "assistant single block", _native(user(), says([text()]), user()), ("messages", 1, "content", 0)
    yield "assistant block, last", _native(user(), says(listed), user()), ("messages", 1, "content", 1)
    yield (
        "assistant block, first of two",
        _native(user(), says(listed), user()),
        ("messages", 1, "content", 0),
    )
    yield (
        "assistant block, blank",
        _native(user(), says([text(), BLANK]), user()),
        ("messages", 1, "content", 1),
    )
    yield (
        "assistant block, then another assistant",
        _native(user(), says([text()]), says(), user()),
        ("messages", 1, "content", 0),
    )
    yield (
        "assistant block, after another assistant",
        _native(user(), says(), says([text()]), user()),
        ("messages", 2, "content", 0),
    )
    yield "assistant trailing block", _native(user(), says([text()])), ("messages", 1, "content", 0)
    yield "thinking", _native(user(), says([THINKING, text()]), user()), ("messages", 1, "content", 0)
    yield (
        "redacted_thinking",
        _native(user(), says([REDACTED, text()]), user()),
        ("messages", 1, "content", 0),
    )
    yield (
        "assistant text after thinking",
        _native(user(), says([THINKING, text()]), user()),
        ("messages", 1, "content", 1),
    )
    a, b = use("a"), use("b")
    for name, tools in (("", "f"), (", no tools", None)):
        yield (
            f"tool_use, last{name}",
            _native(user(), says([text(), a, b]), user([result("a"), result("b")]), tools=tools),
            ("messages", 1, "content", 2),
        )
        yield (
            f"tool_result, text{name}",
            _native(user(), says([a]), user([result("a")]), tools=tools),
            ("messages", 2, "content", 0),
        )
    yield (
        "tool_use, first of two",
        _native(user(), says([a, b]), user([result("a"), result("b")])),
        ("messages", 1, "content", 0),
    )
    yield (
        "assistant text before tool_use",
        _native(user(), says([text(), a]), user([result("a")])),
        ("messages", 1, "content", 0),
    )
    yield (
        "assistant first of two texts before tool_use",
        _native(user(), says([text(), text(), a]), user([result("a")])),
        ("messages", 1, "content", 0),
    )
    yield (
        "assistant text after tool_use",
        _native(user(), says([a, text()]), user([result("a")])),
        ("messages", 1, "content", 1),
    )
    yield (
        "tool_result, first of two",
        _native(user(), says([a, b]), user([result("a"), result("b")])),
        ("messages", 2, "content", 0),
    )
    yield (
        "tool_result, list",
        _native(user(), says([a]), user([result("a", listed)])),
        ("messages", 2, "content", 0),
    )
    yield (
        "tool_result, then text",
        _native(user(), says([a]), user([result("a"), text()])),
        ("messages", 2, "content", 0),
    )
    yield (
        "user text after tool_result",
        _native(user(), says([a]), user([result("a"), text()])),
        ("messages", 2, "content", 1),
    )
    at = ("messages", 2, "content", 0)
    yield (
        "in a tool_result, last",
        _native(user(), says([a]), user([result("a", listed)])),
        (*at, "content", 1),
    )
    yield (
        "in a tool_result, first of two",
        _native(user(), says([a]), user([result("a", listed)])),
        (*at, "content", 0),
    )
    yield (
        "in a tool_result, single",
        _native(user(), says([a]), user([result("a", [text()])])),
        (*at, "content", 0),
    )
    yield (
        "in a tool_result, blank",
        _native(user(), says([a]), user([result("a", [text(), BLANK])])),
        (*at, "content", 1),
    )
    yield (
        "in a tool_result, image",
        _native(user(), says([a]), user([result("a", [IMAGE])])),
        (*at, "content", 0),
    )
    yield (
        "in a tool_result, document",
        _native(user(), says([a]), user([result("a", [DOCUMENT])])),
        (*at, "content", 0),
    )
    yield (
        "in a document in a tool_result",
        _native(user(), says([a]), user([result("a", [DOCUMENT])])),
        (*at, "content", 0, "source", "content", 1),
    )
    yield (
        "in a search_result in a tool_result",
        _native(user(), says([a]), user([result("a", [SEARCH_RESULT])])),
        (*at, "content", 0, "content", 1),
    )
    yield "tool_result, empty", _native(user(), says([a]), user([result("a", "")])), at
    for words, parts in (
        ("a document", [TEXT_DOCUMENT]),
        ("a search_result", [SEARCH_RESULT]),
        ("a tool_reference", [TOOL_REFERENCE]),
        ("a text and a tool_reference", [text(), TOOL_REFERENCE]),
        ("a tool_reference and a text", [TOOL_REFERENCE, text()]),
        ("a text and a document", [text(), TEXT_DOCUMENT]),
    ):
        yield f"tool_result, {words}", _native(user(), says([a]), user([result("a", parts)])), at
    called = use("a", caller=CODE)
    yield (
        "tool_use with caller",
        _native(user(), says([called]), user([result("a")]), tools=[tool("f"), CODE_TOOL]),
        ("messages", 1, "content", 0),
    )
    yield (
        "tool_result of a call with caller",
        _native(user(), says([called]), user([result("a")]), tools=[tool("f"), CODE_TOOL]),
        at,
    )
    yield (
        "tool_use with direct caller",
        _native(user(), says([use("a", caller={"type": "direct"})]), user([result("a")])),
        ("messages", 1, "content", 0),
    )
    turn = [*SERVER_TURN, text()]
    yield (
        "server_tool_use",
        _native(user(), says(turn), user(), tools=[tool("f"), WEB_SEARCH]),
        ("messages", 1, "content", 0),
    )
    yield (
        "web_search_tool_result",
        _native(user(), says(turn), user(), tools=[tool("f"), WEB_SEARCH]),
        ("messages", 1, "content", 1),
    )
    yield (
        "text after a server tool",
        _native(user(), says(turn), user(), tools=[tool("f"), WEB_SEARCH]),
        ("messages", 1, "content", 2),
    )


def _responses(*items: Any, tools: Any = "f", **more: Any) -> dict[str, Any]:
    given = {"input": list(items), "max_output_tokens": 16, **more}
    if tools == "f":
        tools = [flat("f")]
    return {"tools": tools, **given} if tools else given


def responses_spots() -> Iterator[Spot]:
    """The places in the Responses API's shape."""
    for name, request, holder in _responses_spots():
        yield Spot(name, number(request), holder)


def _responses_spots() -> Iterator[tuple[str, dict[str, Any], Location]]:
    S = system()  # noqa: N806, it stands in every conversation
    plain = _responses(S, user(), says(), user())
    yield "request", plain, ()
    yield "extra_body", {**plain, "extra_body": {}}, ("extra_body",)
    yield "tool", plain, ("tools", 0)
    for role in ("system", "developer"):
        for name, content in _said("text", input_text):
            first = {"role": role, "content": content}
            for at in _parts(content, "content"):
                yield f"{role}, {name}", _responses(first, user(), says(), user()), ("input", 0, *at)
                yield f"{role} later, {name}", _responses(S, user(), says(), first, user()), ("input", 3, *at)
                beside = _responses(first, user(), instructions=TAG)
                yield f"{role} beside instructions, {name}", beside, ("input", 0, *at)
    asked = [
        *_said("text", input_text),
        ("image", [input_text(), INPUT_IMAGE]),
        ("file", [INPUT_FILE, input_text()]),
    ]
    for name, content in asked:
        for at in _parts(content, "content"):
            yield f"user, {name}", _responses(S, user(content), says(), user()), ("input", 1, *at)
            yield (
                f"user last, {name}",
                _responses(S, user(), says(), user(content), tools=None),
                ("input", 3, *at),
            )
    for custom in (False, True):
        call = item_call("c", custom=custom)
        kind = call["type"]
        yield kind, _responses(S, user(), call, item_output("c", custom=custom)), ("input", 2)
        for name, content in asked:
            output = item_output("c", content, custom=custom)
            for at in _parts(content, "output"):
                yield f"{output['type']}, {name}", _responses(S, user(), call, output), ("input", 3, *at)
                behind = _responses(S, user(), call, output, user(), tools=None)
                yield f"{output['type']} without tools, {name}", behind, ("input", 3, *at)
    yield "reasoning", _responses(S, user(), REASONING, says(), user()), ("input", 2)
    for name, content in _said("text", output_text):
        for at in _parts(content, "content"):
            yield f"assistant, {name}", _responses(S, user(), says(content), user()), ("input", 2, *at)


def _said(kind: str, part: Callable[..., dict[str, Any]]) -> list[tuple[str, Any]]:
    """What a message may say, by name: a text, and lists of texts, blank and empty ones among them."""
    return [
        (kind, TAG),
        (f"blank {kind}", " "),
        (f"empty {kind}", ""),
        ("block", [part()]),
        ("two blocks", [part(), part()]),
        ("blank block", [part(), part(" ")]),
        ("empty block", [part(""), part()]),
    ]


def _parts(content: Any, name: str) -> list[Location]:
    """An item itself, and each part of what it says."""
    return [(), *((name, index) for index in range(len(content) if isinstance(content, list) else 0))]
