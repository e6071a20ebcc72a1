"""What the provider refuses, in its own words."""

import pytest

from policy_cache.emulator.app import _parse
from policy_cache.emulator.errors import ApiError
from policy_cache.emulator.markers import check_markers
from policy_cache.emulator.schema import check_shape

from .bodies import HOUR, MARK, request, text, tool, user

SHORT = {"type": "ephemeral", "ttl": "5m"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. "
    "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
)


def marked(count, marker=MARK):
    return [text(f"block {n}", cache_control=marker) for n in range(count)]


def result(*nested):
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": list(nested)}


def without(name):
    body = request()
    del body[name]
    return body


MARKERS = [
    pytest.param(
        request(messages=[user(marked(5))]),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        id="E1",
    ),
    pytest.param(
        request(messages=[user([*marked(4), text("last")])], cache_control=MARK),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        id="E1, the automatic one included",
    ),
    pytest.param(
        request(
            tools=[tool(f"t{n}", cache_control=MARK) for n in range(3)],
            system=marked(2),
            messages=[user(marked(2))],
        ),
        "A maximum of 4 blocks with cache_control may be provided. Found 7.",
        id="E1, over all levels",
    ),
    pytest.param(
        request(messages=[user([*marked(1), *[text("x")] * 3, *marked(1, HOUR)])]),
        f"messages.0.content.4.cache_control.ttl: {ORDER}",
        id="E2",
    ),
    pytest.param(
        request(system=[text("a", cache_control=SHORT), text("b", cache_control=HOUR)]),
        f"system.1.cache_control.ttl: {ORDER}",
        id="E2, in the system prompt",
    ),
    pytest.param(
        request(tools=[tool("a", cache_control=MARK), tool("b"), tool("c"), tool("d", cache_control=HOUR)]),
        f"tools.3.cache_control.ttl: {ORDER}",
        id="E2, in the tools",
    ),
    pytest.param(
        request(tools=[tool("a", cache_control=MARK)], messages=[user(marked(1, HOUR))]),
        f"messages.0.content.0.cache_control.ttl: {ORDER}",
        id="E2, between levels",
    ),
    pytest.param(
        request(system=marked(1), cache_control=HOUR), f"cache_control.ttl: {ORDER}", id="E2, automatic"
    ),
    pytest.param(
        request(messages=[user([*[text("x")] * 6, text("", cache_control=MARK)])]),
        "messages.0.content.6.text: cache_control cannot be set for empty text blocks",
        id="E3",
    ),
    pytest.param(
        request(messages=[user("hi"), user([{**THINKING, "cache_control": MARK}], "assistant")]),
        "messages.1.content.0.thinking.cache_control: Extra inputs are not permitted",
        id="E4",
    ),
    pytest.param(
        request(
            messages=[user([{"type": "redacted_thinking", "data": "d", "cache_control": MARK}], "assistant")]
        ),
        "messages.0.content.0.redacted_thinking.cache_control: Extra inputs are not permitted",
        id="E4, redacted",
    ),
    pytest.param(
        request(tools=[tool("tool_1", defer_loading=True, cache_control=MARK)]),
        "Tool 'tool_1' cannot have both defer_loading=true and cache_control set. "
        "Tools with defer_loading cannot use prompt caching.",
        id="E5",
    ),
    pytest.param(
        request(messages=[user([result(text("a", cache_control=MARK), text("b"))])]),
        "invalid_cache: cache_control is not supported at messages.0.content.0.content.0.cache_control",
        id="E8",
    ),
    pytest.param(
        request(
            messages=[
                user(
                    [{"type": "document", "source": {"type": "content", "content": [*marked(1), text("b")]}}]
                )
            ]
        ),
        "invalid_cache: cache_control is not supported at "
        "messages.0.content.0.source.content.0.cache_control",
        id="E8, in a document",
    ),
    pytest.param(
        request(messages=[{**user("hi"), "cache_control": MARK}]),
        "messages.0.cache_control: Extra inputs are not permitted",
        id="on a message",
    ),
    pytest.param(
        request(messages=[user([text("hi", prompt_cache_breakpoint={"mode": "explicit"})])]),
        "messages.0.content.0.text.prompt_cache_breakpoint: Extra inputs are not permitted",
        id="OpenAI's",
    ),
    pytest.param(
        request(messages=[user(marked(1, SHORT))], cache_control=HOUR),
        "cache_control.ttl: ttl='1h' conflicts with the ttl='5m' cache_control of the last block",
        id="automatic, of another lifetime than the last block's",
    ),
    pytest.param(
        request(messages=[{**user(marked(1), "system"), "clear_at": "turn_end"}]),
        "messages.0.content.0: cache_control cannot be set in a system message with clear_at",
        id="for one turn only",
    ),
    pytest.param(
        request(messages=[user([{**result(), "caller": {"type": "code_execution"}, "cache_control": MARK}])]),
        "messages.0.content.0: cache_control cannot be set for a programmatic tool call",
        id="called by code",
    ),
    pytest.param(
        request(system=[text("s", cache_control={"type": "persistent"})]),
        "system.0.cache_control: Input tag 'persistent' found using 'type' does not match any of "
        "the expected tags: 'ephemeral'",
        id="type",
    ),
    pytest.param(
        request(messages=[user([text("s", cache_control={"ttl": "1h"})])]),
        "messages.0.content.0.text.cache_control: Unable to extract tag using discriminator 'type'",
        id="no type",
    ),
    pytest.param(
        request(tools=[tool("t", cache_control={"type": "ephemeral", "ttl": "2h"})]),
        "tools.0.custom.cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
        id="ttl",
    ),
    pytest.param(
        request(system=[text("a"), text("b", cache_control={"type": "ephemeral", "scope": "global"})]),
        "system.1.cache_control.ephemeral.scope: Extra inputs are not permitted",
        id="scope",
    ),
    pytest.param(
        request(system=[text("a", cache_control="yes")]),
        "system.0.cache_control: Input should be a valid dictionary or object to extract fields from",
        id="not an object",
    ),
]

