"""The wire check itself: what it finds, what it says was lost, and that nothing leaves the machine."""

from __future__ import annotations

import asyncio
import copy
import socket
import threading

import httpx
import pytest

from policy_cache import Engine
from policy_cache.integrations.litellm import WireError, check, wire
from policy_cache.integrations.litellm.capture import Caught, capture
from policy_cache.integrations.litellm.report import wire_report
from policy_cache.text.styled import plain as render
from tests.engine.requests import add, engine

MARKER = {"type": "ephemeral"}
LONG = "word " * 12_000


def request(model="anthropic/claude-sonnet-4-5", **more):
    messages = [
        {"role": "system", "content": f"SYSTEM {LONG}"},
        {"role": "user", "content": "QUESTION"},
        {"role": "assistant", "content": "ANSWER"},
        {"role": "user", "content": "LAST"},
    ]
    return {"model": model, "messages": messages, "max_tokens": 16, **more}


def found(checked):
    return [
        (fate.marker.at, [(place.call, place.location, place.ttl) for place in fate.places])
        for fate in checked.fates
    ]


def test_each_marker_with_its_rule_and_its_place():
    plan = engine(add("system", "1h"), add("messages.last")).plan(request())
    checked = check(plan)
    assert found(checked) == [
        (("messages", 0, "content", 0), [(0, ("system", 0), "1h")]),
        (("messages", 3, "content", 0), [(0, ("messages", 2, "content", 0), None)]),
    ]
    assert [fate.marker.source.rule for fate in checked.fates] == ["a", "b"]
    assert checked.wire.sent[-1].url == "https://api.anthropic.com/v1/messages"


