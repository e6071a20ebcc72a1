"""Real litellm with an engine in front of it, against a provider on loopback that caches."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections import OrderedDict

import httpx
import litellm
import pytest
from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

from policy_cache import CacheUsage, Engine, TraceRecorder
from policy_cache.integrations.litellm import Calls, PolicyCacheHandler, answers, install, uninstall
from policy_cache.integrations.litellm.capture import capture
from policy_cache.integrations.litellm.rewriting import Rewriting
from tests.doubles import close_clients

LONG = "word " * 4_000
MODEL = "anthropic/claude-sonnet-4-5"


def messages(turns=1):
    talk = [{"role": "system", "content": LONG}, {"role": "user", "content": "q0"}]
    for turn in range(1, turns):
        talk += [{"role": "assistant", "content": f"a{turn}"}, {"role": "user", "content": f"q{turn}"}]
    return talk


def tools():
    function = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}
    return [{"type": "function", "function": function}]


def request(address, turns=1, **more):
    return {
        "model": MODEL,
        "messages": messages(turns),
        "tools": tools(),
        "api_base": address,
        "api_key": "k",
        "max_tokens": 16,
        **more,
    }


def read(response):
    return response.usage.prompt_tokens_details.cached_tokens or 0


def grows(call, address):
    """What three turns read from the cache."""
    return [read(call(**request(address, turns))) for turns in (1, 2, 3)]


def is_read_from_turn_two_on(reads):
    return reads[0] == 0 < reads[1] < reads[2]


def test_a_stand_in(address):
    given = request(address)
    before = copy.deepcopy(given)
    assert is_read_from_turn_two_on(grows(Calls(Engine.default()).completion, address))
    Calls(Engine.default()).completion(**given)
    assert given == before


def test_an_asynchronous_stand_in(address):
    calls = Calls(Engine.default())

    async def turns():
        found = [read(await calls.acompletion(**request(address, turn))) for turn in (1, 2, 3)]
        await close_clients()
        return found

    assert is_read_from_turn_two_on(asyncio.run(turns()))


def test_a_stream(address):
    calls = Calls(Engine.default())

    def streamed(**given):
        return list(calls.completion(**given, stream=True, stream_options={"include_usage": True}))[-1]

    assert is_read_from_turn_two_on(grows(streamed, address))


def test_positional_arguments(address):
    given = request(address)
    model, talk = given.pop("model"), given.pop("messages")
    calls = Calls(Engine.default())
    calls.completion(model, talk, **given)
    assert read(calls.completion(model, talk, **given)) > 0


def test_installed_for_the_whole_process(address):
    original = litellm.completion, litellm.acompletion
    install(Engine.default())
    assert is_read_from_turn_two_on(grows(litellm.completion, address))
    uninstall()
    assert (litellm.completion, litellm.acompletion) == original
    assert grows(litellm.completion, address) == [0, 0, 0]


def native(address, turns=1, **more):
    talk = messages(turns)[1:]
    tool = {"name": "f", "input_schema": {"type": "object"}}
    where = {"api_base": address, "api_key": "k"} if address else {}
    return {
        "model": MODEL,
        "system": LONG,
        "messages": talk,
        "tools": [tool],
        "max_tokens": 16,
        **where,
        **more,
    }


async def native_grows(call, address, **more):
    reads = [await call(**native(address, turns, **more)) for turns in (1, 2, 3)]
    await GLOBAL_LOGGING_WORKER.flush()
    await close_clients()
    return [response["usage"]["cache_read_input_tokens"] for response in reads]


def test_a_stand_in_for_anthropics_own_shape(address, tmp_path):
    calls = Calls(Engine.default(), recorder=(recorder := TraceRecorder(tmp_path / "trace.jsonl")))
    with recorder:
        assert is_read_from_turn_two_on(asyncio.run(native_grows(calls.anthropic_messages, address)))
    assert calls.rewriting.faults == {}
    lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [line["request"]["messages"] for line in lines] == [messages(turns)[1:] for turns in (1, 2, 3)]


def test_anthropics_own_shape_is_installed_under_a_router(address):
    rewriting = install(Engine.default())
    where = {"model": MODEL, "api_base": address, "api_key": "k"}

    async def routed():
        router = litellm.Router(model_list=[{"model_name": "claude", "litellm_params": where}])
        return await native_grows(router.aanthropic_messages, None, model="claude")

    assert is_read_from_turn_two_on(asyncio.run(routed()))
    assert rewriting.faults == {}


def test_installed_under_a_router_with_a_fallback(address):
    router = litellm.Router(
        model_list=[
            {
                "model_name": "first",
                "litellm_params": {
                    "model": "hosted_vllm/llama",
                    "api_base": "http://127.0.0.1:9/v1",
                    "max_retries": 0,
                },
            },
            {"model_name": "second", "litellm_params": {"model": MODEL, "api_base": address, "api_key": "k"}},
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=0,
    )
    install(Engine.default())
    reads = [
        read(router.completion(model="first", messages=messages(turns), tools=tools(), max_tokens=16))
        for turns in (1, 2, 3)
    ]
    assert is_read_from_turn_two_on(reads)


def test_a_handler_of_an_asynchronous_router(address):
    litellm.callbacks = [PolicyCacheHandler(Engine.default())]
    router = litellm.Router(
        model_list=[
            {"model_name": "smart", "litellm_params": {"model": MODEL, "api_base": address, "api_key": "k"}}
        ]
    )

    async def turns():
        found = [
            read(
                await router.acompletion(model="smart", messages=messages(turn), tools=tools(), max_tokens=16)
            )
            for turn in (1, 2, 3)
        ]
        await close_clients()
        return found

    assert is_read_from_turn_two_on(asyncio.run(turns()))


def test_a_handler_knows_the_routers_alias():
    policy = """