SHAPES = [
    ([], "Input should be a valid dictionary"),
    (without("model"), "model: Field required"),
    (without("max_tokens"), "max_tokens: Field required"),
    (without("messages"), "messages: Field required"),
    (request(messages=[]), "messages: at least one message is required"),
    (request(messages="hi"), "messages: Input should be a valid list"),
    (request(messages=["hi"]), "messages.0: Input should be a valid dictionary"),
    (request(model=1), "model: Input should be a valid string"),
    (request(model=""), "model: String should have at least 1 character"),
    (request(max_tokens="9"), "max_tokens: Input should be a valid integer"),
    (request(max_tokens=True), "max_tokens: Input should be a valid integer"),
    (request(max_tokens=-1), "max_tokens: Input should be greater than or equal to 0"),
    (request(stream="yes"), "stream: Input should be a valid boolean"),
    (request(temperature="hot"), "temperature: Input should be a valid number"),
    (
        request(cache_control_injection_points=[]),
        "cache_control_injection_points: Extra inputs are not permitted",
    ),
    (request(messages=[{"content": "hi"}]), "messages.0.role: Field required"),
    (
        request(messages=[user("hi", "tool")]),
        "messages.0.role: Input should be 'user', 'assistant' or 'system'",
    ),
    (request(messages=[{"role": "user"}]), "messages.0.content: Field required"),
    (request(messages=[user(1)]), "messages.0.content: Input should be a valid list"),
    (request(messages=[user([{"text": "hi"}])]), "messages.0.content.0.type: Field required"),
    (request(messages=[user([{"type": "text"}])]), "messages.0.content.0.text.text: Field required"),
    (
        request(messages=[user([{"type": "tool_use", "id": "1", "name": "t", "input": "{}"}])]),
        "messages.0.content.0.tool_use.input: Input should be a valid dictionary",
    ),
    (
        request(messages=[user([result({"type": "text"})])]),
        "messages.0.content.0.tool_result.content.0.text.text: Field required",
    ),
    (request(system=1), "system: Input should be a valid list"),
    (request(system=[{"type": "image"}]), "system.0.type: Input should be 'text'"),
    (request(tools=[{"name": "t"}]), "tools.0.custom.input_schema: Field required"),
    (request(tools=[{"type": "custom", "input_schema": {}}]), "tools.0.custom.name: Field required"),
    (
        request(tool_choice={"type": "required"}),
        (
            "tool_choice: Input tag 'required' found using 'type' does not match any of the expected tags: "
            "'auto', 'any', 'tool', 'none'"
        ),
    ),
]


@pytest.mark.parametrize(("body", "message"), MARKERS)
def test_markers(client, body, message):
    response = client.post("/v1/messages", json=body)
    assert response.status_code == 400
    assert response.json()["error"] == {"type": "invalid_request_error", "message": message}


@pytest.mark.parametrize(("body", "message"), SHAPES, ids=[message for _, message in SHAPES])
def test_shapes(body, message):
    with pytest.raises(ApiError) as raised:
        check_shape(body)
    assert (raised.value.status, raised.value.message) == (400, message)


def test_an_unknown_block():
    with pytest.raises(ApiError, match=r"^messages\.0\.content\.0: Input tag 'image_url' found using 'type'"):
        check_shape(request(messages=[user([{"type": "image_url"}])]))


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000, b"1" * 5000])
def test_a_body_that_is_no_json(client, raw):
    response = client.post("/v1/messages", content=raw)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_body_that_is_no_json_is_called_so():
    with pytest.raises(ApiError, match=r"^The request body is not valid JSON: "):
        _parse(b"{")


@pytest.mark.parametrize(
    "fields",
    [
        {"stream": True},
        {"thinking": {"type": "enabled"}},
        {"output_config": {"format": {"type": "json_schema"}}},
        {"tool_choice": {"type": "any"}},
    ],
)
def test_what_prewarming_cannot_be_combined_with(client, fields):
    response = client.post("/v1/messages", json=request(max_tokens=0, **fields))
    assert response.status_code == 400
    assert response.json()["error"]["message"] == f"max_tokens: 0 cannot be combined with {_name(fields)}"


def _name(fields):
    (name,) = fields
    return "output_config.format" if name == "output_config" else name


ACCEPTED = [
    request(messages=[user(marked(4))]),
    request(messages=[user(marked(4))], cache_control=MARK),
    request(messages=[user([*marked(2, HOUR), *marked(2)])]),
    request(messages=[user([result(text("a"), text("b", cache_control=MARK))])]),
    request(messages=[user([text("hi", cache_control=None)])], cache_control=None),
    request(messages=[user("hi"), user([text("yes"), THINKING], "assistant")], cache_control=MARK),
    request(messages=[user([THINKING], "assistant")], cache_control=MARK),
    request(messages=[user([{**result(), "caller": {"type": "direct"}, "cache_control": MARK}])]),
    request(tools=[tool("t", defer_loading=True), {"type": "web_search_20250305", "name": "web_search"}]),
]


@pytest.mark.parametrize("body", ACCEPTED)
def test_what_is_accepted(body):
    check_markers(check_shape(body))


def test_the_scope_of_a_beta():
    body = request(system=[text("a", cache_control={"type": "ephemeral", "scope": "global"})])
    check_markers(body, betas=frozenset({"prompt-caching-scope-2026-01-05"}))
