"""An agent of eight turns through every plug-in: each turn reads exactly what the ones before it wrote."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import NamedTuple

import litellm
import pytest

from policy_cache import Engine
from policy_cache.emulator import serve
from policy_cache.integrations.litellm import Calls, PolicyCacheHandler, install
from tests.doubles import Provider, close_clients
from tests.wire.wire import Mark, marks

# Building litellm's types warns, the first time that a stream is read.
pytestmark = pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")

TURNS = 8
SYSTEM = "You look things up. " * 1_000
CLAUDE = "anthropic/claude-sonnet-4-5"
FIRST = "openrouter/anthropic/claude-sonnet-4.5"
POLICY = """
version: 1
name: agents
rules:
  - name: everywhere
    targets: [tools, system, messages.previous_turn, messages.last]
    action: {add_cache_control: {}}
"""
FUNCTION = {"name": "look_up", "description": "d", "parameters": {"type": "object", "properties": {}}}


class Cached(NamedTuple):
    """What a turn read from the cache and wrote to it, in tokens."""

    read: int
    written: int


@pytest.fixture
def claude():
    one = Provider()
    with serve(one) as address:
        one.address = address
        yield one


@pytest.fixture(params=[500, 429])
def failing(request):
    one = Provider("overloaded", status=request.param, about="")
    with serve(one) as address:
        one.address = address
        yield one


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


def conversation():
    """The messages of each turn: a question, then one tool call and its result after the other."""
    talk = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Find it."}]
    for turn in range(TURNS):
        yield list(talk)
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
        talk += [
            {"role": "assistant", "content": f"Look {turn}.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": f"Result {turn}. " * 50},
        ]


def requests(**target):
    tools = [{"type": "function", "function": FUNCTION}]
    return [{**target, "messages": talk, "tools": tools, "max_tokens": 16} for talk in conversation()]


def cached(usage):
    return Cached(usage.prompt_tokens_details.cached_tokens or 0, usage.cache_creation_input_tokens or 0)


STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def run(call, given, *, stream):
    """Every turn of an agent, one after the other."""
    if not stream:
        return [cached(call(**one).usage) for one in given]
    return [cached(list(call(**one, **STREAM))[-1].usage) for one in given]


def run_async(call, given, *, stream):
    async def turns():
        try:
            found = []
            for one in given:
                if stream:
                    chunks = [chunk async for chunk in await call(**one, **STREAM)]
                    found.append(cached(chunks[-1].usage))
                else:
                    found.append(cached((await call(**one)).usage))
            return found
        finally:
            await close_clients()

    return asyncio.run(turns())


def is_cached_from_turn_two_on(turns):
    """Whether each turn read what the one before it had read and written, and nothing else."""
    return (
        len(turns) == TURNS
        and turns[0].read == 0 < turns[0].written
        and all(later.read == sum(earlier) < sum(later) for earlier, later in pairwise(turns))
    )


def calls():
    return Calls(Engine.from_text(POLICY))


def installed():
    install(Engine.from_text(POLICY))
    return litellm


def handled():
    litellm.callbacks = [PolicyCacheHandler(Engine.from_text(POLICY))]
    return litellm


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("plug_in", [calls, installed])
def test_an_agent(claude, plug_in, stream):
    given = requests(model=CLAUDE, api_base=claude.address, api_key="k")
    assert is_cached_from_turn_two_on(run(plug_in().completion, given, stream=stream))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("plug_in", [calls, installed, handled])
def test_an_asynchronous_agent(claude, plug_in, stream):
    given = requests(model=CLAUDE, api_base=claude.address, api_key="k")
    assert is_cached_from_turn_two_on(run_async(plug_in().acompletion, given, stream=stream))


def router(failing, claude):
    """A router whose first provider fails, so that every turn falls back to Claude at its own provider."""
    first = {"model": FIRST, "api_base": f"{failing.address}/v1", "api_key": "k", "max_retries": 0}
    second = {"model": CLAUDE, "api_base": claude.address, "api_key": "k"}
    return litellm.Router(
        [
            {"model_name": "first", "litellm_params": first},
            {"model_name": "second", "litellm_params": second},
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
        allowed_fails=1_000,
        disable_cooldowns=True,
    )


def expected(turn, result):
    """The system prompt, and where the turn before ended and this one ends; the one tool is too short."""
    ends = ["Find it.", *(result(number) for number in range(turn))]
    return [Mark(SYSTEM, "5m"), *(Mark(end, "5m") for end in ends[-2:])]


def is_marked_for_its_own_route(failing, claude):
    """Whether each attempt was: a result's text block in OpenAI's shape, its `tool_result` in Anthropic's."""
    return [marks(body) for body in failing.requests] == [
        expected(turn, lambda number: f"Result {number}. " * 50) for turn in range(TURNS)
    ] and [marks(body) for body in claude.requests] == [
        expected(turn, lambda number: f"c{number}") for turn in range(TURNS)
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_a_router_that_falls_back(failing, claude, stream):
    installed()
    turns = run(router(failing, claude).completion, requests(model="first"), stream=stream)
    assert is_marked_for_its_own_route(failing, claude)
    assert is_cached_from_turn_two_on(turns)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("plug_in", [installed, handled])
def test_an_asynchronous_router_that_falls_back(failing, claude, plug_in, stream):
    plug_in()
    turns = run_async(router(failing, claude).acompletion, requests(model="first"), stream=stream)
    assert is_marked_for_its_own_route(failing, claude)
    assert is_cached_from_turn_two_on(turns)
