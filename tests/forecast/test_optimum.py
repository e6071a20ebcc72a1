"""The optimum is never above what a placement costs, and a growing conversation can reach it."""

from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheModel
from policy_cache.forecast.optimum import Optimum
from policy_cache.providers.prices import claude_prices
from tests.cache.prompts import block, explicit_rules, prompt, send, texts

# One USD for an uncached token, so that costs are in tokens.
PLAIN = claude_prices(Decimal(1_000_000), Decimal(0))
CHEAP_READS = claude_prices(Decimal(1_000_000), Decimal(0), read=Decimal("0.025"))
LONG = replace(PLAIN, larger=((150, claude_prices(Decimal(5_000_000), Decimal(0))),))
SIZES = {"a": 0, "b": 1, "c": 10, "d": 100, "e": 7, "f": 60}

rates = st.sampled_from([PLAIN, CHEAP_READS, LONG])
gaps = st.sampled_from([0, 1, 100, 299.5, 300, 1000, 3599.5, 3600, 5000])
delays = st.sampled_from([0, 0, 2, 400])
markers = st.lists(st.sampled_from([None, "5m", "1h"]), min_size=12, max_size=12)


def made(text, **fields):
    return prompt(*(block(name, SIZES[name]) for name in text), **fields)


def mark(plain, ttls):
    return plain.mark({i: ttl for i, ttl in zip(range(len(plain.blocks)), ttls, strict=False) if ttl})


def optimum(sent, prices=PLAIN, minimum=0):
    found = Optimum(explicit_rules(minimum))
    for plain, at in sent:
        found.add(plain, at, prices)
    return found.total


@st.composite
def sequences(draw, most=12, longest=12):
    """Prompts that go on from an earlier one, repeat it, leave it on the way, or begin anew; and when."""
    sent, at, known = [], 0.0, [""]
    for _ in range(draw(st.integers(1, most))):
        text = draw(st.sampled_from(known))
        if draw(st.booleans()):
            text = text[: draw(st.integers(0, len(text)))]
        known.append((text + draw(st.text("abcdef", max_size=3)))[:longest])
        sent.append((made(known[-1], tail=draw(st.integers(0, 3))), at))
        at += draw(gaps)
    return sent


@st.composite
def conversations(draw):
    """Up to four prompts of up to five blocks, each of which goes on from the one before; and when."""
    text = draw(st.text("abcdef", min_size=1, max_size=5))
    lengths = sorted(draw(st.lists(st.integers(1, len(text)), min_size=1, max_size=4)))
    at, sent = 0.0, []
    for length in lengths:
        sent.append((made(text[:length]), at))
        at += draw(gaps)
    return sent


def placements(plain):
    """Every choice of breakpoints, those for an hour before those for five minutes."""
    for ttls in product((None, "5m", "1h"), repeat=len(plain.blocks)):
        chosen = [ttl for ttl in ttls if ttl]
        if chosen == sorted(chosen):
            yield mark(plain, ttls)


def paid_for(outcome, prices):
    return cost(outcome, prices.for_prompt(outcome.total))


def cheapest(sent, prices=PLAIN, minimum=0):
    """The cost of the best placement, all of them tried; of equal caches the cheapest is followed."""
    found = {frozenset(): (Decimal(0), {})}
    for plain, at in sent:
        following = {}
        for (paid, entries), placed in product(found.values(), list(placements(plain))):
            cache = CacheModel(explicit_rules(minimum))
            cache.entries = dict(entries)
            total = paid + paid_for(send(cache, placed, at), prices)
            live = {digest: entry for digest, entry in cache.entries.items() if entry.expires > at}
            state = frozenset((digest, entry.ttl, entry.expires) for digest, entry in live.items())
            if state not in following or total < following[state][0]:
                following[state] = total, live
        found = following
    return min(paid for paid, _ in found.values())


def block_by_block(sent, prices, minimum):
    """The same bound, for each block alone, with everything that a request could do to it tried."""
    total, touches = Decimal(0), {}
    for plain, at in sent:
        price = prices.for_prompt(plain.tokens)
        token = price.input / 1_000_000
        if plain.tokens - plain.tail < minimum:
            total += plain.tokens * token
            continue
        total += plain.tail * token
        for digest, one in zip(plain.prefix.digests, plain.blocks, strict=True):
            touches.setdefault(digest, []).append((at, one.tokens * token, price.read / price.input))
    return total + sum(map(_least, touches.values()))


