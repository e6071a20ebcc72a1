"""Prices, by Claude's list and by litellm's map."""

import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from types import ModuleType

import litellm
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_cache.cache.cost import cost
from policy_cache.cache.explicit import CacheOutcome
from policy_cache.providers.price_map import entry_of, installed_map, prices_of
from policy_cache.providers.prices import Prices, list_prices
from policy_cache.usage.account import savings
from policy_cache.usage.usage import CacheUsage

ENTRY = {
    "litellm_provider": "openai",
    "input_cost_per_token": 4e-06,
    "output_cost_per_token": 2e-05,
    "cache_read_input_token_cost": 4e-07,
    "cache_creation_input_token_cost": 5e-06,
    "cache_creation_input_token_cost_above_1hr": 8e-06,
}
PRICES = Prices(
    input=Decimal(4), output=Decimal(20), read=Decimal("0.4"), write_5m=Decimal(5), write_1h=Decimal(8)
)
BAND = {
    "input_cost_per_token_above_200k_tokens": 8e-06,
    "output_cost_per_token_above_200k_tokens": 3e-05,
    "cache_read_input_token_cost_above_200k_tokens": 4e-07,
    "cache_creation_input_token_cost_above_200k_tokens": 1e-05,
}
SAMPLE = [
    ("gpt-4o", "openai"),
    ("gpt-5.5", "openai"),
    ("gpt-5.6", "openai"),
    ("gpt-6.1-sol", "openai"),
    ("gpt-5.6", "azure"),
    ("eu/gpt-6-sol", "azure"),
    ("gemini-2.5-pro", "gemini"),
    ("gemini-2.5-pro", "vertex_ai"),
    ("deepseek-chat", "deepseek"),
    ("openai/gpt-oss-20b", "groq"),
    ("mistral-large-latest", "mistral"),
    ("kimi-k3", "moonshot"),
    ("MiniMax-M2", "minimax"),
    ("glm-4.6", "zai"),
]


@pytest.fixture
def unimported(monkeypatch):
    """A process that never imported litellm, which is installed."""
    monkeypatch.delitem(sys.modules, "litellm")
    installed_map.cache_clear()
    yield
    installed_map.cache_clear()


def test_claude_has_its_list_prices(price_map):
    price_map(**{"claude-opus-5": ENTRY, "anthropic/claude-opus-5": ENTRY})
    assert prices_of("claude-opus-5", "anthropic") == list_prices("claude-opus-5") != PRICES
    assert prices_of("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock") == list_prices(
        "claude-sonnet-4-5"
    )


@pytest.mark.parametrize(
    ("model", "provider", "named"),
    [
        ("x", "openai", "openai"),
        ("x", "bedrock", "bedrock_converse"),
        ("x", "vertex_ai", "vertex_ai-language-models"),
        ("x", "", "anyone"),
    ],
)
def test_another_model_has_its_price_in_the_map(price_map, model, provider, named):
    price_map(x={**ENTRY, "litellm_provider": named})
    assert prices_of(model, provider) == PRICES


@pytest.mark.parametrize(("model", "provider"), SAMPLE)
def test_a_router_of_it_does_not_make_a_price_unknown(model, provider, monkeypatch):
    monkeypatch.setattr(
        litellm, "model_cost", {name: {**entry} for name, entry in litellm.model_cost.items()}
    )
    before = prices_of(model, provider)
    params = {"model": f"{provider}/{model}", "api_key": "any", "api_base": "http://127.0.0.1:9"}
    litellm.Router(model_list=[{"model_name": "any", "litellm_params": params}])
    assert prices_of(model, provider) == before


def test_a_price_that_is_changed_in_place_is_taken(monkeypatch):
    entry = dict(ENTRY)
    monkeypatch.setattr(litellm, "model_cost", {"x": entry})
    assert prices_of("x", "openai").input == 4
    entry["input_cost_per_token"] = 8e-06
    assert prices_of("x", "openai").input == 8


def test_a_provider_has_its_own_price_first(price_map):
    price_map(**{"x": ENTRY, "azure/x": {**ENTRY, "input_cost_per_token": 8e-06}})
    assert prices_of("x", "azure").input == 8
    assert prices_of("x", "openai").input == 4
    assert prices_of("x", "groq") is None


def test_a_long_prompt_has_its_own_prices(price_map):
    price_map(x={**ENTRY, **BAND, "input_cost_per_token_above_200k_tokens_priority": 1e-5})
    prices = prices_of("x", "openai")
    larger = Prices(
        input=Decimal(8), output=Decimal(30), read=Decimal("0.4"), write_5m=Decimal(10), write_1h=Decimal(16)
    )
    assert prices == replace(PRICES, larger=((200_000, larger),))
    assert prices.for_prompt(200_000) is prices
    assert prices.for_prompt(200_001) == larger


