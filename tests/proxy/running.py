"""A real litellm proxy in a process of its own, and clients for it."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytest.importorskip("fastapi_sso", reason="litellm[proxy] is not installed here; `make test-proxy` runs this")

import anthropic
import httpx
import openai

CONFIG = REPOSITORY / "examples" / "proxy" / "config.yaml"
LONG = "word " * 4_000
FUNCTION = {"name": "look_up", "description": "d", "parameters": {"type": "object", "properties": {}}}
TOOL = {"name": "look_up", "description": "d", "input_schema": FUNCTION["parameters"]}
DEADLINE = 900


class Proxy:
    """A running proxy, its policy file and its log."""

    def __init__(self, process, url, key, policy, log):
        self.process, self.url, self.key, self.policy, self.log = process, url, key, policy, log
        self.openai = openai.OpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0)
        self.anthropic = anthropic.Anthropic(api_key=key, base_url=url, max_retries=0)

    def chat(self, talk, model="smart", **more):
        return self.openai.chat.completions.create(
            model=model,
            messages=talk,
            tools=[{"type": "function", "function": FUNCTION}],
            max_tokens=16,
            **more,
        )

    def messages(self, talk, model="smart", **more):
        system, *rest = talk
        return self.anthropic.messages.create(
            model=model, system=system["content"], messages=rest, tools=[TOOL], max_tokens=16, **more
        )

    def responses(self, talk, model="smart", **more):
        system, *rest = talk
        return self.openai.responses.create(
            model=model,
            instructions=system["content"],
            input=rest,
            tools=[{"type": "function", **FUNCTION}],
            max_output_tokens=16,
            **more,
        )

    def until(self, holds):
        """Ask again until something holds, as long as the proxy lives, and the time is not over."""
        end = time.monotonic() + DEADLINE
        while not (found := holds()):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.02)
            waits = self.process.poll() is None and time.monotonic() < end
            assert waits, self.log.read_text()[-2_000:]
        return found


@contextmanager
def started(folder, policy, provider, *, config=CONFIG, **environment):
    """A proxy in front of a provider, which may not be up yet."""
    file, log, port, key = folder / "policy.yaml", folder / "log", free_port(), f"sk-{secrets.token_hex(24)}"
    file.write_text(policy)
    command = [Path(sys.executable).with_name("litellm"), "--config", config, "--host", "127.0.0.1"]
    environment = {
        **os.environ,
        "ANTHROPIC_API_BASE": provider,
        "ANTHROPIC_API_KEY": "any",
        "LITELLM_MASTER_KEY": key,
        "POLICY_CACHE_POLICY": str(file),
        "PYTHONPATH": str(REPOSITORY),
        "NO_PROXY": "*",
        **environment,
    }
    with log.open("w") as out:
        process = subprocess.Popen(
            [*map(str, command), "--port", str(port)],
            cwd=folder,
            env={name: value for name, value in environment.items() if value is not None},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        proxy = Proxy(process, f"http://127.0.0.1:{port}", key, file, log)
        try:
            with proxy.openai, proxy.anthropic:
                yield proxy
        finally:
            process.terminate()
            process.wait()


@contextmanager
def running(folder, policy, provider, **more):
    """The same, once it answers."""
    with started(folder, policy, provider, **more) as proxy:
        proxy.until(lambda: is_up(proxy.url))
        yield proxy


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_up(url):
    try:
        # A client that could speak TLS takes long to make.
        return httpx.get(f"{url}/health/liveliness", trust_env=False, verify=False).status_code == 200
    except httpx.TransportError:
        return False


def metrics(proxy):
    """What it tells Prometheus."""
    headers = {"authorization": f"Bearer {proxy.key}"}
    answer = httpx.get(f"{proxy.url}/metrics/", headers=headers, trust_env=False, verify=False)
    return answer.raise_for_status().text
