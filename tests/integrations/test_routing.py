"""A Router keeps conversations where they are warm, and loses no request for it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from types import MappingProxyType

import litellm
import pytest

from benchmarks.routing import Deployment, run, settled
from policy_cache import Engine
from policy_cache.emulator import serve
from policy_cache.integrations.litellm import PolicyCacheHandler, PreferWarm
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Warmth
from tests.doubles import close_clients

LONG = "word " * 3_000
CONVERSATION = {
    "messages": [
        {"role": "system", "content": LONG},
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "and?"},
    ]
}


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


def test_conversations_stay_where_they_are_warm():
    conversations = 20
    without, kept = (run(conversations, keeps=keeps, fails=False) for keeps in (False, True))
    assert (without.lost, kept.lost) == (0, 0)
    # Where a conversation begins is the Router's own choice, at random.
    assert kept.warm == kept.later == without.later > without.warm


FROM_THE_FIRST_TURN = """
version: 1
name: routed
rules:
  - {name: prefix, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
CALLS = {
    "chat": lambda router, talk: router.acompletion("claude", [SYSTEM, *talk], max_tokens=16),
    "messages": lambda router, talk: router.aanthropic_messages(
        model="claude", system=LONG, messages=talk, max_tokens=16
    ),
    "responses": lambda router, talk: router.aresponses(
        model="claude", instructions=LONG, input=talk, max_output_tokens=16
    ),
}
SYSTEM = {"role": "system", "content": LONG}


@pytest.mark.parametrize("shape", CALLS)
def test_a_conversation_of_every_shape_stays_and_is_quoted_to_the_token(shape, monkeypatch):
    engine = Engine.from_text(FROM_THE_FIRST_TURN)
    warmth = Warmth(engine)
    monkeypatch.setattr(litellm, "callbacks", [PolicyCacheHandler(engine, warmth=warmth), PreferWarm(warmth)])
    quoted = []

    def quote(*asked, own=warmth.quote):
        quoted.append(own(*asked))
        return quoted[-1]

    monkeypatch.setattr(warmth, "quote", quote)
    with ExitStack() as served:
        providers = [Deployment() for _ in range(3)]
        models = [
            {
                "model": "anthropic/claude-sonnet-4-5",
                "api_base": served.enter_context(serve(one)),
                "api_key": "a",
            }
            for one in providers
        ]
        router = litellm.Router([{"model_name": "claude", "litellm_params": params} for params in models])
        usages = asyncio.run(talked(router, CALLS[shape]))
    assert sorted(one.requests for one in providers) == [0, 0, 5]
    reads = [max(quote.tokens.read for quote in quotes) for quotes in quoted]
    assert reads == [usage.read for usage in usages]
    assert reads[0] == 0 < reads[1]
    assert reads == sorted(set(reads))


async def talked(router, call):
    talk, usages = [], []
    for number in range(5):
        talk.append({"role": "user", "content": f"Question {number}. " * 60})
        usages.append(CacheUsage.from_response(await call(router, list(talk))))
        talk.append({"role": "assistant", "content": "Noted. " * 40})
        await asyncio.sleep(0)
        await settled()
    await close_clients()
    return usages


def deployments(*names, **more):
    model = {"model": "anthropic/claude-sonnet-4-5", **more}
    return [{"litellm_params": {**model, "api_key": name}, "model_info": {"id": name}} for name in names]


def left(found, given):
    return [next(n for n, other in enumerate(given) if other is one) for one in found]


@pytest.fixture
def engine():
    return Engine.default()


@pytest.fixture
def warmth(engine):
    warmth = Warmth(engine)
    plan = engine.plan({**CONVERSATION, "model": "anthropic/claude-sonnet-4-5", "api_key": "b"})
    warmth.answered(plan, CacheUsage(write_5m=8_578, uncached=3))
    return warmth


def filtered(check, given, request=CONVERSATION):
    found = asyncio.run(check.async_filter_deployments("claude", given, request["messages"], {}))
    return left(found, given)


def test_the_warm_one_is_left(warmth):
    assert filtered(PreferWarm(warmth), deployments("a", "b", "c")) == [1]


def test_a_conversation_that_begins_goes_anywhere(warmth):
    first = {"messages": CONVERSATION["messages"][:2]}
    assert filtered(PreferWarm(warmth), deployments("a", "b", "c"), first) == [0, 1, 2]


def test_a_failure_is_known_before_the_next_attempt(warmth):
    check, given = PreferWarm(warmth), deployments("a", "b", "c")
    asyncio.run(check.async_post_call_failure_deployment_hook(MappingProxyType(given[1]), ValueError(), None))
    assert filtered(check, given) == [0, 2]


def test_where_all_have_failed_the_router_may_try_any(warmth):
    check, given = PreferWarm(warmth), deployments("a", "b")
    for failed in given:
        asyncio.run(check.async_post_call_failure_deployment_hook(failed, ValueError(), None))
    assert filtered(check, given) == [0, 1]


def test_where_it_failed_lately_nothing_is_kept_and_a_moment_ago_nothing_goes(warmth):
    now = [0.0]
    check = PreferWarm(warmth, clock=lambda: now[0])
    failed = {"litellm_params": {"model_info": {"id": "b"}}}
    asyncio.run(check.async_log_failure_event(failed, None, None, None))
    assert filtered(check, deployments("a", "b", "c")) == [0, 2]
    now[0] = 1.0
    assert filtered(check, deployments("a", "b", "c")) == [0, 1, 2]
    now[0] = 30.0
    assert filtered(check, deployments("a", "b", "c")) == [1]


def test_a_warm_one_that_costs_too_much_is_left_alone(engine, warmth):
    dear = "anthropic/claude-opus-4-8"
    warmth.answered(engine.plan({**CONVERSATION, "model": dear}), CacheUsage(write_5m=8_578, uncached=3))
    given = [
        {"litellm_params": {"model": model}, "model_info": {"id": model}}
        for model in (dear, "gemini/gemini-2.5-flash-lite")
    ]
    assert filtered(PreferWarm(warmth), given) == [0, 1]
    assert filtered(PreferWarm(warmth, max_premium=1_000), given) == [0]


@pytest.mark.parametrize("premium", [-0.1, float("nan"), float("inf")])
def test_a_premium_that_is_none_is_refused(warmth, premium):
    with pytest.raises(ValueError, match="max_premium"):
        PreferWarm(warmth, max_premium=premium)


@pytest.mark.parametrize("given", [[], [{}], [{}, {}], [{"litellm_params": None}, 5], deployments("a")])
def test_what_cannot_be_quoted_is_left(warmth, given):
    assert filtered(PreferWarm(warmth), given) == list(range(len(given)))


@pytest.fixture
def behind():
    """Three emulators, and a Router before them: two of a model, and one to fall back to."""
    emulators = [Deployment() for _ in range(3)]
    with ExitStack() as served:
        models = deployments(*(served.enter_context(serve(emulator)) for emulator in emulators))
        for model, name in zip(models, ["claude", "claude", "spare"], strict=True):
            model["model_name"] = name
            model["litellm_params"] |= {"api_base": model["model_info"]["id"], "max_retries": 0}
        fallbacks = [{"claude": ["spare"]}]
        yield emulators, litellm.Router(model_list=models, num_retries=0, fallbacks=fallbacks)


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_synchronous_calls_go_where_the_router_wants(engine, behind):
    """litellm asks filters in its asynchronous calls alone: nothing is kept, and nothing is lost."""
    emulators, router = behind
    warmth = Warmth(engine)
    check = PreferWarm(warmth)
    litellm.callbacks = [PolicyCacheHandler(engine, warmth=warmth), check]

    def send():
        whole = router.completion(model="claude", max_tokens=8, **CONVERSATION)
        chunks = router.completion(model="claude", max_tokens=8, stream=True, **CONVERSATION)
        assert whole.choices[0].message.content
        assert text_of(chunks)
        return [emulator.requests for emulator in emulators]

    for _ in range(4):
        load = send()
    assert (sum(load), load[2]) == (8, 0)
    emulators[0].away = emulators[1].away = True
    assert send() == [*load[:2], 2]
    assert (check.kept, check.faults, warmth.faults) == (0, {}, {})
