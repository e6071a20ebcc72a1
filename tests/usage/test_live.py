"""What happens as it happens: the last hour by the minute, everything since the start, and bounded memory."""

from __future__ import annotations

import pickle
from decimal import Decimal

import pytest

from policy_cache import CacheUsage
from policy_cache.providers.prices import claude_prices
from policy_cache.usage.account import Account, priced
from policy_cache.usage.attribution import Owner, Share
from policy_cache.usage.ledger import OTHER
from policy_cache.usage.live import InForce, LiveSums
from policy_cache.usage.totals import Totals
from tests.clock import Clock

# The start of a minute.
NOON = 1_700_000_040.0
RATES = claude_prices(Decimal(3), Decimal(15))


def account(model="m", rule="prefix", revision="r1", *, read=0, written=0, uncached=0, rates=RATES):
    usage = CacheUsage(read=read, write_5m=written, uncached=uncached)
    shares = priced((Share(Owner("policy", rule), read, written),), rates)
    return Account(model, "anthropic", revision, (rule,), usage, rates, shares, "cold", policy="team")


def live_at(now=NOON):
    clock = Clock(now)
    return LiveSums(clock=clock), clock


def test_the_hour_is_the_sum_of_its_minutes():
    live, clock = live_at()
    for number in range(90):
        clock.now = NOON + 60 * number
        live.add(account(read=1_000 + number, uncached=10))
    found = live.snapshot()
    assert len(found.minutes) == 60
    assert [minute.totals.read for minute in found.minutes] == [1_000 + number for number in range(30, 90)]
    assert found.minutes[-1].at == clock.now
    assert found.hour.read == sum(minute.totals.read for minute in found.minutes)
    assert found.hour.known_saved == sum(minute.totals.known_saved for minute in found.minutes)
    assert (found.hour.requests, found.whole.requests, found.whole.hits) == (60, 90, 90)
    [row] = found.rows
    assert (row.name, row.hour, row.whole) == ("m", found.hour, found.whole)
    # Reading a token costs a tenth of $3 a million.
    assert found.whole.known_saved == Decimal("0.0000027") * found.whole.read


def test_what_was_an_hour_ago_is_gone_from_it_though_nothing_happens():
    live, clock = live_at()
    live.add(account(read=5))
    clock.now += 3_599
    assert live.snapshot().hour.read == 5
    clock.now += 1
    found = live.snapshot()
    assert (found.hour, found.whole.read, found.since, found.latest) == (Totals(), 5, NOON, NOON)


def test_a_request_counts_when_it_was():
    live, _ = live_at(NOON + 7_200)
    live.add(account(read=1), NOON)
    live.add(account(read=2), NOON + 7_100)
    live.add(account(read=4), 0.0)  # nobody knows
    found = live.snapshot()
    assert (found.hour.read, found.whole.read) == (2, 7)
    assert (found.since, found.latest, found.whole_seconds) == (NOON, NOON + 7_100, 7_200)


def test_a_clock_that_is_ahead_does_not_hide_what_comes_after():
    live, clock = live_at()
    live.add(account(read=1), NOON + 10**9)
    live.add(account(read=2), NOON)
    assert live.snapshot().hour.read == 3
    clock.now += 3_600
    assert live.snapshot().hour.read == 0


def test_the_rates_of_a_short_time_are_those_of_a_minute():
    live, clock = live_at()
    assert (live.snapshot().seconds, live.snapshot().since) == (60, None)
    live.add(account(read=1))
    clock.now += 1
    assert (live.snapshot().seconds, live.snapshot().whole_seconds) == (60, 60)
    clock.now += 7_199
    assert (live.snapshot().seconds, live.snapshot().whole_seconds) == (3_600, 7_200)


def test_rows_by_model_and_by_rule_the_busiest_of_the_hour_first():
    live, clock = live_at()
    live.add(account("idle", "old", read=1_000_000))
    clock.now += 4_000
    live.add(account("busy", "tail", read=10, written=5))
    live.add(account("slow", "prefix", read=9))
    found = live.snapshot()
    assert [row.name for row in found.rows] == ["busy", "slow", "idle"]
    assert [(row.name, row.hour.read, row.hour.written) for row in found.rules] == [
        ("tail", 10, 5),
        ("prefix", 9, 0),
        ("old", 0, 0),
    ]
    assert sum(row.whole.known_saved for row in found.rules) == found.whole.known_saved


def test_policies_in_force_are_those_of_the_hour_or_else_the_last():
    live, clock = live_at()
    assert live.snapshot().policies == ()
    for revision in ("r1", "r2", "r1"):
        live.add(account(revision=revision))
    assert live.snapshot().policies == (InForce("team", "r1"), InForce("team", "r2"))
    clock.now += 3_600
    assert live.snapshot().policies == (InForce("team", "r1"),)
    live.add(account(revision="r3"))
    assert live.snapshot().policies == (InForce("team", "r3"),)


@pytest.mark.parametrize(
    ("policy", "title"),
    [
        (InForce("team", "sha256:9fd09ae330f2"), "team (9fd09ae330f2)"),
        (InForce("", "sha256:9fd09ae330f2"), "revision 9fd09ae330f2"),
        (InForce("", "(unrecorded)"), "(unrecorded)"),
    ],
)
def test_a_policy_is_called_by_its_name_and_its_short_revision(policy, title):
    assert policy.title == title


def test_what_was_shown_once_does_not_change():
    live, _ = live_at()
    live.add(account(read=1))
    before = live.snapshot()
    live.add(account(read=2))
    [row] = before.rows
    found = (before.whole, before.hour, row.whole, row.hour, before.minutes[-1].totals, before.rules[0].whole)
    assert [totals.read for totals in found] == [1] * 6


def test_unknown_prices_are_counted_beside_what_is_known():
    live, _ = live_at()
    live.add(account(read=1_000_000))
    live.add(account("acme", read=1, rates=None))
    found = live.snapshot()
    assert (found.whole.known_saved, found.whole.unpriced) == (Decimal("2.70"), 1)
    assert {row.name: row.whole.unpriced for row in found.rows} == {"m": 0, "acme": 1}


def test_memory_is_bounded_under_100_000_names():
    live, clock = live_at()

    def add(numbers):
        for number in numbers:
            clock.now = NOON + number / 10
            name = f"{number}-" + "x" * 1_000
            live.add(account(name, name, name, read=1, uncached=1))

    def size():
        return len(pickle.dumps((live._whole, live._minutes)))

    # By then, every table is full, and so is every minute.
    add(range(40_000))
    before = size()
    add(range(40_000, 100_000))
    assert size() < before * 1.02
    assert size() < 16_000_000
    found = live.snapshot()
    assert max(len(found.rows), len(found.rules), len(found.policies)) <= 1_001
    # Nothing is lost for it.
    for rows in (found.rows, found.rules):
        assert sum(row.whole.read for row in rows) == found.whole.read == 100_000
        assert sum(row.hour.read for row in rows) == found.hour.read == 35_800
        assert rows[0].name == OTHER
        assert max(len(row.name) for row in rows) < 300


@pytest.mark.parametrize("name", ["", "(other)", "x" * 10_000, "é\x00\n"])
def test_any_name_will_do(name):
    live, _ = live_at()
    live.add(account(name, name, name, read=1))
    [row] = live.snapshot().rows
    assert (row.whole.read, row.name[:200]) == (1, name[:200])
