"""A router's own `caching:` block, and the switch for everything."""

from __future__ import annotations

import pytest

from policy_cache import Engine, PolicyError
from policy_cache.live.engine import LiveEngine
from tests.engine.requests import chat, tool

POLICY = "version: 1\nname: p\nrules:\n  - {name: r, targets: [system], action: {add_cache_control: {}}}\n"
REQUEST = chat(tools=[tool()])


def marked(engine, request=REQUEST):
    return len(engine.plan(request).edits)


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def test_the_block_of_a_router(policy):
    engine = Engine.from_config({"enabled": True, "providers": ["anthropic"], "policy": str(policy)})
    assert marked(engine) == 1
    assert engine.rewrite({**REQUEST, "model": "vertex_ai/claude-sonnet-4-5"})["model"].startswith("vertex")
    assert marked(engine, {**REQUEST, "model": "vertex_ai/claude-sonnet-4-5"}) == 0
    assert (
        marked(Engine.from_config({"policy": policy}), {**REQUEST, "model": "vertex_ai/claude-sonnet-4-5"})
        == 1
    )


def test_the_default_policy_where_none_is_named():
    engine = Engine.from_config({"enabled": True})
    assert engine.policy.policy.name == "default"
    assert marked(engine) == 3


@pytest.mark.parametrize("config", [None, {}, {"enabled": False}])
def test_what_does_nothing(config):
    engine = Engine.from_config(config)
    assert engine.rewrite(REQUEST) is REQUEST


def test_providers_may_be_globs_or_one_name(policy):
    request = {**REQUEST, "model": "vertex_ai/claude-sonnet-4-5"}
    for providers, edits in (("vertex_*", 1), (["VERTEX_AI"], 1), ("anthropic", 0), ([], 1)):
        assert marked(Engine.from_config({"policy": policy, "providers": providers}), request) == edits


def test_a_block_that_is_switched_off_looks_at_no_file(tmp_path):
    (tmp_path / "broken.yaml").write_text("rules: 3")
    for name in ("nowhere.yaml", "broken.yaml"):
        for watch in (False, True):
            config = {"enabled": False, "policy": tmp_path / name, "catalog": tmp_path / name, "watch": watch}
            engine = Engine.from_config(config)
            assert isinstance(engine, Engine)
            assert engine.rewrite(REQUEST) is REQUEST


def test_a_block_that_is_switched_off_is_still_read():
    with pytest.raises(PolicyError, match="unknown field `polcy`"):
        Engine.from_config({"enabled": False, "polcy": "policy.yaml"})


def test_a_block_that_follows_its_policy(policy):
    vertex = {**REQUEST, "model": "vertex_ai/claude-sonnet-4-5"}
    with Engine.from_config({"watch": True, "policy": policy, "providers": "anthropic"}) as live:
        assert isinstance(live, LiveEngine)
        assert (marked(live), marked(live, vertex)) == (1, 0)
        policy.write_text(POLICY.replace("[system]", "[system, tools]"))
        assert live.refresh()
        assert (marked(live), marked(live, vertex)) == (2, 0)


def test_a_block_that_follows_the_default_policy():
    with Engine.from_config({"watch": True}) as live:
        assert marked(live) == marked(Engine.default())


def test_a_block_that_follows_nothing(policy):
    assert isinstance(Engine.from_config({"policy": policy}), Engine)
    assert isinstance(Engine.from_config({"policy": policy, "watch": False}), Engine)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"enable": True}, "caching: error[PC120]: unknown field `enable` in `caching`"),
        (
            {"enabled": "yes"},
            "caching: error[PC122]: expected true or false for `enabled` in `caching`, found a text",
        ),
        (
            {"watch": 1},
            "caching: error[PC122]: expected true or false for `watch` in `caching`, found a number",
        ),
        (
            {"providers": [1]},
            "caching: error[PC122]: expected a list of names for `providers` in `caching`, found a list",
        ),
        (
            {"policy": 3},
            "caching: error[PC122]: expected the path of a file for `policy` in `caching`, found a number",
        ),
        (["anthropic"], "caching: error[PC122]: expected a mapping for `caching`, found a list"),
        ({"policy": "nowhere.yaml"}, "nowhere.yaml: error[PC100]: no such file"),
    ],
)
def test_a_bad_block(config, said):
    with pytest.raises(PolicyError) as caught:
        Engine.from_config(config)
    assert str(caught.value) == said


def test_a_misspelt_member_gets_a_suggestion():
    with pytest.raises(PolicyError) as caught:
        Engine.from_config({"provider": ["anthropic"]})
    assert caught.value.diagnostics[0].help == "did you mean `providers`?"


@pytest.mark.parametrize(("value", "edits"), [("1", 0), ("true", 0), ("ON", 0), ("0", 3), ("", 3)])
def test_the_switch(monkeypatch, value, edits):
    monkeypatch.setenv("POLICY_CACHE_DISABLED", value)
    assert marked(Engine.default()) == edits


@pytest.mark.parametrize(
    ("providers", "told"),
    [
        (["antropic"], ["`providers`: no provider is called `antropic`; did you mean `anthropic`?"]),
        (["acme-nobody"], ["`providers`: no provider is called `acme-nobody`"]),
        (["anthropic", "vertex_*", "BEDROCK"], []),
        ([], []),
    ],
)
def test_a_provider_that_nobody_knows_is_told(policy, caplog, providers, told):
    Engine.from_config({"policy": policy, "providers": providers})
    assert [record.getMessage() for record in caplog.records if "providers" in record.getMessage()] == told
