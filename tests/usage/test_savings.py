"""Savings by Claude's list prices, and by litellm's price map for the others."""

from __future__ import annotations

import sys
from decimal import Decimal
from types import ModuleType

import litellm
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.cache.cost import Saving, saving
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.providers.prices import list_prices
from policy_cache.usage.account import savings
from policy_cache.usage.usage import CacheUsage

MILLION = 1_000_000
counts = st.integers(0, 100_000)


PRICES = {
    "litellm_provider": "openai",
    "input_cost_per_token": 4e-06,
    "cache_read_input_token_cost": 4e-07,
    "cache_creation_input_token_cost": 5e-06,
    "cache_creation_input_token_cost_above_1hr": 8e-06,
}
ONE_OF_EACH = CacheUsage(read=1, write_5m=1, write_1h=1, uncached=1, output=1)


@pytest.mark.parametrize(
    ("usage", "paid", "without", "saved"),
    [
        (CacheUsage(read=MILLION), "0.30", "3", "2.70"),
        (CacheUsage(write_5m=MILLION), "3.75", "3", "-0.75"),
        (CacheUsage(write_1h=MILLION), "6", "3", "-3"),
        (CacheUsage(uncached=MILLION, output=MILLION), "3", "3", "0"),
    ],
)
@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "bedrock/us.anthropic.claude-sonnet-4-5"])
def test_claude(model, usage, paid, without, saved):
    money = savings(usage, model)
    assert (money.paid, money.without_cache) == (Decimal(paid), Decimal(without))
    assert money.saved == Decimal(saved)


def test_a_part_costs_what_it_does_in_its_prompt():
    """Above 100,000 tokens, Haiku 5.5 costs five times as much, and so does each part of such a prompt."""
    part, prices = CacheOutcome(read=1_000), list_prices("claude-haiku-5-5")
    short, long = (saving(part, prices.for_prompt(prompt)).saved for prompt in (100_000, 100_001))
    assert long == 5 * short > 0


@pytest.mark.parametrize(
    ("model", "named", "priced"),
    [
        ("bedrock/large", "bedrock_converse", True),
        ("vertex_ai/large", "vertex_ai-language-models", True),
        ("openai/large", "openai", True),
        ("azure/large", "azure_ai", False),
        ("bedrock/large", None, False),
    ],
)
def test_parts_of_a_provider_are_the_provider(price_map, model, named, priced):
    price_map(large={**PRICES, "litellm_provider": named})
    assert (savings(ONE_OF_EACH, model) is not None) == priced


def test_a_long_prompt_costs_its_own_price_either_way():
    usage = CacheUsage(read=100_000, uncached=1)
    assert savings(usage, "claude-haiku-5-5") == Saving(Decimal("0.0050005"), Decimal("0.0500005"))


def test_claude_needs_no_price_map(price_map):
    price_map()
    assert savings(CacheUsage(read=MILLION), "claude-opus-5-5").saved == Decimal("3.80")


def test_another_model_by_the_price_map(price_map):
    price_map(**{"gpt-x": PRICES})
    assert savings(ONE_OF_EACH, "gpt-x") == Saving(Decimal("0.0000174"), Decimal("0.000016"))
    assert savings(ONE_OF_EACH, "openai/gpt-x") == savings(ONE_OF_EACH, "gpt-x")


def test_another_providers_price_is_no_price(price_map):
    price_map(**{"gpt-x": PRICES})
    assert savings(ONE_OF_EACH, "azure/gpt-x") is None


@pytest.mark.parametrize(
    ("figure", "price"),
    [
        ("read", "cache_read_input_token_cost"),
        ("write_5m", "cache_creation_input_token_cost"),
        ("write_1h", "cache_creation_input_token_cost_above_1hr"),
    ],
)
@pytest.mark.parametrize("bad", [None, 0.0, -1e-6, "4e-07", True, float("nan"), float("inf"), 10**400])
def test_a_price_is_needed_only_for_what_was_billed(price_map, figure, price, bad):
    price_map(**{"gpt-x": PRICES | {price: bad}})
    assert savings(CacheUsage(uncached=1, **{figure: 1}), "gpt-x") is None
    assert savings(CacheUsage(uncached=1), "gpt-x") == Saving(Decimal("0.000004"), Decimal("0.000004"))


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "cheap",
        {},
        {"cache_read_input_token_cost": 4e-07},
        PRICES | {"tiered_pricing": [{"range": [0, 32000], "input_cost_per_token": 1e-6}]},
    ],
)
def test_an_unknown_price_is_none(price_map, entry):
    price_map(**{"gpt-x": entry})
    assert savings(CacheUsage(uncached=1), "gpt-x") is None


@pytest.mark.parametrize("module", [None, ModuleType("litellm")])
def test_no_price_map_is_no_price(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "litellm", module)
    assert savings(ONE_OF_EACH, "gpt-5") is None


def test_each_size_of_prompt_has_its_prices(price_map):
    bands = {
        "input_cost_per_token_above_128k_tokens": 1e-05,
        "input_cost_per_token_above_272k_tokens": 2e-05,
        "input_cost_per_token_above_272k_tokens_flex": 9e-05,
        "cache_read_input_token_cost_above_272k_tokens": 2e-06,
    }
    price_map(**{"gpt-x": PRICES | bands})
    assert savings(CacheUsage(uncached=128_000), "gpt-x").paid == Decimal("0.512")
    assert savings(CacheUsage(uncached=128_001), "gpt-x").paid == Decimal("1.28001")
    assert savings(CacheUsage(read=1, uncached=128_000), "gpt-x") is None
    assert savings(CacheUsage(read=300_000), "gpt-x") == Saving(Decimal("0.6"), Decimal(6))


@pytest.mark.parametrize("model", ["gpt-5.6", "moonshot/kimi-k3", "gemini/gemini-2.5-pro"])
@pytest.mark.property
@given(read=counts, uncached=counts, written=counts)
def test_litellm_agrees(model, read, uncached, written):
    """What litellm bills for the prompt is what was paid."""
    writes = written if "cache_creation_input_token_cost" in litellm.model_cost[model] else 0
    usage = litellm.Usage(
        prompt_tokens=read + uncached + writes,
        prompt_tokens_details={"cached_tokens": read},
        cache_read_input_tokens=read,
        cache_creation_input_tokens=writes,
    )
    billed, _ = litellm.cost_per_token(model=model, usage_object=usage)
    money = savings(CacheUsage.from_response(usage), model)
    assert float(money.paid) == pytest.approx(billed)
