"""Sessions and totals: what is cold, that totals add up, and that memory stays bounded."""

from __future__ import annotations

import sys
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache import CacheUsage
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.prices import claude_prices
from policy_cache.providers.resolve import resolve
from policy_cache.usage.account import Account
from policy_cache.usage.attribution import CLIENT, PROVIDER, Owner, Share
from policy_cache.usage.ledger import OTHER, Ledger
from policy_cache.usage.sessions import Sessions
from policy_cache.usage.totals import Entry

READ, SHORT, HOUR = CacheUsage(read=1), CacheUsage(write_5m=1), CacheUsage(write_1h=1)


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([(0, SHORT), (299, READ), (598, READ)], "cold warm warm"),
        ([(0, SHORT), (300, READ)], "cold cold"),
        ([(0, HOUR), (3_599, READ), (7_198, READ), (10_798, READ)], "cold warm warm cold"),
        # An entry for an hour that has expired is none any more.
        ([(0, HOUR), (3_600, SHORT), (3_900, SHORT)], "cold cold cold"),
    ],
)
def test_a_session_is_warm_as_long_as_its_cache_lives(requests, expected):
    sessions = Sessions()
    assert " ".join(sessions.start(b"s", at, usage) for at, usage in requests) == expected


@pytest.mark.parametrize(
    ("model", "requests", "expected"),
    [
        ("openai/gpt-5.6", [(0, SHORT), (1_799, READ), (3_599, READ)], "cold warm cold"),
        ("deepseek/deepseek-chat", [(0, READ), (7_199, READ), (14_399, READ)], "cold warm cold"),
        ("bedrock/amazon.nova-pro-v1:0", [(0, HOUR), (300, READ)], "cold cold"),
        ("anthropic/claude-opus-5", [(0, HOUR), (3_599, READ), (7_199, READ)], "cold warm cold"),
    ],
)
def test_its_provider_says_how_long_that_is(model, requests, expected):
    route = resolve(packaged_catalog(), model=model, provider=None, api_base=None, shape="chat")
    sessions = Sessions()
    seen = [sessions.start(b"s", at, usage, route.cache) for at, usage in requests]
    assert " ".join(seen) == expected


def test_sessions_are_bounded_and_the_last_ones_seen_stay():
    sessions = Sessions(most=2)
    seen = [sessions.start(name, 0.0, READ) for name in (b"a", b"b", b"a", b"c", b"a", b"b")]
    assert seen == ["cold", "cold", "warm", "cold", "warm", "cold"]
    assert len(sessions._seen) == 2


counts = st.integers(0, 10_000)
RATES = claude_prices(Decimal(1), Decimal(5))
shares = st.builds(
    Share,
    st.sampled_from([Owner("policy", "a"), Owner("policy", "b"), CLIENT, PROVIDER]),
    counts,
    counts,
    counts,
)


@st.composite
def accounts(draw):
    parts = draw(st.lists(shares, max_size=4, unique_by=lambda share: share.owner))
    usage = CacheUsage(
        read=sum(share.read for share in parts),
        write_5m=sum(share.write_5m for share in parts),
        write_1h=sum(share.write_1h for share in parts),
        uncached=draw(counts),
        output=draw(counts),
    )
    return Account(
        draw(st.sampled_from(["m1", "m2", "m3"])),
        draw(st.sampled_from([None, "anthropic"])),
        draw(st.sampled_from(["r1", "r2"])),
        (),
        usage,
        draw(st.sampled_from([None, RATES, claude_prices(Decimal(3), Decimal(15))])),
        tuple(parts),
        draw(st.sampled_from(["cold", "warm"])),
    )


def added(ledger, dimension):
    whole = Entry()
    for entry in ledger.by[dimension].values():
        whole.merge(entry)
    return whole


@pytest.mark.property
@given(given=st.lists(accounts(), max_size=12), most=st.integers(1, 3))
def test_every_dimension_adds_up_to_the_same_whole(given, most):
    ledger = Ledger(most=most)
    for account in given:
        ledger.add(account)
    whole = added(ledger, "model")
    assert added(ledger, "route") == added(ledger, "revision") == whole
    for dimension in ("rule", "source"):
        found = added(ledger, dimension)
        for one, other in ((found.cold, whole.cold), (found.warm, whole.warm)):
            assert (one.read, one.write_5m, one.write_1h) == (other.read, other.write_5m, other.write_1h)
            if not other.unpriced:
                assert one.saved == other.saved
    assert whole.total.requests == len(given)
    assert all(len(entries) <= most + 1 for entries in ledger.by.values())


def account(model="m", **usage):
    used = CacheUsage(**usage)
    return Account(model, "anthropic", "r", (), used, RATES, (Share(PROVIDER, used.read),), "warm")


def test_the_oldest_names_are_added_up():
    ledger = Ledger(most=2)
    for model in ("a", "b", "a", "c", "d"):
        ledger.add(account(model, read=1))
    assert {name: entry.total.requests for name, entry in ledger.by["model"].items()} == {
        OTHER: 3,
        "c": 1,
        "d": 1,
    }


def test_a_snapshot():
    ledger = Ledger()
    ledger.add(account(read=3, write_5m=1, uncached=2, output=4))
    found = ledger.snapshot()
    nothing = dict.fromkeys(["requests", "hits", "read", "written", "write_5m", "write_1h"], 0)
    nothing |= {"uncached": 0, "output": 0, "saved_usd": 0.0, "unpriced": 0}
    warm = nothing | {"requests": 1, "hits": 1, "read": 3, "written": 1, "write_5m": 1, "uncached": 2}
    warm |= {"output": 4, "saved_usd": 2.45e-06}
    assert found["models"] == {"m": {**warm, "cold": nothing, "warm": warm}}
    assert list(found) == ["models", "routes", "rules", "revisions", "sources"]
    assert list(found["rules"]) == ["(provider)"]
    assert list(found["sources"]) == ["provider"]


def test_an_unknown_price_makes_no_sum():
    ledger = Ledger()
    ledger.add(account(read=1))
    ledger.add(Account("m", "anthropic", "r", (), READ, None, (), "warm"))
    assert ledger.snapshot()["models"]["m"]["saved_usd"] is None
    assert ledger.snapshot()["models"]["m"]["unpriced"] == 1


def test_many_threads_lose_nothing():
    ledger, one = Ledger(), account(read=1)
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [ledger.add(one) for _ in range(200)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switching)
    assert ledger.snapshot()["models"]["m"]["requests"] == 1_600


def test_a_bound_without_meaning():
    with pytest.raises(ValueError, match="most: expected at least 1, found 0"):
        Ledger(most=0)
