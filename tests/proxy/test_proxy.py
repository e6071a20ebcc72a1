"""A real litellm proxy, as examples/proxy starts it, in front of a provider on loopback that caches."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from policy_cache.emulator import create_app, serve
from tests.conftest import REPOSITORY

pytest.importorskip("fastapi_sso", reason="litellm[proxy] is not installed here; `make test-proxy` runs this")

import anthropic
import httpx
import openai

CONFIG = REPOSITORY / "examples" / "proxy" / "config.yaml"
POLICY = """
version: 1
name: proxied
rules:
  - {name: prefix, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
NOTHING = "version: 1\nname: proxied\nrules: []\n"
BROKEN = "version: 1\nname: proxied\nrules: [{name: r, target: [system]}]\n"
LONG = "word " * 4_000
FUNCTION = {"name": "look_up", "description": "d", "parameters": {"type": "object", "properties": {}}}
DEADLINE = 120


class Proxy:
    """A running proxy, its policy file and its log."""

    def __init__(self, url, key, policy, log):
        self.url, self.key, self.policy, self.log = url, key, policy, log
        self.openai = openai.OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)
        self.anthropic = anthropic.Anthropic(api_key=key, base_url=url, max_retries=0)

    def chat(self, talk, **more):
        return self.openai.chat.completions.create(
            model="smart",
            messages=talk,
            tools=[{"type": "function", "function": FUNCTION}],
            max_tokens=16,
            **more,
        )

    def until(self, holds):
        """Ask again until something holds, or the time is over."""
        end = time.monotonic() + DEADLINE
        while not (found := holds()):
            assert time.monotonic() < end, Path(self.log).read_text()[-2_000:]
        return found


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxy")
    policy, log, port, key = (
        folder / "policy.yaml",
        folder / "log",
        free_port(),
        f"sk-{secrets.token_hex(24)}",
    )
    policy.write_text(POLICY)
    command = [Path(sys.executable).with_name("litellm"), "--config", CONFIG, "--host", "127.0.0.1"]
    with serve(create_app()) as provider, log.open("w") as out:
        environment = {
            **os.environ,
            "ANTHROPIC_API_BASE": provider,
            "ANTHROPIC_API_KEY": "any",
            "LITELLM_MASTER_KEY": key,
            "POLICY_CACHE_POLICY": str(policy),
            "PYTHONPATH": str(REPOSITORY),
            "NO_PROXY": "*",
        }
        process = subprocess.Popen(
            [*map(str, command), "--port", str(port)], env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            running = Proxy(f"http://127.0.0.1:{port}", key, policy, log)
            running.until(lambda: process.poll() is None and is_up(running.url))
            yield running
        finally:
            process.terminate()
            process.wait()


def is_up(url):
    try:
        return httpx.get(f"{url}/health/liveliness", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


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
    tool = {"name": "look_up", "description": "d", "input_schema": {"type": "object", "properties": {}}}
    reads = []
    for system, *talk in conversation("messages"):
        answer = proxy.anthropic.messages.create(
            model="smart", system=system["content"], messages=talk, tools=[tool], max_tokens=16
        )
        reads.append(answer.usage.cache_read_input_tokens or 0)
    assert grows(reads)


def test_responses(proxy):
    reads = []
    for system, *talk in conversation("responses"):
        answer = proxy.openai.responses.create(
            model="smart",
            instructions=system["content"],
            input=talk,
            tools=[{"type": "function", **FUNCTION}],
            max_output_tokens=16,
        )
        reads.append(answer.usage.input_tokens_details.cached_tokens)
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
