"""What policies save, in a sentence: the figures of the simulation, in money or in tokens."""

from __future__ import annotations

from decimal import Decimal

import pytest

from policy_cache.forecast.result import Column, Simulation
from policy_cache.report.page.headline import headline
from policy_cache.usage.totals import Totals


def column(cost, read=0, *, size=1_000, unpriced=0):
    paid = Decimal(cost)
    warm = Totals(requests=2, read=read, uncached=size - read, paid=paid, unpriced=unpriced)
    return Column(warm=warm)


def simulation(baseline, *costs):
    return Simulation([column(cost) for cost in costs], uncached=column(baseline), requests=2)


@pytest.mark.parametrize(
    ("baseline", "costs", "said"),
    [
        ("45.67", ["12.34"], "a would cost $12.34 in place of $45.67 without caching: 73% less."),
        ("0.0212", ["0.0106"], "a would cost $0.0106 in place of $0.0212 without caching: 50% less."),
        ("40", ["50"], "a would cost $50.00 in place of $40.00 without caching: 25% more."),
        ("40", ["40"], "a would cost $40.00 in place of $40.00 without caching: the same."),
        ("40", ["39.9"], "a would cost $39.90 in place of $40.00 without caching: about the same."),
        ("0", ["0"], "a would cost $0.00 in place of $0.00 without caching: the same."),
        (
            "40",
            ["20", "30", "10"],
            "a would cost $20.00 in place of $40.00 without caching: 50% less; \
the cheapest of 3 is c at $10.00: 75% less.",
        ),
        (
            "40",
            ["10", "30", "10"],
            "a would cost $10.00 in place of $40.00 without caching: 75% less; no other policy is cheaper.",
        ),
        (
            "40",
            ["20.0012", "20.0001"],
            "a would cost $20.0012 in place of $40.0000 without caching: 50% less; \
the cheapest of 2 is b at $20.0001: 50% less.",
        ),
    ],
)
def test_money(baseline, costs, said):
    assert headline(simulation(baseline, *costs), "abc") == said


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ([1_250], "a would read 1,250 of 5,000 tokens from the cache: 25%."),
        (
            [1_250, 0, 2_500],
            "a would read 1,250 of 5,000 tokens from the cache: 25%; the most of 3 is 2,500 with c: 50%.",
        ),
        ([1_250, 0], "a would read 1,250 of 5,000 tokens from the cache: 25%; no other policy reads more."),
    ],
)
def test_tokens_where_a_price_is_unknown(read, said):
    columns = [column(0, tokens, size=5_000, unpriced=1) for tokens in read]
    found = Simulation(columns, uncached=column(0, size=5_000, unpriced=1), requests=2)
    assert headline(found, "abc") == said


def test_what_pings_cost_is_paid():
    found = simulation("40", "20")
    found.policies[0].pings.paid += 10
    assert headline(found, "a") == "a would cost $30.00 in place of $40.00 without caching: 25% less."
