"""The options of a proxy: a block of its settings, with the environment's word over it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import litellm
import pytest

from policy_cache import Engine, PolicyError
from policy_cache.integrations.litellm import KeepWarm
from policy_cache.integrations.litellm.proxy import (
    BLOCK,
    Record,
    Routing,
    Warming,
    proxy_handler,
    read_options,
)
from policy_cache.integrations.litellm.routing import PreferWarm
from policy_cache.lifetimes import FLOOR
from policy_cache.live.engine import LiveEngine
from policy_cache.live.options import Caching

POLICY = "version: 1\nname: p\nrules:\n  - {name: r, targets: [system], action: {add_cache_control: {}}}\n"
REQUEST = {
    "model": "anthropic/claude-sonnet-4-5",
    "messages": [{"role": "system", "content": "word " * 4_000}, {"role": "user", "content": "q"}],
}


@pytest.fixture
def configured(monkeypatch, tmp_path):
    """Put a block into the configuration of the proxy that runs here, as it were."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY)
    for name in ("POLICY", "CATALOG", "RECORD", "RECORD_TEXT", "METRICS", "ALARM"):
        monkeypatch.delenv(f"POLICY_CACHE_{name}", raising=False)

    def put(settings):
        config = SimpleNamespace(get_config_state=lambda: {"litellm_settings": settings})
        monkeypatch.setitem(sys.modules, "litellm.proxy.proxy_server", SimpleNamespace(proxy_config=config))

    return put


@pytest.mark.parametrize("block", [None, {}])
def test_nothing_is_said(block):
    assert read_options(block, {}) == (Caching(watch=True), None, None, False, None, None)


def test_all_that_a_block_may_say():
    block = {
        "enabled": False,
        "policy": "s3://bucket/policy.yaml",
        "providers": ["anthropic", "vertex_*"],
        "catalog": "catalog.yaml",
        "watch": False,
        "record": {"path": "trace.jsonl", "text": "hashed", "metadata": ["tenant"]},
        "metrics": "prometheus",
        "alarm": True,
        "warmth": {"redis": "redis://localhost", "max_premium": 0},
        "keep_warm": {"budget": 1, "floor": 0},
    }
    caching = Caching(
        enabled=False,
        policy="s3://bucket/policy.yaml",
        providers=("anthropic", "vertex_*"),
        catalog="catalog.yaml",
        watch=False,
    )
    record = Record("trace.jsonl", "hashed", ("tenant",))
    assert read_options(block, {}) == (
        caching,
        record,
        "prometheus",
        True,
        Routing("redis://localhost", 0.0),
        Warming(budget=1.0, floor=0.0),
    )


def test_the_environment_has_the_last_word():
    block = {
        "policy": "block.yaml",
        "providers": "anthropic",
        "record": {"path": "block.jsonl", "text": "hashed", "metadata": ["tenant"]},
        "alarm": True,
    }
    environment = {
        "POLICY_CACHE_POLICY": "variable.yaml",
        "POLICY_CACHE_CATALOG": "catalog.yaml",
        "POLICY_CACHE_RECORD": "variable.jsonl",
        "POLICY_CACHE_RECORD_TEXT": "plain",
        "POLICY_CACHE_METRICS": "opentelemetry",
        "POLICY_CACHE_ALARM": "off",
        "POLICY_CACHE_SERVICE_HOST": "10.0.0.1",  # what Kubernetes sets is not an option
    }
    caching = Caching(policy="variable.yaml", providers=("anthropic",), catalog="catalog.yaml", watch=True)
    record = Record("variable.jsonl", "plain", ("tenant",))
    assert read_options(block, environment) == (caching, record, "opentelemetry", False, None, None)
    assert read_options(None, environment).record == Record("variable.jsonl")
    assert read_options(block, dict.fromkeys(environment, "")) == read_options(block, {})


