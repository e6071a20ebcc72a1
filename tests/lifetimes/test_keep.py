"""What a ping is expected to be worth."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.lifetimes import Outlook, Stake, gain, stays
from policy_cache.lifetimes.keep import leaning
from policy_cache.lifetimes.pauses import PRIOR, Law
from policy_cache.providers.prices import claude_prices
from tests.lifetimes.streams import Stream, request

PRICES = claude_prices(Decimal(3), Decimal(15))
WHOLE = Stake(read=100_000, rest=0, lost=100_000)
HAZARDS = st.lists(st.floats(0, 1), min_size=6, max_size=6)


def pinged(law, stake=WHOLE, *, waited=285.0, expires=300.0, lifetime=300.0, ttl="5m", **beside):
    outlook = Outlook(law, **beside)
    return gain(outlook, stake, PRICES, waited=waited, expires=expires, lifetime=lifetime, ttl=ttl)


def test_a_ping_costs_a_read_and_spares_a_write_as_often_as_the_next_request_comes():
    """The whole stretch from five to ten minutes is covered: half of what waits comes in it."""
    half = Law.of((0.9, 0.5, 0.1, 0.1, 0.1, 0.1))
    read, spared = 100_000 * 0.30e-6, 100_000 * (3.75e-6 - 0.30e-6)
    assert pinged(half, waited=300.0) == pytest.approx(0.5 * spared - read)
    assert pinged(half, waited=300.0, ttl="1h") == pytest.approx(0.5 * (spared + 100_000 * 2.25e-6) - read)


def test_only_what_would_be_lost_is_spared_and_all_that_is_sent_is_paid():
    half = Law.of((0.9, 0.5, 0.1, 0.1, 0.1, 0.1))
    stake = Stake(read=100_000, rest=10, lost=40_000, reply=1)
    spared, cost = 40_000 * 3.45e-6, 100_000 * 0.30e-6 + 10 * 3e-6 + 15e-6
    assert pinged(half, stake, waited=300.0) == pytest.approx(0.5 * spared - cost)


@pytest.mark.parametrize(
    ("start", "end", "chance"),
    [
        (300, 600, 0.12),
        (600, 1_200, 0.1),
        (600, 2_400, 1 - 0.9 * 0.92),
        (300, 3_600, 1 - 0.88 * 0.9 * 0.92 * 0.94),
        (0, 300, 0.93),
        (700, 700, 0),
        (3_600, 7_200, 0.02),
        (7_200, 10_000, 0),
    ],
)
def test_a_chance_follows_from_the_hazards(start, end, chance):
    assert Outlook(PRIOR).within(start, end) == pytest.approx(chance)


def test_within_a_stretch_more_comes_early():
    assert Outlook(PRIOR).within(600, 900) > Outlook(PRIOR).within(900, 1_200)


def test_what_has_ended_is_left_alone_however_likely_its_kind_comes_back():
    sure = Law.of((0.9, 0.9, 0.9, 0.9, 0.9, 0.9))
    assert pinged(sure, waited=3_599.0, expires=3_610.0) > 0
    assert pinged(sure, waited=3_600.0, expires=3_610.0) == 0
    assert pinged(sure, waited=3_420.0, expires=3_600.0, lifetime=3_600.0, ttl="1h") > 0


def test_nothing_is_gained_where_no_price_is_known():
    law = Law.of((0.9, 0.9, 0.9, 0.9, 0.9, 0.9))
    assert gain(Outlook(law), WHOLE, None, waited=285, expires=300, lifetime=300, ttl="5m") == 0


@given(hazards=HAZARDS, more=HAZARDS, waited=st.floats(0, 3_599), lifetime=st.sampled_from([300.0, 3_600.0]))
def test_a_gain_rises_with_the_hazards(hazards, more, waited, lifetime):
    higher = [hazard + (1 - hazard) * part for hazard, part in zip(hazards, more, strict=True)]
    expires = waited + lifetime / 20
    one, other = (
        pinged(Law.of(row), waited=waited, expires=expires, lifetime=lifetime) for row in (hazards, higher)
    )
    assert other >= one - 1e-9


@given(
    waited=st.floats(0, 10_000),
    size=st.integers(0, 1_000_000),
    rest=st.integers(0, 10),
    ttl=st.sampled_from(["5m", "1h"]),
    faster=st.floats(0, 100),
)
def test_what_never_comes_is_never_pinged(waited, size, rest, ttl, faster):
    never = Law.of((0.0,) * 6)
    stake = Stake(size, rest, size)
    assert pinged(never, stake, waited=waited, expires=waited + 15, ttl=ttl, faster=faster) <= 0


def test_a_conversation_that_comes_back_by_itself_is_likelier_to():
    """As often as its kind, the hazards add up alike; twice the odds of coming back, and faster."""
    assert leaning(PRIOR, PRIOR.medium) == pytest.approx(1)
    law = Law.of((0.9, 0.5, 0.0, 0.0, 0.0, 0.9))
    assert Outlook(law, leaning(law, 0.15)).within(300, 600) == pytest.approx(0.15 / (0.15 + 0.05))
    assert leaning(Law.of((0.9, 0.0, 0.0, 0.0, 0.0, 0.9)), 0.5) == 1


@pytest.mark.parametrize(
    ("pauses", "lost", "stays_warm"),
    [
        # A ping, of 3 cents, outlives every pause; an hour costs 57 once, where it comes back at all.
        (5.0, 100_000, True),
        (50.0, 100_000, False),
        # Of what is read, only a part would be lost, and be written again.
        (5.0, 20_000, False),
    ],
)
def test_pings_go_on_while_they_cost_less_than_an_hour(pauses, lost, stays_warm):
    law = Law.of((0.9, 0.99, 0.0, 0.0, 0.0, 0.0))
    outlook = Outlook(law, pauses=pauses, hour=True)
    assert stays(outlook, Stake(100_000, 0, lost), PRICES, 300.0) is stays_warm


def test_where_no_ping_pays_an_hour_is_paid_instead_of_each_pause():
    """Half of what waits comes back after forty minutes: an entry would be written again each time."""
    law = Law.of((0.9, 0.0, 0.0, 0.0, 0.5, 0.0))
    assert not stays(Outlook(law, pauses=3.0), WHOLE, PRICES, 300.0)
    assert stays(Outlook(law, pauses=0.1), WHOLE, PRICES, 300.0)


def test_what_was_learned_tells_of_a_conversation_that_waits_and_of_no_other():
    stream = Stream()
    stream.send(request("a"))
    outlook = stream.outlook("a")
    assert (outlook.ttl, outlook.shared, outlook.faster) == ("5m", "1h", 1.0)
    assert stream.outlook("b") is None
    stream.send(request("a"), 400.0)
    assert stream.outlook("a").faster > 1
    stream.send(request("b"), 7_201.0)
    assert stream.outlook("a") is None


def test_what_was_pinged_lives_on_and_counts_as_no_request():
    """For an hour, once it was written so: that holds as long as it lives."""
    stream = Stream()
    stream.live([f"talk {index}" for index in range(20)], [600.0] * 6)
    stream.send(request("a"), 4_000.0)
    talk = stream.conversation(request("a"))
    before = stream.outlook("a")
    assert before.ttl == "1h"
    stream.now += 3_500
    stream.lifetimes.renew(talk, stream.now)
    stream.lifetimes.renew(talk, stream.now - 1_000)
    assert stream.outlook("a") == before
    stream.now += 3_500
    assert stream.lifetimes._sessions.last[talk.session].at == stream.now - 3_500
