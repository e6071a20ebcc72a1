"""What a plug-in may be called with, or find around it, that no litellm of today does."""

from __future__ import annotations

import asyncio
import logging

import litellm
import pytest
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from policy_cache import Engine
from policy_cache.emulator import serve
from policy_cache.integrations.litellm import Calls, PolicyCacheHandler, install
from policy_cache.integrations.litellm.answers import expect_from
from policy_cache.integrations.litellm.rewriting import Rewriting
from policy_cache.usage.ledger import Ledger
from tests.doubles import Provider, close_clients

MODEL = "anthropic/claude-sonnet-4-5"
POLICY = "version: 1\nname: p\nrules:\n  - {name: r, targets: [system], action: {add_cache_control: {}}}\n"


@pytest.fixture
def provider():
    one = Provider()
    with serve(one) as address:
        one.address = address
        yield one


@pytest.fixture
def said(caplog):
    """What policy-cache logged at WARNING or above."""
    caplog.set_level(logging.WARNING, "policy_cache")
    return lambda: [record.message for record in caplog.records if record.name == "policy_cache"]


def request(**more):
    talk = [{"role": "system", "content": "SECRET " * 4_000}, {"role": "user", "content": "q"}]
    return {"model": MODEL, "messages": talk, "max_tokens": 9, "api_key": "k", **more}


@pytest.mark.parametrize("given", [None, 3])
def test_a_hook_is_called_with_no_request(given, said):
    handler = PolicyCacheHandler(Engine.from_text(POLICY))
    for _ in range(3):
        assert asyncio.run(handler.async_pre_call_deployment_hook(given, "acompletion")) is None
    assert handler.rewriting.faults == {"TypeError": 3}
    assert said() == ["a request was passed on unchanged after TypeError (logged once)"]


@pytest.mark.parametrize("given", [[], {}, {"messages": []}, {"messages": 3, "model": 3}, {"model": MODEL}])
def test_a_hook_is_called_with_a_request_that_nothing_can_be_done_with(given):
    engine = Engine.from_text(POLICY)
    handler = PolicyCacheHandler(engine)
    assert asyncio.run(handler.async_pre_call_deployment_hook(given, "acompletion")) is None
    assert handler.rewriting.faults == {}
    assert set(engine.failures) <= {"RequestError"}


def test_hooks_are_told_more_than_today():
    handler = PolicyCacheHandler(Engine.from_text(POLICY))
    call = handler.async_pre_call_deployment_hook(request(), "acompletion", "more", surprise=1)
    assert asyncio.run(call)["messages"][0]["content"][0]["cache_control"]
    asyncio.run(handler.async_log_success_event({}, None, None, None, "more", surprise=1))
    handler.log_success_event({}, None, None, None, "more", surprise=1)
    asyncio.run(handler.async_log_failure_event({}, None, None, None, "more", surprise=1))
    assert handler.rewriting.faults == {}


@pytest.mark.parametrize("hook", ["async_log_success_event", "async_log_failure_event"])
def test_an_event_without_the_calls_arguments_is_raised_to_nobody_but_litellm(hook, provider, said):
    """litellm tells callbacks from a task of its own, which takes whatever they raise."""
    handler = PolicyCacheHandler(Engine.from_text(POLICY))
    litellm.callbacks = [handler]

    async def answered():
        answer = await litellm.acompletion(**request(api_base=provider.address))
        await GLOBAL_LOGGING_WORKER.flush()
        await getattr(handler, hook)({"litellm_call_id": ["odd"], "exception": "odd"}, object(), None, None)
        await close_clients()
        return answer

    assert asyncio.run(answered()).choices
    assert handler.rewriting.faults == {}
    assert said() == []


@pytest.mark.parametrize("plug_in", ["calls", "installed", "handled"])
def test_event_loops_that_come_and_go(provider, plug_in, said):
    engine = Engine.from_text(POLICY)
    target = litellm
    if plug_in == "calls":
        target = Calls(engine)
    elif plug_in == "installed":
        install(engine)
    else:
        litellm.callbacks = [PolicyCacheHandler(engine)]

    async def once():
        answer = await target.acompletion(**request(api_base=provider.address))
        await close_clients()
        return answer

    assert all(asyncio.run(once()).choices for _ in range(3))  # each in a loop that is then closed
    assert provider.marked == [True] * 3
    assert said() == []


def test_two_handlers_mark_and_count_once(provider):
    ledger = Ledger()
    handlers = [PolicyCacheHandler(Engine.from_text(POLICY), ledger=ledger) for _ in range(2)]
    litellm.callbacks = handlers

    async def once():
        await litellm.acompletion(**request(api_base=provider.address))
        await GLOBAL_LOGGING_WORKER.flush()
        await close_clients()

    asyncio.run(once())
    assert provider.bodies[0].count("cache_control") == 1
    assert ledger.snapshot()["models"][MODEL]["requests"] == 1
    assert [handler.rewriting.faults for handler in handlers] == [{}, {}]


@pytest.mark.parametrize("callbacks", [None, 3])
def test_a_list_of_callbacks_that_is_none(callbacks, monkeypatch, said):
    monkeypatch.setattr(litellm, "callbacks", callbacks)
    rewriting = Rewriting(Engine.from_text(POLICY))
    for _ in range(3):
        expect_from(rewriting, request())
    assert rewriting.faults == {"TypeError": 3}
    assert said() == ["an answer will not be accounted for after TypeError (logged once)"]
