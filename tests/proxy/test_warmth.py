"""Real litellm proxies keep conversations where they are warm, by configuration alone."""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack
from itertools import cycle, pairwise
from typing import NamedTuple

import pytest
import redis
from click.testing import CliRunner

from benchmarks.routing import Deployment
from policy_cache.cli.main import cli
from policy_cache.emulator import serve
from policy_cache.usage.usage import CacheUsage
from tests.proxy.running import LONG, Proxy, is_up, metrics, started

POLICY = """
version: 1
name: proxied
rules:
  - {name: prefix, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
SMART, DEAR, CHEAP = (f"anthropic/claude-{name}" for name in ("sonnet-4-5", "opus-4-1", "haiku-4-5"))
CALLS = [(path, stream) for path in ("chat", "messages", "responses") for stream in (False, True)]
TURNS = 6


class Kept(NamedTuple):
    """A proxy, and the file in which it records what was answered."""

    proxy: Proxy
    trace: object

    def answered(self):
        return len(self.trace.read_text().splitlines()) if self.trace.exists() else 0


@pytest.fixture(scope="module")
def deployments():
    """Providers that share no cache."""
    return [Deployment() for _ in range(3)]


@pytest.fixture(scope="module")
def proxies(deployments, redis_server, tmp_path_factory):
    """Those without warmth (`off`), with it (`alone`), and two that share it through Redis."""
    # A busy machine may make Redis wait for longer than a router should.
    shared = f"{redis_server.url}?socket_timeout=30&socket_connect_timeout=30"
    options = {
        "off": {},
        "alone": {"warmth": True},
        "first": {"warmth": {"redis": shared}},
        "second": {"warmth": {"redis": shared, "max_premium": 1_000}},
    }
    with ExitStack() as running:
        urls = [running.enter_context(serve(deployment)) for deployment in deployments]
        begun = {}
        for name, option in options.items():
            folder = tmp_path_factory.mktemp(name)
            (folder / "config.yaml").write_text(json.dumps(config(urls, option)))
            more = {"config": folder / "config.yaml", "POLICY_CACHE_POLICY": None}
            proxy = running.enter_context(started(folder, POLICY, "", **more))
            begun[name] = Kept(proxy, folder / "trace.jsonl")
        for kept in begun.values():
            kept.proxy.until(lambda kept=kept: is_up(kept.proxy.url))
        yield begun


def config(urls, option):
    def deployment(alias, model, url):
        params = {"model": model, "api_base": url, "api_key": "any", "max_retries": 0}
        return {"model_name": alias, "litellm_params": params}

    return {
        "model_list": [
            *(deployment("smart", SMART, url) for url in urls),
            deployment("dear", DEAR, urls[0]),
            deployment("mixed", DEAR, urls[0]),
            deployment("mixed", CHEAP, urls[1]),
        ],
        "router_settings": {"num_retries": 3, "retry_after": 0, "cooldown_time": 1},
        "litellm_settings": {
            "callbacks": ["policy_cache.integrations.litellm.proxy_handler", "prometheus"],
            "policy_cache": {
                "policy": "policy.yaml",
                "record": {"path": "trace.jsonl", "text": "hashed"},
                "metrics": "prometheus",
                **option,
            },
        },
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }


@pytest.fixture
def say(deployments):
    """Send the next turn of a conversation: which deployment answered, and how much of it was read."""

    def say(kept, talk, path="chat", *, stream=False, model="smart"):
        talk.append({"role": "user", "content": f"{talk[0]['content'][:16]}, turn {len(talk)}. " * 60})
        before, answered = [one.requests for one in deployments], kept.answered()
        more = {"stream": True} if stream else {}
        if stream and path == "chat":
            more["stream_options"] = {"include_usage": True}
        answer = getattr(kept.proxy, path)(list(talk), model, **more)
        usage = CacheUsage.from_response(last(answer) if stream else answer)
        talk.append({"role": "assistant", "content": "Noted. " * 40})
        # What was answered is told behind the caller's back.
        kept.proxy.until(lambda: kept.answered() > answered)
        [by] = [n for n, one in enumerate(deployments) if one.requests > before[n]]
        return by, usage.read

    return say


def last(stream):
    """What a stream says of its usage."""
    told = [
        whole
        for event in stream
        for whole in (getattr(event, "message", None), getattr(event, "response", None), event)
        if getattr(whole, "usage", None)
    ]
    return next((whole for whole in told if CacheUsage.from_response(whole).prompt), None)


def conversation():
    return [{"role": "system", "content": f"{secrets.token_hex(8)} {LONG}"}]


def stays(said):
    places, reads = zip(*said, strict=True)
    assert len(set(places)) == 1
    assert reads[0] == 0
    assert all(later > earlier for earlier, later in pairwise(reads))


@pytest.mark.parametrize(("path", "stream"), CALLS)
def test_a_conversation_stays_where_it_is_warm(proxies, say, path, stream):
    talk = conversation()
    stays([say(proxies["alone"], talk, path, stream=stream) for _ in range(TURNS)])


def test_without_warmth_conversations_wander(proxies, say):
    wandered = 0
    for path, stream in CALLS:
        talk = conversation()
        wandered += len({say(proxies["off"], talk, path, stream=stream)[0] for _ in range(TURNS)}) > 1
    assert wandered


def leave(kept, say):
    """Where a conversation is that begins at a dear model, until it has left it."""
    talk = conversation()
    places = [say(kept, talk, model="dear")[0]]
    while places[-1] == 0 and len(places) < 40:
        places.append(say(kept, talk, model="mixed")[0])
    return talk, places


def test_a_dear_model_is_left_although_it_is_warm(proxies, say):
    talk, places = leave(proxies["alone"], say)
    assert places[-1] == 1
    assert {say(proxies["alone"], talk, model="mixed")[0] for _ in range(4)} == {1}


def test_unless_its_premium_is_allowed(proxies, say):
    talk = conversation()
    stays([say(proxies["second"], talk, model=model) for model in ("dear", *["mixed"] * 5)])


def test_what_switches_of_model_cost_is_counted(proxies, say):
    kept = proxies["alone"]
    leave(kept, say)
    lines = [json.loads(line)["policy"] for line in kept.trace.read_text().splitlines()]
    switches = [line["switch"] for line in lines if "switch" in line]
    assert {switch["from"] for switch in switches} == {DEAR}
    counted = f'policy_cache_model_switches_total{{route="anthropic"}} {len(switches):.1f}'
    kept.proxy.until(lambda: counted in metrics(kept.proxy))
    stats = CliRunner().invoke(cli, ["stats", str(kept.trace)]).output
    assert f"{len(switches)} switch" in stats


@pytest.mark.parametrize(("path", "stream"), CALLS)
def test_two_proxies_share_what_is_warm(proxies, say, path, stream):
    turns = cycle([proxies["first"], proxies["second"]])
    talk = conversation()
    stays([say(next(turns), talk, path, stream=stream) for _ in range(TURNS)])


def test_a_redis_that_is_killed_costs_no_request(proxies, say, redis_server):
    both = proxies["first"], proxies["second"]
    turns, talk = cycle(both), conversation()
    stays([say(next(turns), talk) for _ in range(4)])
    redis_server.kill()
    try:
        for path, stream in CALLS:
            say(next(turns), talk, path, stream=stream)
    finally:
        redis_server.start()
    with redis.Redis.from_url(redis_server.url) as server:
        for kept in both:  # each asks it again after a while
            server.flushdb()
            kept.proxy.until(lambda kept=kept: say(kept, conversation()) and server.dbsize())
    talk = conversation()
    stays([say(next(turns), talk) for _ in range(4)])


def test_a_deployment_that_fails_is_left_and_nothing_is_lost(proxies, deployments, say):
    talks = [(conversation(), path, stream) for path, stream in CALLS]

    def turn():
        return [say(proxies["alone"], talk, path, stream=stream)[0] for talk, path, stream in talks]

    begun = turn()
    assert turn() == begun
    away = begun[0]
    deployments[away].away = True
    try:
        moved = turn()
        assert away not in moved
        assert all(now == before for now, before in zip(moved, begun, strict=True) if before != away)
        assert turn() == moved
    finally:
        deployments[away].away = False
    assert turn() == moved
