"""A request that a handler marked is sent once more without, when its provider refuses the marker."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import weakref

import litellm
import pytest

from policy_cache import Engine
from policy_cache.emulator import serve
from policy_cache.integrations.litellm import PolicyCacheHandler, again, install, uninstall
from tests.doubles import REFUSALS, Provider, close_clients

# Building litellm's types warns, the first time that a stream is read.
pytestmark = pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")

MODEL = "anthropic/claude-sonnet-4-5"
LONG = "word " * 4_000
POLICY = """
version: 1
name: p
rules:
  - {name: r, targets: [system, messages.last], action: {add_cache_control: {}}}
"""


@pytest.fixture
def provider():
    one = Provider(REFUSALS[0])
    with serve(one) as address:
        one.address = address
        yield one


@pytest.fixture
def handler():
    litellm.suppress_debug_info = True
    one = PolicyCacheHandler(Engine.from_text(POLICY))
    litellm.callbacks = [one]
    yield one
    litellm.logging_callback_manager._reset_all_callbacks()


@pytest.fixture
def none_alive(monkeypatch):
    """litellm as if no handler had been made; its queues may hold earlier ones for a while."""
    gc.collect()
    monkeypatch.setattr(again, "_handlers", weakref.WeakSet())
    monkeypatch.setattr(again, "_ours", {})
    for name in ("acompletion", "anthropic_messages"):
        call = getattr(litellm, name)
        while "again" in call.__code__.co_filename:
            call = call.__wrapped__
        monkeypatch.setattr(litellm, name, call)


def deployment(provider):
    return {"model": MODEL, "api_base": provider.address, "api_key": "k"}


def chat():
    return {"messages": [{"role": "system", "content": LONG}, {"role": "user", "content": "q"}]}


def messages():
    return {"system": LONG, "messages": [{"role": "user", "content": "q"}]}


def router(provider):
    return litellm.Router([{"model_name": "smart", "litellm_params": deployment(provider)}], num_retries=0)


async def drained(answer):
    """The text of what came back, streaming or not."""
    if hasattr(answer, "__aiter__"):
        return "".join([str(chunk) async for chunk in answer])
    return answer if isinstance(answer, dict) else answer.model_dump_json()


CALLS = {
    "acompletion": lambda one, **more: litellm.acompletion(**deployment(one), **chat(), max_tokens=9, **more),
    "anthropic_messages": lambda one, **more: litellm.anthropic_messages(
        **deployment(one), **messages(), max_tokens=9, **more
    ),
    "aresponses": lambda one, **more: litellm.aresponses(
        **deployment(one), instructions=LONG, input="q", max_output_tokens=9, **more
    ),
    "Router.acompletion": lambda one, **more: router(one).acompletion(
        model="smart", **chat(), max_tokens=9, **more
    ),
    "Router.aanthropic_messages": lambda one, **more: router(one).aanthropic_messages(
        model="smart", **messages(), max_tokens=9, **more
    ),
    "Router.aresponses": lambda one, **more: router(one).aresponses(
        model="smart", instructions=LONG, input="q", max_output_tokens=9, **more
    ),
}


def twice(call):
    """Both answers of a call that is made two times."""

    async def both():
        try:
            return [await drained(await call()) for _ in range(2)]
        finally:
            await close_clients()

    return asyncio.run(both())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_refused_marker_is_left_out(provider, handler, name, stream):
    if stream and "anthropic_messages" in name:
        pytest.importorskip("fastapi", reason="this litellm streams Anthropic's own shape only with fastapi")
    assert all(twice(lambda: CALLS[name](provider, stream=stream)))
    assert provider.marked == [True, False, False]
    assert list(handler.rewriting.refused.values()) == [1]
    assert handler.rewriting.faults == {}


@pytest.mark.usefixtures("handler")
@pytest.mark.parametrize("refusal", REFUSALS)
def test_whatever_a_provider_says_of_a_marker(provider, refusal, caplog):
    provider.refusal = refusal
    assert all(twice(lambda: CALLS["acompletion"](provider)))
    assert provider.marked == [True, False, False]
    assert [record.message for record in caplog.records if record.name == "policy_cache"] == [
        f"{MODEL} refused a cache marker, and gets none of r on text for 300 seconds (logged once)"
    ]


@pytest.mark.parametrize(
    ("status", "refusal", "error"),
    [
        (400, "max_tokens: Field required", litellm.BadRequestError),
        (500, REFUSALS[0], litellm.InternalServerError),
        (429, REFUSALS[0], litellm.RateLimitError),
    ],
)
def test_another_failure_is_the_callers(provider, handler, status, refusal, error):
    provider.status, provider.refusal = status, refusal
    with pytest.raises(error):
        twice(lambda: CALLS["acompletion"](provider, max_retries=0))
    assert provider.marked == [True]
    assert handler.rewriting.refused == {}


def test_a_refusal_of_the_clients_own_marker_is_the_clients(provider, handler):
    own = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    given = {"messages": [{"role": "user", "content": own}], "max_tokens": 9}
    with pytest.raises(litellm.BadRequestError, match="maximum of 4"):
        twice(lambda: litellm.acompletion(**deployment(provider), **given))
    assert provider.marked == [True]
    assert handler.rewriting.refused == {}


@pytest.mark.usefixtures("handler")
def test_what_fails_again_fails_as_litellm_says(provider):
    provider.about = ""
    with pytest.raises(litellm.BadRequestError, match="maximum of 4"):
        twice(lambda: CALLS["acompletion"](provider))
    assert provider.marked == [True, False]


def test_one_clients_fault_leaves_the_others_their_markers(provider, handler):
    own = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
    bad = {"messages": [*chat()["messages"], {"role": "user", "content": own}, *chat()["messages"][1:]]}

    async def turns():
        try:
            with pytest.raises(litellm.BadRequestError, match="maximum of 4"):
                await litellm.acompletion(**deployment(provider), **bad, max_tokens=9)
            provider.refusal = None
            await CALLS["acompletion"](provider)
        finally:
            await close_clients()

    asyncio.run(turns())
    assert provider.marked == [True, True, True]
    assert handler.rewriting.refused == {}
    assert [body.count("cache_control") for body in provider.bodies] == [3, 1, 2]


@pytest.mark.parametrize("status", [429, 500, 529])
def test_a_second_call_that_tells_nothing_changes_nothing(handler, status):
    class Busy(Provider):
        async def __call__(self, scope, receive, send):
            if self.bodies:
                self.status, self.about = status, ""
            await super().__call__(scope, receive, send)

    busy = Busy(REFUSALS[0])
    with serve(busy) as address:
        busy.address = address
        with pytest.raises((litellm.InternalServerError, litellm.RateLimitError)):
            twice(lambda: CALLS["acompletion"](busy, max_retries=0))
    assert busy.marked[:2] == [True, False]
    assert handler.rewriting.refused == {}
    assert handler.rewriting.left_out(deployment(busy)) == set()


def test_requests_that_are_refused_at_once(provider, handler):
    async def at_once():
        try:
            await asyncio.gather(*(CALLS["acompletion"](provider) for _ in range(8)))
        finally:
            await close_clients()

    asyncio.run(at_once())
    assert sum(provider.marked) == sum(handler.rewriting.refused.values())
    assert len(provider.marked) - sum(provider.marked) == 8


def test_a_handler_under_installed_functions(provider, handler):
    rewriting = install(Engine.from_text(POLICY))
    try:
        assert all(twice(lambda: CALLS["acompletion"](provider)))
    finally:
        uninstall()
    assert provider.marked == [True, True, False, False]  # each learns of it by itself
    assert (rewriting.refused, handler.rewriting.refused) == ({MODEL: 1}, {MODEL: 1})


@pytest.mark.usefixtures("none_alive")
def test_a_function_bound_before_the_handler_leaves_the_route_unmarked(provider):
    bound = litellm.anthropic_messages
    handler = PolicyCacheHandler(Engine.from_text(POLICY))
    litellm.callbacks = [handler]

    def call():
        return bound(**deployment(provider), **messages(), max_tokens=9)

    try:
        with pytest.raises(Exception, match="maximum of 4"):
            twice(call)
        assert all(twice(call))
    finally:
        litellm.logging_callback_manager._reset_all_callbacks()
    assert provider.marked == [True, False, False]
    assert list(handler.rewriting.refused.values()) == [1]


def test_a_stream_that_is_refused_as_it_is_read_leaves_the_route_unmarked():
    handler = PolicyCacheHandler(Engine.from_text(POLICY))
    given = {"model": MODEL, **chat(), "litellm_call_id": "stream"}
    error = litellm.BadRequestError(REFUSALS[0], MODEL, "anthropic")

    async def read():
        sent = await handler.async_pre_call_deployment_hook(given, "acompletion")
        for _ in range(2):
            await handler.async_log_failure_event(
                {"litellm_call_id": "stream", "exception": error}, None, None, None
            )
        return sent, await handler.async_pre_call_deployment_hook(given, "acompletion")

    sent, again = asyncio.run(read())
    assert "cache_control" in str(sent)
    assert again is None or "cache_control" not in str(again)
    assert handler.rewriting.refused == {MODEL: 1}


@pytest.mark.usefixtures("none_alive")
def test_litellms_functions_are_its_own_again_after_the_last_handler():
    before = litellm.acompletion, litellm.anthropic_messages
    first, second = (PolicyCacheHandler(Engine.default()) for _ in range(2))
    assert litellm.acompletion is not before[0]
    assert litellm.acompletion.__wrapped__ is before[0]
    del first
    gc.collect()
    assert litellm.acompletion.__wrapped__ is before[0]
    del second
    gc.collect()
    assert (litellm.acompletion, litellm.anthropic_messages) == before


@pytest.mark.usefixtures("none_alive")
def test_what_another_library_put_before_the_second_try_stays():
    handler = PolicyCacheHandler(Engine.default())
    ours = litellm.acompletion

    @functools.wraps(ours)
    def theirs(*args, **kwargs):
        return ours(*args, **kwargs)

    litellm.acompletion = theirs
    del handler
    gc.collect()
    assert litellm.acompletion is theirs
    handler = PolicyCacheHandler(Engine.default())
    assert litellm.acompletion is theirs  # ours stands behind it already
    assert handler.rewriting.faults == {}


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), ((1, 2, 3, 4, 5), {"fallback_depth": 1, "surprise": 2}), (({}, None, None), {})],
)
def test_a_failure_told_in_an_unknown_way(given, named):
    handler = PolicyCacheHandler(Engine.default())
    with contextlib.suppress(TypeError):  # which litellm catches
        asyncio.run(handler.async_post_call_failure_deployment_hook(*given, **named))
    asyncio.run(handler.async_log_failure_event({"exception": 3, "litellm_call_id": None}, *given, **named))
    assert handler.rewriting.faults == {}
