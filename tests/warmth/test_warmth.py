"""What is said of models, prices, clocks and usage that are wrong, and what a switch of model costs."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from policy_cache import Engine
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.usage.accounting import Accounting
from policy_cache.usage.usage import CacheUsage
from policy_cache.warmth import Table, Warmth, prefer
from tests.clock import Clock

SONNET, HAIKU = "anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"
LONG = "word " * 6_000
REQUEST = {
    "messages": [
        {"role": "system", "content": LONG},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "r"},
    ]
}


@pytest.fixture
def clock():
    return Clock(1_000.0)


@pytest.fixture
def engine():
    return Engine.default()


@pytest.fixture
def warmth(engine, clock):
    return Warmth(engine, clock=clock)


@pytest.fixture
def tell(engine, warmth):
    def tell(model=SONNET, usage=None, request=REQUEST, **more):
        return warmth.answered(engine.plan({**request, "model": model, **more}), usage)

    return tell


@pytest.fixture
def quote(warmth):
    def quote(model=SONNET, request=REQUEST, **more):
        [found] = warmth.quote({**request, **more}, [model])
        return found

    return quote


def written(quote):
    size = quote.tokens
    return CacheUsage(read=size.read, write_5m=size.write_5m, write_1h=size.write_1h, uncached=size.uncached)


def test_how_sure_a_quote_is(tell, quote):
    assert (quote().is_warm, quote().sure) == (False, "modelled")
    tell()
    assert (quote().is_warm, quote().sure) == (True, "modelled")
    tell(usage=written(quote()))
    assert (quote().sure, quote().warm_until) == ("reported", 1_300.0)
    assert "warm for 300 s more, as its last answer reported" in quote().why


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("mystery", "no such model is known"),
        ("mystery/model", "how mystery/model caches is not known"),
        ("openrouter/anthropic/claude-nobody-9", "prices of"),
        ("", "no such model is known"),
        (5, "could not be quoted"),
        (None, "could not be quoted"),
        ({"litellm_params": 5}, "the model's name"),
    ],
)
def test_what_is_unknown_is_said(warmth, model, why):
    [found] = warmth.quote(REQUEST, [model])
    assert (found.sure, found.cost, found.total) == ("unknown", None, None)
    assert why in found.why
    assert prefer([found]) is None


@pytest.mark.parametrize(
    "request_", [{}, {"messages": 5}, {"messages": [5]}, {"input": 5}, {"messages": None}]
)
def test_a_request_that_is_none_is_quoted_by_nobody(warmth, request_):
    [found] = warmth.quote(request_, [SONNET])
    assert found.sure in {"unknown", "modelled"}
    assert not found.is_warm


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -float("inf"), 1e308])
def test_a_clock_that_shows_no_time(tell, quote, clock, now):
    tell()
    clock.now = now
    assert (quote().sure, quote().why) == ("unknown", "the clock is not right")
    assert tell() is None


def test_a_prompt_that_cannot_be_read_is_counted_and_raises_nothing(engine, warmth, monkeypatch):
    plan = engine.plan({**REQUEST, "model": SONNET})
    monkeypatch.setattr(warmth._reader, "plain", lambda *_: 1 / 0)
    assert warmth.answered(plan, None) is None
    assert warmth.faults == {"ZeroDivisionError": 1}


def test_usage_of_another_size_is_not_believed(tell, quote):
    before = quote().tokens
    for _ in range(3):
        tell(usage=CacheUsage(read=10**9 - 1))
    assert (quote().sure, quote().tokens.total) == ("unknown", before.total)


def test_a_deployment_with_tools_of_its_own_is_quoted_with_them(warmth):
    tool = {"type": "function", "function": {"name": "f", "description": LONG, "parameters": {}}}
    bare = {"litellm_params": {"model": SONNET}}
    own = {"litellm_params": {"model": SONNET, "tools": [tool]}}
    first, second = warmth.quote(REQUEST, [bare, own])
    assert second.tokens.total > first.tokens.total + 7_000
    assert warmth.quote(REQUEST, [own, bare]) == [second, first]
    assert warmth.faults == {}


def test_what_a_request_says_goes_before_what_its_deployment_does(warmth):
    tool = {"type": "function", "function": {"name": "f", "description": LONG, "parameters": {}}}
    bare = {"litellm_params": {"model": SONNET}}
    own = {"litellm_params": {"model": SONNET, "tools": [tool]}}
    first, second = warmth.quote({**REQUEST, "tools": []}, [bare, own])
    assert first == second


def test_a_deployment_that_thinks_does_not_read_what_others_wrote(engine, warmth):
    warmth.answered(engine.plan({**REQUEST, "model": SONNET}), None)
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    bare = {"litellm_params": {"model": SONNET}}
    own = {"litellm_params": {"model": SONNET, "thinking": thinking}}
    first, second, third = warmth.quote(REQUEST, [bare, own, bare])
    assert first == third
    assert first.in_conversation
    assert not second.in_conversation
    [alone] = warmth.quote({**REQUEST, "thinking": thinking}, [bare])
    assert alone == second


@pytest.mark.parametrize(("models", "number"), [(None, 0), (5, 0), (SONNET, 1), ({"litellm_params": {}}, 1)])
def test_one_candidate_is_one_quote(warmth, models, number):
    assert len(warmth.quote(REQUEST, models)) == number


def test_a_reply_of_less_than_nothing_is_none(warmth):
    [less] = warmth.quote(REQUEST, [SONNET], reply=-1_000)
    assert less == warmth.quote(REQUEST, [SONNET])[0]


def test_threads_meet_no_half_written_table(engine, warmth):
    plan = engine.plan({**REQUEST, "model": SONNET})
    usages = [None, CacheUsage(uncached=8_581), CacheUsage(write_5m=8_578, uncached=3)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(warmth.answered, plan, usages[n % 3]) for n in range(150)]
            done += [pool.submit(warmth.quote, REQUEST, [SONNET]) for _ in range(150)]
            assert all(future.exception() is None for future in done)
    finally:
        sys.setswitchinterval(before)
    assert warmth.faults == {}


def test_two_scopes_with_one_prefix_share_nothing(tell, quote):
    tell(api_key="a")
    assert quote(api_key="a").is_warm
    assert not quote(api_key="b").is_warm
    assert not quote().is_warm


def test_a_reported_miss_removes_what_was_believed(tell, quote):
    tell()
    tell(usage=CacheUsage(uncached=quote().tokens.total))
    assert not quote().is_warm


def test_a_reported_read_brings_back_what_was_not_known(tell, quote):
    size = quote().tokens
    written = size.write_5m + size.write_1h
    tell(usage=CacheUsage(read=written, uncached=size.uncached))
    assert quote().tokens.read == written
    assert quote().sure == "reported"


def test_usage_that_cannot_be_true_teaches_nothing_but_that_it_was_sent(tell, quote):
    tell(usage=CacheUsage.from_response({"usage": {"prompt_tokens": 5, "cache_read_input_tokens": 9_000}}))
    assert (quote().is_warm, quote().sure) == (True, "modelled")


def test_a_provider_that_contradicts_its_rules_is_not_believed(tell, quote):
    tell()
    for _ in range(3):
        assert quote().sure != "unknown"
        tell(usage=CacheUsage(write_5m=quote().tokens.total - 3, uncached=3))
    assert quote().sure == "unknown"
    assert "the last 3 answers" in quote().why
    tell(usage=CacheUsage(read=quote().tokens.total - 3, uncached=3))
    assert quote().sure == "reported"


def test_a_clock_that_goes_back(tell, quote, clock):
    tell()
    clock.now -= 3_600
    assert (quote().sure, quote().why) == ("unknown", "the clock went back")
    clock.now += 3_600
    assert quote().is_warm


def test_a_clock_that_leaps_leaves_everything_cold(tell, quote, clock):
    tell()
    clock.now += 1e9
    assert (quote().is_warm, quote().sure) == (False, "modelled")


def test_the_table_holds_what_it_may(engine, clock):
    table = Table(most=40)
    warmth = Warmth(engine, table=table, clock=clock)
    for number in range(100):
        request = {"messages": [{"role": "system", "content": f"{number} {LONG}"}, *REQUEST["messages"][1:]]}
        warmth.answered(engine.plan({**request, "model": SONNET}), None)
        assert len(table) <= 40
    clock.now += 3_601
    warmth.answered(engine.plan({**REQUEST, "model": SONNET}), None)
    assert len(table) <= 4  # what had expired is gone


def test_nothing_of_a_prompt_is_kept(tell, warmth):
    tell(request={"messages": [{"role": "system", "content": "sesame " * 6_000}, *REQUEST["messages"][1:]]})
    import pickle

    warmth._lock = warmth._turns._lock = warmth._table._lock = None
    warmth._engine = warmth._clock = None
    assert b"sesame" not in pickle.dumps(warmth.__dict__)


def test_what_a_switch_cost(tell, quote):
    assert tell() is None
    stayed, moved = quote(SONNET).cost, quote(HAIKU).cost
    change = tell(HAIKU)
    assert change.source == SONNET
    assert change.cost == moved - stayed
    assert tell(HAIKU) is None
    assert tell("mystery/model").cost is None


def test_a_change_reaches_metrics_and_records(engine, warmth):
    told = []

    class Figures:
        def answered(self, _, account):
            told.append(account.switch)

    class Recorder:
        def record(self, _, *, policy, **__):
            told.append(policy.get("switch"))
            return True

    accounting = Accounting(warmth=warmth, metrics=Figures(), recorder=Recorder())
    usage = {"usage": {"input_tokens": 3, "cache_creation_input_tokens": 8_578, "output_tokens": 10}}
    for model in (SONNET, HAIKU):
        accounting.answered(engine, {**REQUEST, "model": model}, usage)
    none, first, line, change = told
    assert (first, none) == (None, None)
    assert line == {"from": SONNET, "cost_usd": float(change.cost)}
    assert change.cost > 0


READS = CacheOutcome(read=9)


def test_the_warm_one_is_kept_within_a_premium(warmth):
    cheap, warm = warmth.quote(REQUEST, [HAIKU, SONNET])
    from dataclasses import replace

    cheap = replace(cheap, cost=Decimal(100), ahead=Decimal(0))
    warm = replace(
        warm, cost=Decimal(105), ahead=Decimal(0), in_conversation=True, tokens=CacheOutcome(read=9)
    )
    assert prefer([cheap, warm]) is cheap
    assert prefer([cheap, warm], 0.05) is warm
    assert prefer([cheap, warm], 0.04) is cheap


@pytest.mark.parametrize("premium", [-0.1, float("nan"), float("inf")])
def test_a_premium_that_can_be_none_is_refused(premium):
    with pytest.raises(ValueError, match=f"`max_premium` is {premium}, and must be finite and not negative"):
        prefer([], premium)
