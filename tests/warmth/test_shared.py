"""Two processes' warmth over a real Redis: what one learns the other quotes."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy_cache import Engine
from policy_cache.cache.entries import Entry
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Table, Warmth
from policy_cache.warmth.shared import RedisTable
from tests.emulator.bodies import LONG
from tests.emulator.test_simulator import POLICIES
from tests.warmth.test_quote import send, traffic

KEYS = count()
REQUEST = {
    "model": "claude-opus-4-8",
    "max_tokens": 16,
    "system": LONG * 9,
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "and now?"},
    ],
}


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def tables(redis_server):
    """Those of two processes."""
    two = [RedisTable(redis_server.url, patience=30.0) for _ in range(2)]
    yield two
    for table in two:
        table.close()


@pytest.mark.property
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(traffic(), st.sampled_from(POLICIES), st.data())
def test_a_quote_is_the_usage_whoever_learned_of_it(client, clock, tables, sent, engine, data):
    two = [Warmth(engine, table=table, clock=clock) for table in tables]
    number = next(KEYS)
    clock.now = 1_000.0
    for gap, scope, model, request in sent:
        clock.now += gap
        asked, told = (two[data.draw(st.integers(0, 1))] for _ in range(2))
        done = send(client, engine, (asked, told), clock, request | {"model": model}, f"r{scope}{number}")
        assert done is None or done[0].tokens == done[1].outcome
    assert [warmth.faults for warmth in two] == [{}, {}]


def answered(warmth, engine, client, key):
    asked = {**REQUEST, "api_key": key}
    response = client.post("/v1/messages", json=engine.rewrite(REQUEST), headers={"x-api-key": key})
    usage = CacheUsage.from_response(response.json())
    warmth.answered(engine.plan(asked), usage)
    return usage


def test_a_redis_that_is_killed_costs_its_knowledge_alone(client, clock, redis_server, request):
    engine, time = Engine.default(), Time()
    table = RedisTable(redis_server.url, patience=30.0, clock=time)
    request.addfinalizer(table.close)
    warmth = Warmth(engine, table=table, clock=clock)
    asked = {**REQUEST, "api_key": "killed"}

    def quote():
        [found] = warmth.quote(asked, [REQUEST["model"]])
        return found

    answered(warmth, engine, client, "killed")
    assert (quote().is_warm, quote().sure) == (True, "reported")
    redis_server.kill()
    try:
        assert not quote().is_warm
        failed = table.faults.total()
        assert failed == 1
        answered(warmth, engine, client, "killed")
        assert table.faults.total() == failed  # it is not asked again at once
    finally:
        redis_server.start()
    assert not quote().is_warm
    time.now += 1
    assert not quote().is_warm
    usage = answered(warmth, engine, client, "killed")
    assert usage.read
    assert quote().is_warm  # a reported read brings it back
    assert quote().tokens == usage.outcome


def test_what_a_silent_redis_answers_too_late_is_taken_for_nothing_else(redis_server, request):
    time = Time()
    table = RedisTable(redis_server.url, patience=1.0, clock=time)
    request.addfinalizer(table.close)
    place, first, second = b"s" * 16, b"1" * 16, b"2" * 16
    entries = {first: Entry(0.0, 9e9), second: Entry(0.0, 8e9, "1h")}
    table.change(place, entries, (), 0.0)
    redis_server.silence()
    try:
        assert table.look(place, [first]) == {}
        assert table.faults == {"TimeoutError": 1}
    finally:
        redis_server.wake()
    time.now += 1
    assert table.look(place, [second]) == {second: entries[second]}
    assert table.look(place, [first, second]) == entries


def test_of_two_answers_at_once_the_later_expiry_stays(tables):
    late, soon = Entry(0.0, 9e9, "1h", reported=True), Entry(0.0, 8e9)
    for table in (tables[0], Table()):
        for entries in ((late, soon), (soon, late)):
            for entry in entries:
                table.change(b"p" * 16, {b"d" * 16: entry}, (), 0.0)
            assert table.look(b"p" * 16, [b"d" * 16]) == {b"d" * 16: late}
            table.change(b"p" * 16, {}, [b"d" * 16], 0.0)
            assert table.look(b"p" * 16, [b"d" * 16]) == {}


def test_an_entry_expires_by_itself(tables):
    table = tables[0]
    table.change(b"e" * 16, {b"d" * 16: Entry(0.0, 300.0)}, (), 0.0)
    [key] = table._redis.keys(b"policy-cache:warmth:1:" + (b"e" * 16).hex().encode() + b"*")
    assert 299_000 < table._redis.pttl(key) <= 300_000