def _least(touches):
    # What was paid, by when the block is no longer covered, and for how long a read covers it.
    found = {(float("-inf"), 0): 0}
    for at, plain, read in touches:
        following = {}
        for (until, lifetime), paid in found.items():
            after = [
                ((until, lifetime), plain),
                ((at + 300, 300), plain * Decimal("1.25")),
                ((at + 3600, 3600), plain * 2),
            ]
            if at < until:
                after.append(((at + lifetime, lifetime), plain * read))
            for then, price in after:
                following[then] = min(paid + price, following.get(then, paid + price))
        found = following
    return min(found.values())


class TestOneBlock:
    """A block of 100 tokens, on exact numbers."""

    @pytest.mark.parametrize(
        ("times", "least"),
        [
            ([0], 100),
            ([0, 299], 125 + 10),
            ([0, 300], 200),
            ([0, 300, 600], 200 + 10 + 10),
            ([0, 3599, 7198], 200 + 10 + 10),
            ([0, 3600], 200),
            ([0, 3600, 3601], 100 + 125 + 10),
            ([0, 299, 598, 897], 125 + 3 * 10),
        ],
    )
    def test_the_cheaper_lifetime_is_taken(self, times, least):
        assert optimum([(prompt(*texts(1)), at) for at in times]) == least

    def test_a_fan_out_is_read_from_its_first_request(self):
        assert optimum([(prompt(*texts(1), block(name, 7)), 0) for name in "ab"]) == 125 + 10 + 7 + 7

    def test_reading_it_makes_no_hour_of_five_minutes(self):
        sent = prompt(*texts(1))
        assert optimum([(sent, at) for at in (0, 1, 1000)]) == 200 + 10 + 10
        assert optimum([(sent, at) for at in (0, 1, 1000, 5000, 5001)]) == 200 + 10 + 10 + 125 + 10


def test_the_tail_is_never_cached():
    assert optimum([(prompt(*texts(1), tail=5), at) for at in (0, 1)]) == 125 + 10 + 2 * 5


@pytest.mark.parametrize(("minimum", "least"), [(100, 125 + 10), (101, 200)])
def test_a_prompt_below_the_minimum_is_not_cached(minimum, least):
    assert optimum([(prompt(*texts(1), tail=0), at) for at in (0, 1)], minimum=minimum) == least


def test_an_empty_prompt_costs_its_tail():
    assert optimum([(prompt(tail=3), 0)]) == 3


def test_without_a_price_it_is_unknown():
    assert optimum([(prompt(*texts(1)), 0)], prices=None) is None


def test_what_expired_is_forgotten():
    found = Optimum(explicit_rules())
    for hour in range(100):
        found.add(prompt(block("shared"), block(f"{hour}"), block("end")), 3600 * hour, PLAIN)
        found.add(prompt(block("shared"), block(f"{hour} too")), 3600 * hour + 1, PLAIN)
    (shared,) = found._runs.values()
    assert len(shared.runs) <= 4


def test_a_long_conversation_stays_one_run():
    found = Optimum(explicit_rules())
    for turn in range(100):
        found.add(prompt(*texts(2 * turn + 1)), 30 * turn, PLAIN)
    (conversation,) = found._runs.values()
    (latest,) = conversation.runs.values()
    assert (len(conversation.digests), len(latest.digests), latest.runs) == (197, 2, {})


@pytest.mark.property
@given(
    sequences(), rates, st.sampled_from([0, 1, 50, 150]), st.lists(st.tuples(markers, delays), min_size=12)
)
def test_no_placement_costs_less(sent, prices, minimum, chosen):
    cache = CacheModel(explicit_rules(minimum))
    paid = Decimal(0)
    for (plain, at), (ttls, delay) in zip(sent, chosen, strict=False):
        paid += paid_for(send(cache, mark(plain, ttls), at, available=at + delay), prices)
    assert optimum(sent, prices, minimum) <= paid


@pytest.mark.property
@settings(max_examples=50)
@given(sequences(most=4, longest=3), rates, st.sampled_from([0, 1, 50]))
def test_the_best_placement_costs_no_less(sent, prices, minimum):
    assert optimum(sent, prices, minimum) <= cheapest(sent, prices, minimum)


@pytest.mark.property
@settings(max_examples=50)
@given(conversations(), rates, st.sampled_from([0, 50]))
def test_a_growing_conversation_reaches_it(sent, prices, minimum):
    assert optimum(sent, prices, minimum) == cheapest(sent, prices, minimum)


@pytest.mark.property
@given(sequences(most=20), rates, st.sampled_from([0, 1, 50, 150]))
def test_runs_cost_what_their_blocks_do(sent, prices, minimum):
    assert optimum(sent, prices, minimum) == block_by_block(sent, prices, minimum)
