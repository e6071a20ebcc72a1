"""What processes learn together, through a real Redis."""

from __future__ import annotations

import json
import logging
import random
import sys

import pytest
import redis

from policy_cache import Engine, PolicyError
from policy_cache.lifetimes import Lifetimes
from policy_cache.lifetimes.pauses import BOUNDS, Pauses
from policy_cache.lifetimes.shared import SharedState
from tests.lifetimes.streams import Stream, request
from tests.lifetimes.test_lifetimes import HOUR, SHARED, names

EMPTY = (Pauses(), Pauses())


@pytest.fixture
def url(redis_server):
    redis.Redis.from_url(redis_server.url).flushall()
    return f"{redis_server.url}?socket_timeout=30&socket_connect_timeout=30"


def seen(pauses):
    return [*pauses.followed, *pauses.waited_on]


def live(pauses, draw, events):
    for _ in range(events):
        (pauses.follows if draw.random() < 0.6 else pauses.waits_on)(draw.randrange(len(BOUNDS)))


@pytest.mark.parametrize("rounds", [1, 7])
def test_two_processes_know_what_one_would_that_saw_all(url, rounds):
    """Up to the order in which events fade, which is lost within an exchange."""
    draw, alone = random.Random(1), random.Random(1)
    states = [SharedState(url), SharedState(url)]
    counts = [(Pauses(), Pauses()) for _ in states]
    whole = (Pauses(), Pauses())
    for _ in range(rounds):
        for state, known in zip(states, counts, strict=True):
            for pauses in known:
                live(pauses, draw, 20)
            state.save(known, {})
            for pauses in whole:
                live(pauses, alone, 20)
    states[0].save(counts[0], {})
    for known, expected in zip(counts[0], whole, strict=True):
        assert seen(known) == pytest.approx(seen(expected), rel=1e-9)
    loaded, _ = SharedState(url).load()
    assert seen(loaded[0]) == pytest.approx(seen(whole[0]))


def test_nothing_is_told_twice(url):
    state, known = SharedState(url), (Pauses(), Pauses())
    live(known[0], random.Random(2), 50)
    before = seen(known[0])
    for _ in range(5):
        state.save(known, {})
        assert seen(known[0]) == pytest.approx(before)


def test_old_counts_fade_once_whoever_exchanges(url):
    states = [(SharedState(url), (Pauses(), Pauses())) for _ in range(4)]
    for _, known in states:
        known[0].follows(2)
    for _ in range(60):
        for state, known in states:
            for _ in range(10):
                known[0].follows(0)
            state.save(known, {})
    last = states[-1][1][0].followed
    # 2,400 others make half of a half of … six times over.
    assert last[2] == pytest.approx(4 * 0.5**6, rel=0.1)
    assert last[0] < 600


def test_a_process_chooses_by_what_another_saw(url):
    teacher, pupil = Stream(state=url), Stream(state=url)
    teacher.live(names(20), [600.0] * 6)
    teacher.now += 4_000
    teacher.send(request("last"))
    teacher.lifetimes.save()
    pupil.now = teacher.now
    assert pupil.ttls(request("new")) == SHARED
    pupil.lifetimes.save()
    assert pupil.ttls(request("new")) == teacher.ttls(request("new")) == HOUR


def test_kinds_are_told_apart(url):
    state = SharedState(url)
    known = {b"\1" * 8: (Pauses(), Pauses()), b"\2" * 8: (Pauses(), Pauses())}
    known[b"\1" * 8][0].follows(3)
    state.save(EMPTY, known)
    other = {b"\1" * 8: (Pauses(), Pauses()), b"\2" * 8: (Pauses(), Pauses())}
    SharedState(url).save((Pauses(), Pauses()), other)
    assert [round(sum(seen(kind[0]))) for kind in other.values()] == [1, 0]


def test_no_text_and_an_end(url):
    stream = Stream(state=url)
    stream.live(names(3), [20.0] * 3)
    stream.lifetimes.save()
    client = redis.Redis.from_url(url)
    keys = list(client.scan_iter())
    assert len(keys) == 2
    for key in keys:
        assert key.startswith(b"policy-cache:lifetimes:1:")
        assert 0 < client.ttl(key) <= 7 * 86_400
        assert all(isinstance(count, (int, float)) for part in json.loads(client.get(key)) for count in part)


@pytest.mark.parametrize(
    "value", ["", "x", "[]", "null", "[1, 2, 3, 4]", '[["a"], [1], [1], [1]]', "[[1], [1], [1], [1]]"]
)
def test_what_somebody_else_wrote_costs_nothing_but_the_knowledge(url, value, caplog):
    redis.Redis.from_url(url).set("policy-cache:lifetimes:1:all", value)
    stream = Stream(state=url)
    stream.live(names(20), [600.0] * 6)
    stream.lifetimes.save()
    assert stream.ttls(request("new")) == Stream().ttls(request("new")) or stream.ttls(request("new")) == HOUR
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) <= 1


@pytest.mark.parametrize(
    "value", ["5", "{", "[1,2,3,4]", "[[null,1]]", "[[1e308],[1],[1],[1]]", f"{[[-5.0] * 6] * 4}", None]
)
def test_a_key_that_is_not_right_is_begun_anew_and_nothing_is_told_twice(url, value):
    name, client = b"\1" * 8, redis.Redis.from_url(url)
    key = f"policy-cache:lifetimes:1:{name.hex()}"
    client.set(key, value) if value else client.lpush(key, "1")
    state, general, kind = SharedState(url), (Pauses(), Pauses()), (Pauses(), Pauses())
    general[0].follows(1)
    kind[0].follows(1)
    for _ in range(5):
        state.save(general, {name: kind})
    loaded, _ = SharedState(url).load()
    assert sum(loaded[0].followed) == sum(kind[0].followed) == pytest.approx(1)


class TestAway:
    @pytest.fixture
    def away(self, free_tcp_port):
        return f"redis://127.0.0.1:{free_tcp_port}"

    def test_what_was_learned_stays(self, away, caplog):
        stream = Stream(state=away)
        stream.live(names(20), [600.0] * 6)
        for _ in range(3):
            stream.lifetimes.save()
        assert stream.ttls(request("new")) == HOUR
        [told] = [record for record in caplog.records if "not shared" in record.message]
        assert "ConnectionError" in told.message

    def test_it_is_told_later(self, url, monkeypatch):
        state, known = SharedState(url), (Pauses(), Pauses())
        known[0].follows(1)
        monkeypatch.setattr(state, "_add", lambda *_: 1 / 0)
        state.save(known, {})
        monkeypatch.undo()
        state.save(known, {})
        loaded, _ = SharedState(url).load()
        assert sum(loaded[0].followed) == pytest.approx(1)

    def test_a_request_is_rewritten_meanwhile(self, away):
        engine = Engine.from_config({"enabled": True, "state": away})
        sent = engine.rewrite(request("a"))
        engine.learn(request("a"), read=0, written=4_000)
        engine.close()
        assert sent != request("a")

    def test_an_address_that_is_none(self):
        with pytest.raises(ValueError, match="Port"):
            Lifetimes(state="redis://localhost:port")


class TestOptions:
    def test_an_address_that_is_none(self):
        with pytest.raises(PolicyError, match="`state` is not the address of a Redis"):
            Engine.from_config({"enabled": True, "state": "redis://localhost:port"})

    def test_a_library_that_is_not_there(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "policy_cache.lifetimes.shared", None)
        with pytest.raises(PolicyError, match="`state` needs redis, which is not installed"):
            Engine.from_config({"enabled": True, "state": "redis://localhost"})
