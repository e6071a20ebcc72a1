"""The optimum is never above what a placement costs, and a growing conversation can reach it."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy_cache.cache.explicit import CacheModel, CacheOutcome
from policy_cache.forecast.optimum import Optimum
from policy_cache.providers.prices import claude_prices
from tests.cache.prompts import block, explicit_rules, prompt, send, texts
from tests.forecast.placements import cheapest, paid_for

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


def optimum(sent, prices=PLAIN, minimum=0, *, pings=False):
    found = Optimum(explicit_rules(minimum), pings=pings)
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


def block_by_block(sent, prices, minimum, *, pings=False):
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
    return total + sum(_least(known, pings=pings) for known in touches.values())


def _least(touches, *, pings):
    # What was paid, by when the block is no longer covered, and for how long a read covers it.
    found, ping = {(float("-inf"), 0): 0}, Decimal("Infinity")
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
            elif lifetime and pings:
                pinged = ping * Decimal((at - until + lifetime) // lifetime)
                after.append(((at + lifetime, lifetime), plain * read + pinged))
            for then, price in after:
                following[then] = min(paid + price, following.get(then, paid + price))
        # A prompt sent before is what a ping sends.
        found, ping = following, min(ping, plain * read)
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
    paid, _ = cheapest(sent, prices, explicit_rules(minimum), everywhere=True)
    assert optimum(sent, prices, minimum) <= paid


@pytest.mark.property
@settings(max_examples=50)
@given(sequences(most=4, longest=4), rates)
def test_the_best_placement_is_where_prompts_end_or_part(sent, prices):
    paid, _ = cheapest(sent, prices, explicit_rules())
    assert cheapest(sent, prices, explicit_rules(), everywhere=True)[0] == paid


@pytest.mark.property
@settings(max_examples=30)
@given(sequences(most=6, longest=24), rates)
def test_the_best_placement_of_long_prompts_costs_no_less(sent, prices):
    paid, placed = cheapest(sent, prices, explicit_rules())
    assert optimum(sent, prices) <= paid
    cache = CacheModel(explicit_rules())
    assert paid == sum(
        paid_for(send(cache, prompt_, at), prices) for prompt_, (_, at) in zip(placed, sent, strict=True)
    )


@pytest.mark.property
@settings(max_examples=50)
@given(conversations(), rates, st.sampled_from([0, 50]))
def test_a_growing_conversation_reaches_it(sent, prices, minimum):
    paid, _ = cheapest(sent, prices, explicit_rules(minimum), everywhere=True)
    assert optimum(sent, prices, minimum) == paid


def test_behind_what_is_shared_an_hour_costs_an_hour_of_that_too():
    """The bound keeps the shared block for five minutes, since somebody reads it every 100 seconds."""
    shared = block("shared", 8_000)
    sent = [(prompt(shared, block(f"{n % 4}", 1_600)), 100 * n) for n in range(12)]
    conversations = 4 * 1_600 * Decimal("2.05")
    reads = 11 * 200
    assert optimum(sent, CHEAP_READS) == 10_000 + reads + conversations
    assert cheapest(sent, CHEAP_READS, explicit_rules())[0] == 16_000 + reads + conversations


@pytest.mark.property
@given(sequences(most=20), rates, st.sampled_from([0, 1, 50, 150]), st.booleans())
def test_runs_cost_what_their_blocks_do(sent, prices, minimum, pings):
    assert optimum(sent, prices, minimum, pings=pings) == block_by_block(sent, prices, minimum, pings=pings)


class TestPings:
    """A read between requests lets an entry outlive the pause."""

    @pytest.mark.parametrize(
        ("times", "least"),
        [
            ([0, 299], 125 + 10),
            ([0, 300], 125 + 10 + 10),
            ([0, 599], 125 + 10 + 10),
            ([0, 600], 125 + 2 * 10 + 10),
            ([0, 900, 1_800], 125 + 2 * (3 * 10 + 10)),
            ([0, 1_200, 2_400], 200 + 10 + 10),
            ([0, 4_000], 200),
            ([0, 4_000, 8_000], 200 + 2 * (10 + 10)),
        ],
    )
    def test_a_block(self, times, least):
        assert optimum([(prompt(*texts(1)), at) for at in times], pings=True) == least

    def test_it_is_kept_for_as_long_as_that_can_pay(self):
        sent = [(prompt(*texts(1)), 18 * 3_600 * n) for n in range(3)]
        assert optimum(sent, CHEAP_READS, pings=True) == 200 + 2 * Decimal("2.5") * (18 + 1)

    @pytest.mark.property
    @given(sequences(most=20), rates, st.sampled_from([0, 50]))
    def test_they_never_cost_more(self, sent, prices, minimum):
        assert optimum(sent, prices, minimum, pings=True) <= optimum(sent, prices, minimum)

    @pytest.mark.property
    @given(sequences(most=20), rates)
    def test_they_are_for_longer_pauses(self, sent, prices):
        closer = [(plain, at / 1_000) for plain, at in sent]
        assert optimum(closer, prices, pings=True) == optimum(closer, prices)

    @pytest.mark.property
    @given(
        sequences(),
        rates,
        st.lists(st.tuples(markers, st.sampled_from([None, 299, 3_599])), min_size=12),
    )
    def test_no_placement_with_pings_costs_less(self, sent, prices, chosen):
        cache = CacheModel(explicit_rules())
        paid = Decimal(0)
        following = [at for _, at in (*sent[1:], sent[-1])]
        for (plain, at), (ttls, every), until in zip(sent, chosen, following, strict=False):
            placed = mark(plain, ttls)
            paid += paid_for(send(cache, placed, at), prices)
            for again in range(1, int((until - at) // every) + 1 if every else 0):
                plan = cache.plan(placed, at + again * every)
                if plan.writes:
                    break
                cache.commit(plan, plan.started)
                paid += paid_for(CacheOutcome(read=plan.outcome.read), prices)
        assert optimum(sent, prices, pings=True) <= paid
