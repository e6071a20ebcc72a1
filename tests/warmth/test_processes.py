"""Two real processes and a real Redis: what one sends, the other quotes to the token."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.emulator.test_simulator import POLICIES
from tests.warmth.test_quote import send, traffic
from tests.warmth.test_shared import REQUEST
from tests.warmth.worker import worker

pytestmark = pytest.mark.property

KEYS = count()
# A process's time never goes back, whichever test it is: from a million seconds to the next million.
TIMES = count(1_000_000, 1_000_000)


@pytest.fixture(scope="module")
def workers(redis_server, provider):
    _, clock = provider
    with worker(redis_server.url, clock) as first, worker(redis_server.url, clock) as second:
        yield first, second


@pytest.fixture
def asked_by(workers):
    """Both, under one of the policies; whoever is asked next is drawn."""

    def asked_by(policy, data):
        for process in workers:
            process.policy = policy
        return lambda: workers[data.draw(st.integers(0, 1))]

    return asked_by


policies = st.integers(0, len(POLICIES) - 1)


@settings(max_examples=30)
@given(traffic(), policies, st.data())
def test_a_quote_is_the_usage_whichever_process_learned_of_it(client, clock, asked_by, sent, policy, data):
    one, number = asked_by(policy, data), next(KEYS)
    clock.now = next(TIMES)
    for gap, scope, model, request in sent:
        clock.now += gap
        asked = request | {"model": model}
        done = send(client, POLICIES[policy], (one(), one()), clock, asked, f"p{scope}{number}")
        if done is not None:
            quote, usage = done
            assert quote.tokens == usage.outcome
            assert quote.sure != "unknown"


@settings(max_examples=15)
@given(traffic(), traffic(), policies, st.data())
def test_a_redis_that_is_killed_and_comes_back_empty(
    client, clock, asked_by, redis_server, sent, later, policy, data
):
    one, number = asked_by(policy, data), next(KEYS)
    killed = data.draw(st.integers(0, len(sent)))
    restarted = data.draw(st.integers(killed, len(sent)))

    def sends(some, key):
        for gap, scope, model, request in some:
            clock.now += gap
            asked = request | {"model": model}
            done = send(client, POLICIES[policy], (one(), one()), clock, asked, f"{key}{scope}{number}")
            if done is not None:
                assert done[0].tokens.total == done[1].outcome.total
                yield done

    clock.now = next(TIMES)
    for quote, usage in sends(sent[:killed], "k"):
        assert quote.tokens == usage.outcome
    redis_server.kill()
    try:
        for quote, _ in sends(sent[killed:restarted], "k"):
            assert (quote.is_warm, quote.sure) == (False, "modelled")
    finally:
        redis_server.start()
    clock.now += 1  # it is asked again
    for quote, usage in sends(sent[restarted:], "k"):
        assert quote.tokens.read <= usage.read
        assert quote.sure != "unknown"
    for quote, usage in sends(later, "l"):
        assert quote.tokens == usage.outcome


def test_a_reported_read_brings_back_what_was_lost_for_the_other_process_too(
    client, clock, workers, redis_server
):
    engine, key = POLICIES[0], f"back{next(KEYS)}"
    clock.now = next(TIMES)
    first, second = workers
    first.policy = second.policy = 0
    for quotes, learns in ((first, second), (second, first)):
        quote, usage = send(client, engine, (quotes, learns), clock, REQUEST, key)
        assert quote.tokens == usage.outcome
    assert quote.sure == "reported"
    redis_server.kill()
    redis_server.start()
    clock.now += 1
    quote, usage = send(client, engine, (first, second), clock, REQUEST, key)
    assert not quote.is_warm
    assert usage.read
    quote, usage = send(client, engine, (first, second), clock, REQUEST, key)
    assert (quote.tokens, quote.sure) == (usage.outcome, "reported")


def test_nothing_went_wrong_in_either_process(workers):
    for process in workers:
        warmth, table = process.faults()
        assert warmth == {}
        assert set(table) <= {"ConnectionError"}