def test_each_size_has_its_prices(price_map):
    larger = {name.replace("200k", "500k"): 2 * price for name, price in BAND.items()}
    price_map(x={**ENTRY, **BAND, **larger})
    prices = prices_of("x", "openai")
    assert [prices.for_prompt(size).input for size in (200_000, 500_000, 500_001)] == [4, 8, 16]


@pytest.mark.parametrize(
    "name", [*(name for name in ENTRY if name.endswith("token") or "read" in name), *BAND]
)
@pytest.mark.parametrize("bad", [None, 0.0, -1e-6, "4e-07", True, float("nan"), float("inf"), 10**400])
def test_an_unknown_price_makes_all_unknown(price_map, name, bad):
    price_map(x={**ENTRY, **BAND, name: bad})
    assert prices_of("x", "openai", writes=True) is None


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "cheap",
        {},
        {**ENTRY, "tiered_pricing": [{"range": [0, 32000], "input_cost_per_token": 1e-6}]},
        # Of the largest prompts, only one price is known.
        {**ENTRY, **BAND, "input_cost_per_token_above_500k_tokens": 1e-05},
    ],
)
def test_what_the_map_does_not_say_is_unknown(price_map, entry):
    price_map(x=entry)
    assert prices_of("x", "openai") is None


@pytest.mark.parametrize(
    ("short", "hour", "writes"),
    [
        (5e-06, 8e-06, (5, 8)),
        (5e-06, None, (5, 8)),
        (4e-06, 6e-06, (4, 6)),
        (5e-06, 5e-06, (5, 5)),
        (5.0004e-06, None, (Decimal("5.0004"), 8)),
        (0, None, None),
        (None, None, None),
    ],
)
def test_what_is_written_has_its_own_price(price_map, short, hour, writes):
    """Where no price for an hour is known it costs twice the input; a cache that bills nothing needs none."""
    price_map(
        x={
            **ENTRY,
            "cache_creation_input_token_cost": short,
            "cache_creation_input_token_cost_above_1hr": hour,
        }
    )
    prices = prices_of("x", "openai", writes=True)
    assert (prices and (prices.write_5m, prices.write_1h)) == writes
    assert (prices_of("x", "openai").read, prices_of("x", "openai").input) == (PRICES.read, PRICES.input)


@pytest.mark.usefixtures("unimported")
@pytest.mark.parametrize(("model", "provider"), SAMPLE)
def test_without_the_import_the_installed_map_says_the_same(model, provider):
    prices = prices_of(model, provider)
    assert prices is not None
    assert "litellm" not in sys.modules
    sys.modules["litellm"] = litellm
    assert prices_of(model, provider) == prices


def test_reading_the_installed_map_does_not_import_litellm():
    program = (
        "import sys; from policy_cache.providers.price_map import prices_of; "
        "print(prices_of('gpt-5.6', 'openai').input.normalize(), 'litellm' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "4 False\n"


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{", b"\xff"])
def test_without_a_map_nothing_is_known(monkeypatch, tmp_path, content):
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").touch()
    if content is not None:
        (package / "model_prices_and_context_window_backup.json").write_bytes(content)
    monkeypatch.delitem(sys.modules, "litellm")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    installed_map.cache_clear()
    assert installed_map() == {}
    assert prices_of("gpt-5", "openai") is None
    installed_map.cache_clear()


@pytest.mark.parametrize("module", [None, ModuleType("litellm")])
def test_a_litellm_that_comes_from_nowhere_has_no_map(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "litellm", module)
    installed_map.cache_clear()
    assert prices_of("gpt-5", "openai") is None
    installed_map.cache_clear()


def test_an_entry_is_the_same_before_and_after_it_is_parsed():
    for parsed in (ENTRY, "cheap", None, [1]):
        raw = {"x": msgspec.Raw(msgspec.json.encode(parsed))}
        assert entry_of("openai/x", raw) == entry_of("openai/x", {"x": parsed})


counts = st.integers(0, 400_000)


@pytest.mark.property
@pytest.mark.parametrize(("model", "provider"), SAMPLE)
@given(read=counts, uncached=counts, written=counts)
def test_savings_agree(model, provider, read, uncached, written):
    """The same requests cost the same, where the provider bills writes and where it does not."""
    writes = written if prices_of(model, provider, writes=True) else 0
    usage = CacheUsage(read=read, write_5m=writes, uncached=uncached)
    prices = prices_of(model, provider, writes=writes > 0)
    rates, outcome = prices.for_prompt(usage.prompt), usage.outcome
    paid, without = cost(outcome, rates), cost(CacheOutcome(uncached=outcome.total), rates)
    money = savings(usage, f"{provider}/{model}")
    assert (money.paid, money.without_cache) == (paid, without)
