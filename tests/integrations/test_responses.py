"""An agent on OpenAI's Responses API through every plug-in: its reads grow from the second turn on."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import litellm
import pytest

from policy_cache import Engine
from policy_cache.emulator import serve
from policy_cache.integrations.litellm import Calls, PolicyCacheHandler, install
from tests.doubles import OpenAIProvider, Provider, close_clients

pytestmark = pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")

TURNS = 6
INSTRUCTIONS = "You look things up. " * 1_000
CLAUDE, GPT = "anthropic/claude-sonnet-4-5", "openai/gpt-5.6"
TOOL = {"type": "function", "name": "look_up", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


@pytest.fixture
def claude():
    provider = Provider()
    with serve(provider) as address:
        provider.target = {"model": CLAUDE, "api_base": address, "api_key": "k"}
        yield provider


@pytest.fixture
def openai(monkeypatch):
    provider = OpenAIProvider()
    with serve(provider) as address:
        # Behind an `api_base` of its own, a server would not be taken for OpenAI's.
        monkeypatch.setenv("OPENAI_BASE_URL", f"{address}/v1")
        provider.target = {"model": GPT, "api_key": "k"}
        yield provider


@pytest.fixture(params=["claude", "openai"])
def provider(request):
    return request.getfixturevalue(request.param)


def turns():
    """The items of each turn: a question, then one call and its output after the other."""
    items = [{"role": "developer", "content": "Be brief. " * 500}, {"role": "user", "content": "Find it."}]
    for turn in range(TURNS):
        yield list(items)
        call = {"type": "function_call", "call_id": f"c{turn}", "name": "look_up", "arguments": "{}"}
        output = {"type": "function_call_output", "call_id": f"c{turn}", "output": f"Result {turn}. " * 400}
        items += [call, output]


def requests(target):
    common = {**target, "instructions": INSTRUCTIONS, "tools": [TOOL], "max_output_tokens": 16}
    return [{**common, "input": items} for items in turns()]


def read(response):
    return response.usage.input_tokens_details.cached_tokens or 0


def last(events):
    return next(event.response for event in reversed(events) if event.type == "response.completed")


def run(call, given, *, stream):
    if stream:
        return [read(last([*call(**request, stream=True)])) for request in given]
    return [read(call(**request)) for request in given]


def run_async(call, given, *, stream):
    async def reads():
        try:
            answers = []
            for request in given:
                if stream:
                    answers.append(last([event async for event in await call(**request, stream=True)]))
                else:
                    answers.append(await call(**request))
            return [read(answer) for answer in answers]
        finally:
            await close_clients()

    return asyncio.run(reads())


def grow(reads):
    return reads[0] == 0 and all(later > earlier for earlier, later in pairwise(reads))


def installed():
    install(Engine.default())
    return litellm


def handled():
    litellm.callbacks = [PolicyCacheHandler(Engine.default())]
    return litellm


def calls():
    return Calls(Engine.default())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("plug_in", [calls, installed])
def test_an_agent(provider, plug_in, stream):
    reads = run(plug_in().responses, requests(provider.target), stream=stream)
    assert grow(reads), reads


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("plug_in", [calls, installed, handled])
def test_an_asynchronous_agent(provider, plug_in, stream):
    reads = run_async(plug_in().aresponses, requests(provider.target), stream=stream)
    assert grow(reads), reads


def test_a_synchronous_call_passes_no_handler(claude):
    handled()
    assert run(litellm.responses, requests(claude.target)[:2], stream=False) == [0, 0]
    assert not any("cache_control" in str(body) for body in claude.requests)


def breakpoints(body):
    """Where a body has its breakpoints."""
    return [
        (index, name)
        for index, item in enumerate(body["input"])
        for name in ("content", "output")
        if isinstance(item.get(name), list)
        if any("prompt_cache_breakpoint" in part for part in item[name])
    ]


@pytest.mark.parametrize("plug_in", [calls, installed, handled])
def test_openai_gets_its_own_breakpoints(openai, plug_in):
    run_async(plug_in().aresponses, requests(openai.target), stream=False)
    system, question = (0, "content"), (1, "content")
    assert [breakpoints(body) for body in openai.requests] == [
        [system, question],
        [system, question, (3, "output")],
        *([system, (1 + 2 * turn, "output"), (3 + 2 * turn, "output")] for turn in range(1, TURNS - 1)),
    ]


@pytest.mark.parametrize("plug_in", [installed, handled])
def test_the_instructions_of_a_chat_request_to_be_are_marked(claude, plug_in):
    given = [{**request, "input": request["input"][1:]} for request in requests(claude.target)[:2]]
    run_async(plug_in().aresponses, given, stream=False)
    for body in claude.requests:
        assert body["system"] == [
            {"type": "text", "text": INSTRUCTIONS, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
        ]


def test_both_of_a_codex_and_a_claude_code_read_their_caches_in_one_process(claude, openai):
    install(Engine.default())
    reads = run_async(litellm.aresponses, requests(openai.target), stream=False)
    assert grow(reads), reads
    assert grow(asyncio.run(claude_code(claude.target))), "anthropic_messages"


async def claude_code(target):
    """What each turn of an agent of Anthropic's shape reads."""
    messages = [{"role": "user", "content": "Find it."}]
    tool = {"name": "look_up", "input_schema": TOOL["parameters"]}
    reads = []
    for turn in range(TURNS):
        answer = await litellm.anthropic_messages(
            **target, system=INSTRUCTIONS, tools=[tool], max_tokens=16, messages=messages
        )
        reads.append(answer["usage"]["cache_read_input_tokens"])
        use = {"type": "tool_use", "id": f"c{turn}", "name": "look_up", "input": {}}
        result = {"type": "tool_result", "tool_use_id": f"c{turn}", "content": f"Result {turn}. " * 400}
        messages = [
            *messages,
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ]
    await close_clients()
    return reads