version: 1
name: p
rules:
  - {name: r, match: {alias: smart}, targets: [system], action: {add_cache_control: {}}}
"""
    handler = PolicyCacheHandler(Engine.from_text(policy))
    hook = handler.async_pre_call_deployment_hook
    given = {"model": MODEL, "messages": messages(), "metadata": {"model_group": "smart"}}
    assert asyncio.run(hook(given, "acompletion"))["messages"][0]["content"][0]["cache_control"]
    assert asyncio.run(hook({**given, "metadata": {"model_group": "other"}}, "acompletion")) is None


def test_a_handler_takes_anthropics_own_shape():
    handler = PolicyCacheHandler(Engine.default())
    given = {
        "model": MODEL,
        "system": LONG,
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}] * 2,
    }
    sent = asyncio.run(handler.async_pre_call_deployment_hook(given, "anthropic_messages"))
    assert sent["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


async def two_turns(address):
    """Two turns of a conversation, and the callbacks of both."""
    for turn in (1, 2):
        await litellm.acompletion(**request(address, turn))
    # litellm tells its callbacks from a task of its own.
    await GLOBAL_LOGGING_WORKER.flush()
    await close_clients()


def test_a_handler_logs_what_was_written_and_read(address, caplog):
    caplog.set_level(logging.INFO, "policy_cache")
    litellm.callbacks = [PolicyCacheHandler(Engine.default())]

    asyncio.run(two_turns(address))
    records = [record for record in caplog.records if record.name == "policy_cache"]
    first, second = [record.policy_cache for record in records]
    created = "[cache] Created cache: {} tokens".format
    assert [record.message for record in records] == [
        created(first["write_5m"] + first["write_1h"]),
        f"{created(second['write_5m'])}; [cache] Cache HIT: {second['read']} tokens saved",
    ]
    assert second["read"] == first["write_5m"] + first["write_1h"] > 5_000
    assert {key: second[key] for key in ("model", "provider", "route", "rules")} == {
        "model": "claude-sonnet-4-5",
        "provider": "anthropic",
        "route": "anthropic",
        "rules": ["agent-prefix", "conversation"],
    }
    assert second["revision"].startswith("sha256:")
    assert "word" not in caplog.text


def test_a_handler_hands_each_answered_request_to_a_recorder(address, tmp_path):
    with TraceRecorder(tmp_path / "trace.jsonl") as recorder:
        litellm.callbacks = [PolicyCacheHandler(Engine.default(), recorder=recorder)]
        asyncio.run(two_turns(address))
    lines = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text().splitlines()]
    assert [line["request"]["messages"] for line in lines] == [messages(1), messages(2)]
    assert [CacheUsage.from_response(line["usage"]).read > 0 for line in lines] == [False, True]
    assert "api_key" not in str(lines)


@pytest.mark.parametrize("response", [None, {}, {"usage": None}, {"usage": {"prompt_tokens": "many"}}, 3])
def test_a_handler_logs_nothing_of_a_response_without_usage(response, caplog):
    caplog.set_level(logging.INFO, "policy_cache")
    handler = PolicyCacheHandler(Engine.default())
    asyncio.run(handler.async_log_success_event({"model": MODEL}, response, None, None))
    handler.log_success_event({}, response_obj=response, start_time=None, end_time=None)
    assert not [record for record in caplog.records if record.name == "policy_cache"]
    assert handler.rewriting.faults == {}


def test_a_handler_forgets_what_is_never_answered(monkeypatch):
    monkeypatch.setattr(answers, "_MOST_AWAITED", 3)
    monkeypatch.setattr(answers, "_awaited", OrderedDict())
    handler = PolicyCacheHandler(Engine.default())
    for number in range(9):
        given = {"model": MODEL, "messages": messages(), "litellm_call_id": str(number)}
        asyncio.run(handler.async_pre_call_deployment_hook(given, "acompletion"))
    assert list(answers._awaited) == ["6", "7", "8"]


@pytest.mark.parametrize("call_type", ["embedding", "aresponses", None, 3])
def test_a_handler_leaves_other_calls_alone(call_type):
    handler = PolicyCacheHandler(Engine.default())
    assert (
        asyncio.run(
            handler.async_pre_call_deployment_hook({"model": MODEL, "messages": messages(9)}, call_type)
        )
        is None
    )


def test_a_handler_leaves_positional_messages_alone():
    handler = PolicyCacheHandler(Engine.default())
    assert asyncio.run(handler.async_pre_call_deployment_hook({"model": MODEL}, "acompletion")) is None


class Raises:
    """An engine that fails in every way that a custom one could."""

    def rewrite(self, *_, **__):
        raise RuntimeError("SECRET")

    plan = rewrite


def test_a_handler_never_fails_a_request(caplog):
    handler = PolicyCacheHandler(Raises())
    for _ in range(3):
        assert (
            asyncio.run(
                handler.async_pre_call_deployment_hook({"model": MODEL, "messages": []}, "acompletion")
            )
            is None
        )
    assert handler.rewriting.faults == {"RuntimeError": 3}
    assert [record.message for record in caplog.records if record.name == "policy_cache"] == [
        "a request was passed on unchanged after RuntimeError (logged once)"
    ]
    assert "SECRET" not in caplog.text


def test_a_stand_in_never_fails_a_request(address):
    calls = Calls(Raises())
    assert calls.completion(**request(address)).choices
    assert calls.rewriting.faults == {"RuntimeError": 1}


def test_installing_twice_keeps_one_wrapper(caplog):
    caplog.set_level(logging.INFO, "policy_cache")
    original = litellm.completion
    first, second = Engine.default(), Engine.default()
    rewriting = install(first)
    wrapper = litellm.completion
    assert install(second) is rewriting
    assert litellm.completion is wrapper
    assert rewriting.engine is second
    assert [record.message for record in caplog.records] == [
        "policy-cache was installed before; the new engine takes the place of the old one"
    ]
    uninstall()
    assert litellm.completion is original
    uninstall()


def test_what_another_library_put_before_it_stays(address):
    install(Engine.default())
    ours, original = litellm.completion, litellm.completion.__wrapped__

    def theirs(*args, **kwargs):
        return ours(*args, **kwargs)

    litellm.completion = theirs
    try:
        uninstall()
        assert litellm.completion is theirs
        assert grows(litellm.completion, address) == [0, 0, 0]
    finally:
        litellm.completion = original


def test_the_switch_needs_no_restart(address, monkeypatch):
    calls = Calls(Engine.default())
    assert grows(calls.completion, address)[1] > 0
    monkeypatch.setenv("POLICY_CACHE_DISABLED", "1")
    bodies = [one.body for one in capture(lambda: calls.completion(**request("http://x.example", 3)))]
    assert "cache_control" not in str(bodies)


# Refusals

REFUSALS = [
    "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    "cache_control: Extra inputs are not permitted",
    "You invoked an unsupported model or your request did not allow prompt caching",
    "Malformed input request: #/toolConfig/tools/0: extraneous key [cachePoint] is not permitted",
    "Cache point cannot be inserted after reasoning block.",
    "There is nothing available to cache.",
    "Cached content is too small. total_token_count=896, min_total_token_count=1024",
]


class Provider:
    """Anthropic, as far as it answers 400 to any request that carries a marker, and then caches nothing."""

    def __init__(self, refusal):
        self.refusal = refusal
        self.bodies = []

    def __call__(self, sent):
        body = sent.content.decode()
        self.bodies.append(body)
        if "cache_control" in body:
            error = {"type": "error", "error": {"type": "invalid_request_error", "message": self.refusal}}
            return httpx.Response(400, json=error)
        answer = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [{"type": "text", "text": "ok"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return httpx.Response(200, json=answer)


@pytest.fixture
def provider(monkeypatch):
    def put(refusal):
        one = Provider(refusal)
        transport = httpx.MockTransport(one)
        monkeypatch.setattr(
            httpx.HTTPTransport,
            "handle_request",
            lambda _, sent: (sent.read(), transport.handle_request(sent))[1],
        )
        return one

    return put


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_marker_is_left_out_and_not_sent_again(provider, refusal, caplog):
    one = provider(refusal)
    calls = Calls(Engine.default())
    given = request("http://provider.example")
    for _ in range(3):
        assert calls.completion(**given).choices[0].message.content == "ok"
    assert ["cache_control" in body for body in one.bodies] == [True, False, False, False]
    assert calls.rewriting.refused == {MODEL: 1}
    marks = "agent-prefix on text, first-turn on text"
    assert [record.message for record in caplog.records if record.name == "policy_cache"] == [
        f"{MODEL} refused a cache marker, and gets none of {marks} for 300 seconds (logged once)"
    ]


def test_another_400_is_the_callers(provider):
    one = provider("max_tokens: Field required")
    with pytest.raises(litellm.BadRequestError, match="max_tokens"):
        Calls(Engine.default()).completion(**request("http://provider.example"))
    assert len(one.bodies) == 1


def test_a_refusal_of_the_clients_own_markers_is_the_clients(provider):
    one = provider(REFUSALS[0])
    given = request("http://provider.example", cache_control={"type": "ephemeral"})
    given["messages"] = [{"role": "user", "content": "short"}]
    with pytest.raises(litellm.BadRequestError, match="maximum of 4"):
        Calls(Engine.default()).completion(**given)
    assert len(one.bodies) == 1


def test_a_route_is_marked_again_after_a_while():
    now = [0.0]
    rewriting = Rewriting(Engine.default(), unmarked_for=60.0, clock=lambda: now[0])
    given = request("http://x.example")
    sent = rewriting.rewrite(given)
    assert sent is not given
    refusal = rewriting.after(ValueError(REFUSALS[1]), given, sent)
    assert refusal.request == given
    assert rewriting.rewrite(given) == sent  # nothing is proved yet
    rewriting.convict(refusal)
    assert rewriting.rewrite(given) is given
    other = {**given, "api_base": "http://y.example"}
    assert rewriting.rewrite(other) != other
    now[0] = 60.0
    assert rewriting.rewrite(given) == sent


def test_what_else_the_policy_does_is_still_done_without_markers():
    policy = """
