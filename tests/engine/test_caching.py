"""`match.caching`: what the catalog says that the provider of a request does."""

from __future__ import annotations

import pytest

from policy_cache import Engine
from policy_cache.policy.check.cover import covers

POLICY = """
version: 1
name: p
rules:
  - {name: explicit, match: {caching: explicit}, targets: [system], action: {add_cache_control: {}}}
  - {name: automatic, match: {caching: automatic}, action: {remove_cache_control: {}}}
  - {name: none, match: {caching: [none]}, action: {remove_cache_control: {}}}
  - {name: unknown, match: {caching: unknown}, action: {remove_cache_control: {}}}
  - {name: not-unknown, match: {caching: [explicit, automatic, none]}, action: {remove_cache_control: {}}}
  - {name: excepted, except: {caching: [explicit, unknown]}, action: {remove_cache_control: {}}}
"""


@pytest.mark.parametrize(
    ("model", "shape", "rules"),
    [
        ("anthropic/claude-sonnet-4-5", "chat", ("explicit", "not-unknown")),
        ("openai/gpt-5.6", "chat", ("explicit", "not-unknown")),
        ("groq/llama-3.3-70b-versatile", "chat", ("automatic", "not-unknown", "excepted")),
        ("cohere/command-a", "chat", ("automatic", "not-unknown", "excepted")),
        ("openrouter/qwen/qwen3-max", "chat", ("none", "not-unknown", "excepted")),
        ("nobody/model", "chat", ("unknown",)),
        # A provider's markers reach it from one shape alone.
        ("dashscope/qwen3-max", "messages", ("automatic", "not-unknown", "excepted")),
    ],
)
def test_which_rules_match(model, shape, rules):
    request = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    assert Engine.from_text(POLICY).plan(request, shape=shape).matched == rules


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ({"caching": ["explicit", "automatic"]}, {"caching": "explicit"}, True),
        ({"caching": "explicit"}, {"caching": ["explicit", "none"]}, False),
        ({"caching": "explicit"}, {}, False),
        ({}, {"caching": "explicit"}, True),
    ],
)
def test_whether_one_covers_another(wide, narrow, expected):
    assert covers(wide, narrow) is expected
