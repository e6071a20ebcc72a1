"""litellm's Router keeps a client's marked prefix where it is warm, with an engine before litellm too."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import litellm
import pytest
from litellm.router_utils.pre_call_checks.prompt_caching_deployment_check import PromptCachingDeploymentCheck

from policy_cache import Engine
from policy_cache.emulator import serve
from policy_cache.integrations.litellm import PolicyCacheHandler, install
from tests.doubles import Provider, close_clients

MARKED = {"type": "text", "text": "word " * 3_000, "cache_control": {"type": "ephemeral"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
TURNS = 40


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


@pytest.fixture
def addresses():
    with ExitStack() as served:
        yield [served.enter_context(serve(Provider())) for _ in range(4)]


def turns():
    messages = [{"role": "system", "content": [MARKED]}, {"role": "user", "content": "Find it."}]
    for turn in range(TURNS):
        yield {"messages": list(messages), "tools": [TOOL], "max_tokens": 16}
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": f"Result {turn}. " * 100},
        ]


def handled():
    litellm.callbacks = [PolicyCacheHandler(Engine.default())]


def installed():
    install(Engine.default())


@pytest.mark.parametrize("plug_in", [handled, installed])
def test_a_client_that_marks_stays_with_its_deployment(addresses, plug_in, monkeypatch):
    plug_in()
    router = litellm.Router(
        model_list=[
            {
                "model_name": "claude",
                "litellm_params": {
                    "model": "anthropic/claude-sonnet-4-5",
                    "api_base": address,
                    "api_key": "k",
                },
                "model_info": {"id": address},
            }
            for address in addresses
        ],
        optional_pre_call_checks=["prompt_caching"],
    )

    # litellm notes the deployment of an answer behind the caller's back.
    [check] = [c for c in router.optional_callbacks if isinstance(c, PromptCachingDeploymentCheck)]
    note = check.async_log_success_event

    async def answers():
        noted = asyncio.Event()

        async def noting(*args, **named):
            await note(*args, **named)
            noted.set()

        monkeypatch.setattr(check, "async_log_success_event", noting)
        try:
            for turn in turns():
                noted.clear()
                answer = await router.acompletion(model="claude", **turn)
                await noted.wait()
                yield answer._hidden_params["model_id"], answer.usage.prompt_tokens_details.cached_tokens
        finally:
            await close_clients()

    async def listed():
        return [answer async for answer in answers()]

    deployments, reads = zip(*asyncio.run(listed()), strict=True)
    assert len(set(deployments)) == 1
    assert [read > 0 for read in reads] == [False] + [True] * (TURNS - 1)