version: 1
name: p
rules:
  - {name: clear, targets: [request], action: {remove_cache_control: {}}}
  - {name: mark, targets: [system], action: {add_cache_control: {}}}
"""
    rewriting = Rewriting(Engine.from_text(policy))
    given = request("http://x.example", cache_control={"type": "ephemeral"})
    refusal = rewriting.after(ValueError(REFUSALS[1]), given, rewriting.rewrite(given))
    assert refusal.request == request("http://x.example")
    rewriting.convict(refusal)
    assert rewriting.rewrite(given) == request("http://x.example")


def paused(rewriting, given, now):
    """For how many seconds from now a refused request stays unmarked."""
    rewriting.convict(rewriting.after(ValueError(REFUSALS[1]), given, rewriting.rewrite(given)))
    start = now[0]
    while rewriting.rewrite(given) is given:
        now[0] += 30.0
    return now[0] - start


def test_a_pause_grows_while_the_markers_are_refused_again():
    now = [0.0]
    rewriting = Rewriting(Engine.default(), unmarked_for=60.0, clock=lambda: now[0])
    given = request("http://x.example")
    assert [paused(rewriting, given, now) for _ in range(4)] == [60.0, 120.0, 240.0, 480.0]
    now[0] += 1_000.0  # it went well for longer than the last pause
    assert paused(rewriting, given, now) == 60.0


def test_what_is_left_out_are_the_markers_of_a_rule_on_a_kind_of_block():
    rewriting = Rewriting(Engine.default())
    given = request("http://x.example", turns=2)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    agent = {
        **given,
        "messages": [
            *messages(1),
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "found"},
        ],
    }
    refusal = rewriting.after(ValueError(REFUSALS[1]), agent, rewriting.rewrite(agent))
    rewriting.convict(refusal)
    assert refusal.marks == {
        ("agent-prefix", "text"),
        ("conversation", "text"),
        ("conversation", "tool_result"),
    }
    chat = {**given, "tools": []}
    assert rewriting.rewrite(chat) != chat  # another rule's

    plan = Engine.default().plan(agent).without({("conversation", "tool_result")})
    assert [point.placer for point in plan.breakpoints] == ["agent-prefix", "conversation"]
    assert [placement.reason for placement in plan.placements][-1] == "refused"
    assert plan.request["messages"][-1] == agent["messages"][-1]


def test_a_request_that_is_refused_without_our_markers_too_leaves_the_route_as_it_was(provider):
    one = provider(REFUSALS[0])
    calls = Calls(Engine.default())
    own = {"type": "text", "text": "mine", "cache_control": {"type": "ephemeral"}}
    bad = request("http://provider.example", turns=2)
    bad["messages"] = [*bad["messages"], {"role": "user", "content": [own]}]
    with pytest.raises(litellm.BadRequestError, match="maximum of 4"):
        calls.completion(**bad)
    assert len(one.bodies) == 2
    assert calls.rewriting.refused == {}
    good = request("http://provider.example", turns=2)
    assert calls.rewriting.rewrite(good) != good


def test_a_refusal_in_one_shape_says_nothing_of_another():
    rewriting = Rewriting(Engine.default())
    chat = request("http://x.example")
    rewriting.convict(rewriting.after(ValueError(REFUSALS[1]), chat, rewriting.rewrite(chat)))
    assert rewriting.rewrite(chat) is chat
    assert rewriting.left_out(chat)
    assert not rewriting.left_out(chat, "messages")


def test_a_bridged_request_is_left_to_the_bridge_while_markers_are_left_out():
    rewriting = Rewriting(Engine.default(), meets_bridged=True)
    chat = request("http://x.example")
    rewriting.convict(rewriting.after(ValueError(REFUSALS[1]), chat, rewriting.rewrite(chat)))
    bridged = {"model": chat["model"], "api_base": chat["api_base"], "instructions": LONG, "input": "q"}
    assert rewriting.left_out(chat)
    assert rewriting.rewrite(bridged, "responses") is bridged


def test_an_error_that_cannot_be_read_hides_nothing():
    class UnreadableError(Exception):
        def __str__(self):
            raise RuntimeError

    rewriting = Rewriting(Engine.default())
    given = request("http://x.example")
    assert rewriting.after(UnreadableError(), given, rewriting.rewrite(given)) is None
    assert sum(rewriting.faults.values()) == 1