def test_a_converse_cache_point_is_where_its_block_is():
    plan = engine(add("system, messages.last")).plan(
        request("bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    )
    assert [places for _, places in found(check(plan))] == [
        [(0, ("system", 0), None)],
        [(0, ("messages", 2, "content", 0), None)],
    ]


def test_a_run_is_one_place_in_the_cached_content():
    rule = """
version: 1
name: p
rules:
  - {name: r, match: {provider: gemini}, targets: [messages.last], action: {add_cache_control: {ttl: 1h}}}
"""
    checked = check(Engine.from_text(rule).plan(request("gemini/gemini-2.5-pro")))
    assert found(checked) == [(("messages", 1, "content", 0), [(1, ("contents", 0), "3600s")])]
    assert [one.method for one in checked.wire.sent] == ["GET", "POST", "POST"]


@pytest.mark.parametrize("places", [["block", "foreign"], ["tool", "function"]])
def test_two_markers_on_a_block_reach_the_provider_as_one_breakpoint(places):
    given = request()
    block = {"type": "text", "text": "Q", "cache_control": MARKER}
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    if "foreign" in places:
        block["prompt_cache_breakpoint"] = {"mode": "explicit"}
    else:
        tool |= {"cache_control": MARKER, "function": {**tool["function"], "cache_control": MARKER}}
        given["tools"] = [tool]
    given["messages"][1] = {"role": "user", "content": [block]}
    checked = check(Engine.from_text("version: 1\nname: none\nrules: []\n").plan(given))
    on_block = [(0, ("messages", 0, "content", 0), None)]
    on_tool = [(0, ("tools", 0), None)]
    expected = [on_block, []] if "foreign" in places else [on_tool, on_tool, on_block]
    assert [lost for _, lost in found(checked)] == expected


def test_a_marker_that_litellm_loses():
    given = request()
    given["messages"][1] = {
        "role": "user",
        "content": [{"type": "text", "text": "Q"}],
        "cache_control": MARKER,
    }
    [fate] = check(engine(add("tools")).plan(given)).fates
    assert (fate.marker.at, fate.marker.source, fate.places) == (("messages", 1), None, ())


def test_a_property_called_cache_control_is_no_marker():
    parameters = {"type": "object", "properties": {"cache_control": {"type": "string"}}}
    function = {"name": "f", "description": "d", "parameters": parameters}
    sent = wire(request(tools=[{"type": "function", "function": function}]))
    assert sent.markers == ()
    assert "cache_control" in str(sent.sent[-1].body["tools"])


def test_an_argument_called_cache_control_is_no_marker():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"cache_control": "x"}'}}
    given = request("gemini/gemini-2.5-pro")
    given["messages"] += [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ]
    sent = wire(given)
    assert sent.markers == ()
    assert "cache_control" in str(sent.sent[-1].body)


def test_a_block_in_a_tuple_is_a_block():
    given = request()
    block = {"type": "text", "text": f"SYSTEM {LONG}", "cache_control": MARKER}
    given["messages"][0] = {"role": "system", "content": (block,)}
    before = copy.deepcopy(given)
    [fate] = check(Engine.passing().plan(given)).fates
    assert [place.location for place in fate.places] == [("system", 0)]
    assert given == before


def test_the_request_stays_as_it_is():
    given = request("hosted_vllm/x")
    given["messages"][1]["content"] = [{"type": "text", "text": "Q", "cache_control": MARKER}]
    before = copy.deepcopy(given)
    wire(given)
    assert given == before


def test_no_key_of_the_caller_is_used():
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        from policy_cache.integrations.litellm import capture as module

        take = module._take
        patch.setattr(
            module, "_take", lambda caught, sent: seen.append(dict(sent.headers)) or take(caught, sent)
        )
        wire(request(api_key="sk-secret"))
    assert "sk-secret" not in str(seen)
    assert len(seen) == 1


def test_it_runs_beside_an_event_loop():
    async def inside():
        return wire(request()).sent[-1].method

    assert asyncio.run(inside()) == "POST"


def test_other_threads_go_where_they_always_go():
    answers = []
    server = httpx.MockTransport(lambda _: httpx.Response(204))

    def elsewhere():
        with httpx.Client(transport=server) as client:
            answers.append(client.get("https://elsewhere.example").status_code)
        real = httpx.HTTPTransport()
        try:
            real.handle_request(httpx.Request("GET", "http://127.0.0.1:9/"))
        except httpx.ConnectError:
            answers.append("went out")

    def call():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    assert capture(call) == []
    assert answers == [204, "went out"]


def test_transports_are_put_back():
    before = httpx.HTTPTransport.handle_request
    wire(request())
    assert httpx.HTTPTransport.handle_request is before


def test_what_litellm_refuses_is_said_without_the_prompt():
    with pytest.raises(WireError, match="litellm builds no body for this request: BadRequestError") as caught:
        wire({**request("nobody-knows-this"), "messages": [{"role": "user", "content": "SECRET"}]})
    assert "SECRET" not in str(caught.value)
    with pytest.raises(WireError, match="does not support parameters"):
        wire({**request(), "prompt_cache_key": "k"})


def test_a_catch_is_no_exception_that_litellm_could_retry():
    assert not issubclass(Caught, Exception)


@pytest.mark.parametrize(
    "model",
    [
        "anthropic/claude-sonnet-4-5",
        "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "vertex_ai/claude-sonnet-4-5@20250929",
        "gemini/gemini-2.5-pro",
    ],
)
@pytest.mark.parametrize("url", ["http://images.invalid/a.png", {"url": "https://images.invalid/a.png"}])
def test_no_image_is_fetched(model, url, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("a name was looked up"))
    given = request(model)
    given["messages"][1]["content"] = [{"type": "text", "text": "Q"}, {"type": "image_url", "image_url": url}]
    sent = wire(given)
    assert [one.method for one in sent.sent] == ["POST"]
    assert "images.invalid" not in str(sent.sent)


@pytest.mark.parametrize(
    "more",
    [
        {"max_retries": 2},
        {"acompletion": True},
        {"mock_response": "hi"},
        {"mock_tool_calls": []},
        {"mock_timeout": True},
        {"model_list": [{}]},
        {"logger_fn": threading.Lock()},
        {"fallbacks": ["gpt-4o"]},
    ],
)
def test_what_would_answer_or_retry_instead_is_left_out(more):
    assert wire(request(**more)).sent == wire(request()).sent


def test_what_cannot_be_copied_is_an_error_like_any_other():
    with pytest.raises(WireError, match="TypeError"):
        wire(request(timeout=threading.Lock()))


def test_nothing_is_printed(capsys):
    with pytest.raises(WireError):
        wire(request("x"))
    assert capsys.readouterr() == ("", "")


def test_no_secret_of_an_address_is_shown():
    plan = engine(add("system")).plan(
        request("openai/claude-x", api_base="https://user:sk-secret@proxy.example/v1?key=sk")
    )
    shown = render(wire_report(check(plan)))
    assert "POST https://proxy.example/v1" in shown
    assert "sk" not in shown.replace("task", "")
