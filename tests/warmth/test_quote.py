"""What is quoted for a model is what the provider then reports."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy_cache.request.prompt import detect_shape
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Warmth
from tests.emulator.test_simulator import POLICIES, conversations

MODELS = ["claude-opus-4-8", "claude-sonnet-4-5", "claude-haiku-4-5"]
KEYS = count()


@st.composite
def traffic(draw):
    """Requests of several conversations in turn, each to one of three models, in one of two scopes."""
    waiting = [
        (draw(st.sampled_from("ab")), conversation)
        for conversation in draw(st.lists(conversations(), min_size=1, max_size=3))
    ]
    sent = []
    while waiting:
        scope, conversation = waiting[draw(st.integers(0, len(waiting) - 1))]
        gap, request = conversation.pop(0)
        sent.append((gap, scope, draw(st.sampled_from(MODELS)), request))
        waiting = [(scope, left) for scope, left in waiting if left]
    return sent


def send(client, engine, warmths, clock, request, key):
    """Quote, send, tell: the quote of the model and the usage; None where it was refused."""
    if detect_shape(request) != "messages":  # it could be a chat's, in which markers have other places
        request = request | {"system": "You help."}
    asked = {**request, "api_key": key}
    quote, learns = warmths
    [at_this, *others] = quote.quote(asked, [request["model"], *MODELS])
    assert [other for other in others if other.candidate == request["model"]] == [at_this]
    body = engine.rewrite(request)
    response = client.post("/v1/messages", json=body, headers={"x-api-key": key})
    if response.status_code == 400:
        return None
    usage = CacheUsage.from_response(response.json())
    learns.answered(engine.plan(asked), usage, at=clock.now)
    return at_this, usage


@pytest.mark.property
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(traffic(), st.sampled_from(POLICIES))
def test_a_quote_is_the_usage_to_the_token(client, clock, sent, engine):
    warmth = Warmth(engine, clock=clock)
    number = next(KEYS)
    clock.now = 1_000.0
    for gap, scope, model, request in sent:
        clock.now += gap
        done = send(client, engine, (warmth, warmth), clock, request | {"model": model}, f"{scope}{number}")
        if done is not None:
            quote, usage = done
            assert quote.tokens == usage.outcome
            assert quote.sure != "unknown"
            assert quote.is_warm == (quote.warm_until is not None)
    assert warmth.faults == {}