@pytest.mark.parametrize(
    ("block", "environment", "where", "said", "help_"),
    [
        (
            {"warmth": {"max_premium": -1}},
            {},
            f"{BLOCK}.warmth",
            "[PC125]: `max_premium` in `{}` is -1, and must be finite and not negative",
            None,
        ),
        (
            {"warmth": {"max_premium": float("nan")}},
            {},
            f"{BLOCK}.warmth",
            "[PC125]: `max_premium` in `{}` is nan, and must be finite and not negative",
            None,
        ),
        (
            {"warmth": {"max_premium": "dear"}},
            {},
            f"{BLOCK}.warmth",
            "[PC122]: expected a number for `max_premium` in `{}`, found a text",
            None,
        ),
        ({"keep_warm": True}, {}, f"{BLOCK}.keep_warm", "[PC121]: `{}` has no `budget`", None),
        (
            {"keep_warm": {"budget": 0}},
            {},
            f"{BLOCK}.keep_warm",
            "[PC125]: `budget` in `{}` is 0, and must be more",
            None,
        ),
        (
            {"keep_warm": {"budget": "little"}},
            {},
            f"{BLOCK}.keep_warm",
            "[PC122]: expected a number for `budget` in `{}`, found a text",
            None,
        ),
        (
            {"keep_warm": {"budget": 1, "floor": -1}},
            {},
            f"{BLOCK}.keep_warm",
            "[PC125]: `floor` in `{}` is -1, and must be finite and not negative",
            None,
        ),
        (
            {"keep_warm": {"budgt": 1}},
            {},
            f"{BLOCK}.keep_warm",
            "[PC120]: unknown field `budgt` in `{}`",
            "did you mean `budget`?",
        ),
        ({"alrm": True}, {}, BLOCK, "[PC120]: unknown field `alrm` in `{}`", "did you mean `alarm`?"),
        (
            {"record": {"file": "trace.jsonl"}},
            {},
            f"{BLOCK}.record",
            "[PC120]: unknown field `file` in `{}`",
            "allowed here: `path`, `text`, `metadata`",
        ),
        (
            {"record": "trace.jsonl"},
            {},
            f"{BLOCK}.record",
            "[PC122]: expected a mapping for `{}`, found a text",
            None,
        ),
        ({"record": {"text": "hashed"}}, {}, f"{BLOCK}.record", "[PC121]: `{}` has no `path`", None),
        (
            {"record": {"path": "t", "text": "hash"}},
            {},
            f"{BLOCK}.record",
            "[PC123]: `hash` is not allowed for `text` in `{}`",
            "did you mean `hashed`?",
        ),
        (
            {"metrics": ["prometheus"]},
            {},
            BLOCK,
            "[PC122]: expected one of `prometheus`, `opentelemetry` for `metrics` in `{}`, found a list",
            None,
        ),
        (
            None,
            {"POLICY_CACHE_METRICS": "statsd"},
            "environment",
            "[PC123]: `statsd` is not allowed for `POLICY_CACHE_METRICS` in `{}`",
            "expected one of `prometheus`, `opentelemetry`",
        ),
        (
            None,
            {"POLICY_CACHE_ALARM": "loud"},
            "environment",
            "[PC122]: expected true or false for `POLICY_CACHE_ALARM` in `{}`, found a text",
            None,
        ),
        (3, {}, BLOCK, "[PC122]: expected a mapping for `{}`, found a number", None),
    ],
)
def test_a_wrong_option(block, environment, where, said, help_):
    with pytest.raises(PolicyError) as caught:
        read_options(block, environment)
    assert str(caught.value) == f"{where}: error{said.format(where)}"
    assert caught.value.diagnostics[0].help == help_
    # Whoever starts a proxy sees the error as Python shows it.
    assert getattr(caught.value, "__notes__", []) == ([f"help: {help_}"] if help_ else [])


def test_the_handler_of_a_proxy(configured, tmp_path):
    configured({"policy_cache": {"policy": "policy.yaml", "record": {"path": "trace.jsonl"}, "alarm": True}})
    handler = proxy_handler()
    engine = handler.rewriting.engine
    try:
        assert isinstance(engine, LiveEngine)
        assert engine.policy.policy.name == "p"
        assert handler.rewriting.accounting._recorder.path == tmp_path / "trace.jsonl"
        assert handler.rewriting.accounting._alarm is not None
        assert handler.rewriting.accounting._metrics is None
    finally:
        engine.close()


def test_prefixes_are_kept_warm_where_that_is_asked_for(configured):
    configured({"policy_cache": {"watch": False, "metrics": "opentelemetry", "keep_warm": {"budget": 0.5}}})
    kept = proxy_handler().rewriting.accounting
    assert isinstance(kept._keep_warm, KeepWarm)
    assert (kept._keep_warm._budget, kept._keep_warm._floor) == (0.5, FLOOR)
    assert kept._keep_warm._metrics is kept._metrics is not None
    configured({"policy_cache": {"watch": False, "keep_warm": False}})
    assert proxy_handler().rewriting.accounting._keep_warm is None


@pytest.mark.parametrize("settings", [None, {}, {"policy_cache": None}, {"drop_params": True}])
def test_a_proxy_that_says_nothing_of_it(configured, settings):
    configured(settings)
    with proxy_handler().rewriting.engine as engine:
        assert engine.policy.policy.name == "default"


def test_a_process_without_a_proxy(configured, monkeypatch):
    configured(None)
    monkeypatch.delitem(sys.modules, "litellm.proxy.proxy_server")
    monkeypatch.setenv("POLICY_CACHE_POLICY", "policy.yaml")
    with proxy_handler().rewriting.engine as engine:
        assert engine.policy.policy.name == "p"


def test_a_handler_that_is_switched_off_looks_at_no_file(configured):
    configured({"policy_cache": {"enabled": False, "policy": "nowhere.yaml"}})
    engine = proxy_handler().rewriting.engine
    assert isinstance(engine, Engine)
    assert engine.rewrite(REQUEST) is REQUEST


def test_figures_whose_package_is_absent(configured, monkeypatch):
    configured({"policy_cache": {"policy": "policy.yaml", "watch": False, "metrics": "prometheus"}})
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(PolicyError) as caught:
        proxy_handler()
    assert str(caught.value) == (
        f"{BLOCK}: error[PC129]: `metrics: prometheus` needs prometheus_client, which is not installed"
    )
    assert caught.value.diagnostics[0].help == "pip install 'policy-cache[metrics]'"


@pytest.mark.parametrize("warmth", [True, {}, {"max_premium": 0.5}])
def test_warmth_is_learned_and_kept_to(configured, monkeypatch, warmth):
    monkeypatch.setattr(litellm, "callbacks", [])
    configured({"policy_cache": {"warmth": warmth}})
    handler = proxy_handler()
    [check] = litellm.callbacks
    assert isinstance(check, PreferWarm)
    assert handler.rewriting.accounting._warmth is check._warmth


def test_an_address_that_is_none_keeps_the_proxy_from_starting(configured, monkeypatch):
    monkeypatch.setattr(litellm, "callbacks", [])
    configured({"policy_cache": {"warmth": {"redis": "localhost:6379"}}})
    with pytest.raises(PolicyError, match="not the address of a Redis"):
        proxy_handler()
    assert litellm.callbacks == []
