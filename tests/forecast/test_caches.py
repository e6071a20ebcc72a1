"""Caches by what shares them: what has expired on its own route is let go of, and nothing else."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from policy_cache.forecast import caches
from policy_cache.forecast.caches import Caches
from policy_cache.trace.record import TraceRecord

ROUTER = Engine.passing()


def asked(model, at, scope):
    request = {"model": model, "messages": []}
    return ROUTER.facts(request).route, TraceRecord("t:1", at, request, None, 0.0, scope, "s")


@pytest.mark.parametrize(
    ("model", "seconds"),
    [
        ("anthropic/claude-opus-5", 3_600),
        ("bedrock/amazon.nova-pro-v1:0", 300),
        ("openai/gpt-5.6", 1_800),
        ("azure/gpt-5.1", 86_400),  # a request may ask for a day
        ("cohere/command-a", 0),  # nothing is kept that could expire
    ],
)
def test_one_is_let_go_of_once_all_in_it_has_expired(monkeypatch, model, seconds):
    monkeypatch.setattr(caches, "_MOST", 1)
    for after, gone in ((seconds, []), (seconds + 1, ["first"])):
        ended = []
        kept = Caches(lambda _, request: request["name"], end=ended.append)
        route, record = asked(model, 0.0, "a")
        record.request["name"] = "first"
        kept.of(route, record)
        route, record = asked(model, float(after), "b")
        record.request["name"] = "second"
        kept.of(route, record)
        assert ended == gone
