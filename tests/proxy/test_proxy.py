"""A real litellm proxy, as examples/proxy starts it, in front of a provider on loopback that caches."""

from __future__ import annotations

import secrets
from itertools import pairwise
from pathlib import Path

import pytest

from policy_cache.emulator import create_app, serve
from tests.proxy.running import LONG, running

POLICY = """
version: 1
name: proxied
rules:
  - {name: prefix, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
NOTHING = "version: 1\nname: proxied\nrules: []\n"
BROKEN = "version: 1\nname: proxied\nrules: [{name: r, target: [system]}]\n"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with serve(create_app()) as provider, running(tmp_path_factory.mktemp("proxy"), POLICY, provider) as one:
        yield one


def conversation(mark):
    """The messages of eight turns, each with what the turn before was answered."""
    talk = [{"role": "system", "content": f"{mark} {LONG}"}, {"role": "user", "content": "q0"}]
    for turn in range(1, 9):
        yield list(talk)
        talk += [{"role": "assistant", "content": f"a{turn}"}, {"role": "user", "content": f"q{turn}"}]


def grows(reads):
    return reads[0] == 0 and all(later > earlier for earlier, later in pairwise(reads))


def test_chat_completions(proxy):
    reads = [proxy.chat(talk).usage.prompt_tokens_details.cached_tokens or 0 for talk in conversation("chat")]
    assert grows(reads)


def test_chat_completions_as_a_stream(proxy):
    reads = []
    for talk in conversation("stream"):
        chunks = list(proxy.chat(talk, stream=True, stream_options={"include_usage": True}))
        usage = next(chunk.usage for chunk in chunks if chunk.usage is not None)
        reads.append(usage.prompt_tokens_details.cached_tokens or 0)
    assert grows(reads)


def test_anthropic_messages(proxy):
    reads = [proxy.messages(talk).usage.cache_read_input_tokens or 0 for talk in conversation("messages")]
    assert grows(reads)


def test_responses(proxy):
    reads = [
        proxy.responses(talk).usage.input_tokens_details.cached_tokens for talk in conversation("responses")
    ]
    assert grows(reads)


def written(proxy, mark):
    """What a new conversation writes to the cache, with the policy of this moment."""
    usage = proxy.chat(next(conversation(f"{mark} {secrets.token_hex(4)}"))).usage
    return usage.prompt_tokens_details.model_dump().get("cache_creation_tokens") or 0


def test_an_edited_policy_is_picked_up_and_a_broken_one_changes_nothing(proxy):
    assert written(proxy, "before") > 0
    proxy.policy.write_text(NOTHING)
    proxy.until(lambda: written(proxy, "edited") == 0)
    proxy.policy.write_text(BROKEN)
    proxy.until(lambda: "unknown field `target`" in Path(proxy.log).read_text())
    assert written(proxy, "broken") == 0
    proxy.policy.write_text(POLICY)
    proxy.until(lambda: written(proxy, "mended") > 0)
