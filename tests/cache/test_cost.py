from decimal import Decimal

import pytest

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.providers.prices import list_prices

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("claude-fable-5-2", "8 40 10 16 0.20"),
        ("claude-mythos-5-1", "10 50 12.50 20 0.25"),
        ("claude-fable-5", "10 50 12.50 20 1.00"),
        ("claude-opus-5-5", "4 20 5 8 0.20"),
        ("claude-opus-4-6", "5 25 6.25 10 0.50"),
        ("claude-opus-4-1", "15 75 18.75 30 1.50"),
        ("claude-sonnet-5-5", "2 10 2.50 4 0.10"),
        ("claude-sonnet-4-5", "3 15 3.75 6 0.30"),
        ("claude-haiku-4-5", "1 5 1.25 2 0.10"),
        ("claude-3-5-haiku", "0.80 4 1.00 1.60 0.08"),
    ],
)
def test_a_million_of_each(model, usd):
    """Input, output, write for five minutes, write for an hour, read."""
    input_, output, write_5m, write_1h, read = map(Decimal, usd.split())
    found = list_prices(model)
    assert cost(CacheOutcome(uncached=MILLION), found) == input_
    assert cost(CacheOutcome(), found, MILLION) == output
    assert cost(CacheOutcome(write_5m=MILLION), found) == write_5m
    assert cost(CacheOutcome(write_1h=MILLION), found) == write_1h
    assert cost(CacheOutcome(read=MILLION), found) == read


def test_nothing_is_rounded():
    outcome = CacheOutcome(read=1, write_5m=1, write_1h=1, uncached=1)
    assert cost(outcome, list_prices("claude-opus-5-5"), 1) == Decimal("0.0000372")


def test_a_long_prompt_has_its_own_prices():
    haiku = list_prices("claude-haiku-5-5")
    small, large = (CacheOutcome(read=read, uncached=10_000) for read in (90_000, 90_001))
    assert cost(small, haiku.for_prompt(small.total)) == Decimal("0.0019")
    assert cost(large, haiku.for_prompt(large.total), 1_000) == Decimal("0.01200005")


@pytest.mark.parametrize(
    "model",
    [
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-sonnet-4-5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "openrouter/anthropic/claude-sonnet-4.5",
        "vertex_ai/claude-sonnet-4-5@20250929",
        "Claude-Sonnet-4-5-latest",
    ],
)
def test_every_spelling_of_a_model(model):
    assert list_prices(model) is list_prices("claude-sonnet-4-5")


@pytest.mark.parametrize(
    "model", ["", "gpt-5", "claude-opus-6", "claude-opus-4-9", "claude-opus-5-6", "claude-"]
)
def test_an_unknown_model_has_no_price(model):
    assert list_prices(model) is None
